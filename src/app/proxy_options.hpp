#pragma once
// What a configuration says to the proxy.
#include "app/config.hpp"
#include "proxy/proxy.hpp"

namespace perdure::app {

// All but the sockets, and what the engine lends: name servers, servers that have failed.
[[nodiscard]] proxy::ProxyOptions proxy_options(const Config& config);

}  // namespace perdure::app

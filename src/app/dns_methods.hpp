#pragma once
// RPC methods about names: what the DNS says, what of it is known, which servers have failed, counters.
#include "admin/json_rpc.hpp"
#include "app/capabilities.hpp"
#include "engine/engine.hpp"

namespace perdure::app {

// What dns.stats says.
[[nodiscard]] admin::Json dns_statistics(const net::Resolver& resolver);
// Both outlive the table.
void add_dns_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& capabilities);

}  // namespace perdure::app

#pragma once
// What a load balancer says of the connection that it passes on (PROXY protocol, versions 1 and 2).
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/socket_address.hpp"

namespace perdure::edge {

struct ProxyHeader {
  enum class Kind : std::uint8_t { NeedMore, Done, Bad };
  Kind kind = Kind::NeedMore;
  std::size_t consumed = 0;             // of a header that is Done
  std::optional<SocketAddress> source;  // none: the balancer speaks for itself, or does not know
};

inline constexpr std::size_t proxy_header_bytes_max = 4096;

// `bytes`: all that has been received.
[[nodiscard]] ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace perdure::edge

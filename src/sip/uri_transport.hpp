#pragma once
// What a URI says of the transport: RFC 3261 19.1.1 and 26.2.2, RFC 7118 5.3.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/socket_address.hpp"
#include "sip/uri.hpp"

namespace perdure::sip {

struct UriTransport {
  Transport transport = Transport::Udp;
  bool given = false;  // by the parameter or by the scheme; else UDP is only what comes first
};

[[nodiscard]] constexpr bool is_secure(Transport transport) {
  return transport == Transport::Tls || transport == Transport::Wss;
}
[[nodiscard]] constexpr std::uint16_t default_port(Transport transport) {
  constexpr std::uint16_t ports[] = {5060, 5060, 5061, 80, 443};
  return ports[static_cast<std::size_t>(transport)];
}

// Of a sip or sips URI. nullopt: a transport that there is not, or that the scheme forbids.
[[nodiscard]] std::optional<UriTransport> transport_of(const Uri& uri);

}  // namespace perdure::sip

#include "sip/uri_transport.hpp"

namespace perdure::sip {

std::optional<UriTransport> transport_of(const Uri& uri) {
  const bool secure = uri.scheme == Scheme::Sips;
  const auto parameter = uri.params.empty() ? std::nullopt : uri.param("transport");
  if (!parameter) return UriTransport{secure ? Transport::Tls : Transport::Udp, secure};
  const auto transport = transport_from(*parameter);
  if (!transport || (secure && *transport == Transport::Udp)) return std::nullopt;
  if (!secure) return UriTransport{*transport, true};
  // The parameter of a sips URI names what lies below TLS.
  const bool web = *transport == Transport::Ws || *transport == Transport::Wss;
  return UriTransport{web ? Transport::Wss : Transport::Tls, true};
}

}  // namespace perdure::sip

// RFC 3261 16.3: may this request be forwarded at all?
#include "base/case.hpp"
#include "proxy/core.hpp"
#include "sip/uri.hpp"

namespace perdure::proxy {

Proxy::Impl::Refusal Proxy::Impl::validate(const RoutingContext& context) const {
  const sip::Message& request = *context.message;
  // Item 2: what scheme we can route by. With a destination of its own or a Route the Request-URI need not be ours to understand.
  const auto changed = context.target.uri.empty() ? std::nullopt : sip::Uri::parse(context.target.uri);
  const sip::Uri* uri = context.target.uri.empty() ? request.uri() : changed ? &*changed : nullptr;
  const bool routed = !context.target.destination_uri.empty() || request.count(sip::HeaderName::Route) > context.routes_removed;
  if (!uri) return {400, "Bad Request-URI", {}};
  if (uri->scheme != sip::Scheme::Sip && uri->scheme != sip::Scheme::Sips && !routed) return {416, "Unsupported URI Scheme", {}};
  if (request.max_forwards() == 0U) return {483, "Too Many Hops", {}};  // item 3
  if (is_loop(request)) return {482, "Loop Detected", {}};              // item 4
  if (request.find(sip::HeaderName::ProxyRequire) && request.method() != sip::Method::Ack && request.method() != sip::Method::Cancel) {
    std::string unsupported;  // item 5: we have no extension to offer
    for (const auto& value : request.values(sip::HeaderName::ProxyRequire)) {
      unsupported += unsupported.empty() ? "Unsupported: " : ", ";
      unsupported += value.text;
    }
    if (!unsupported.empty()) return {420, "Bad Extension", unsupported + "\r\n"};
  }
  return {};
}

// RFC 5393 4.2: one of our own Vias with the same hash says that nothing which routing depends on has changed since.
bool Proxy::Impl::is_loop(const sip::Message& request) const {
  std::optional<std::uint32_t> hash;
  for (const auto& value : request.values(sip::HeaderName::Via)) {
    if (value.text.find(transaction::BranchParameter::prefix) == std::string_view::npos) continue;
    const auto via = sip::Via::parse(value.text);
    if (!via) continue;
    const auto branch = transaction::BranchParameter::parse(via->branch);
    if (!branch || !is_myself(via->host, via->port)) continue;
    if (!hash) hash = transaction::loop_hash(request, options_.secret);
    if (branch->loop == *hash) return true;
  }
  return false;
}

bool Proxy::Impl::is_myself(std::string_view host, std::uint16_t port) const {
  if (host.empty()) return false;
  for (const auto& socket : options_.sockets) {
    const bool port_fits = port == socket.address.port || port == socket.advertised_port ||
                           (port == 0 && (socket.address.port == sip::default_port(socket.transport) ||
                                          socket.advertised_port == sip::default_port(socket.transport)));
    if (!port_fits) continue;
    if (equals_ignore_case(host, socket.advertised_host)) return true;
    const auto address = SocketAddress::parse(host, 0);
    if (address && address->same_ip(socket.address)) return true;
  }
  for (const auto& alias : options_.aliases) {
    if (equals_ignore_case(host, alias)) return true;
    if (alias.size() > host.size() && alias[host.size()] == ':' &&
        equals_ignore_case(host, std::string_view(alias).substr(0, host.size())) &&
        std::string_view(alias).substr(host.size() + 1) == std::to_string(port))
      return true;
  }
  return false;
}

}  // namespace perdure::proxy

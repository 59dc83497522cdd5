// RFC 3261 16.6 items 6 and 7, 18.1.1, RFC 7118: where a request goes, by what transport, from which of our sockets.
#include <algorithm>

#include "proxy/core.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri_transport.hpp"

namespace perdure::proxy {

std::optional<std::uint16_t> Proxy::Impl::socket_for(Transport transport, Family family, std::uint16_t preferred) const {
  const auto fits = [&](std::size_t index) {
    return options_.sockets[index].transport == transport && options_.sockets[index].address.family == family;
  };
  if (preferred < options_.sockets.size() && fits(preferred)) return preferred;
  for (std::size_t i = 0; i < options_.sockets.size(); ++i)
    if (fits(i)) return static_cast<std::uint16_t>(i);
  // The Contact of a browser says "ws" also where its connection has TLS (RFC 7118).
  return transport == Transport::Ws ? socket_for(Transport::Wss, family, preferred) : std::nullopt;
}

std::optional<NextHop> Proxy::Impl::resolve(const sip::Uri& uri, std::uint16_t preferred_socket) const {
  if (uri.scheme != sip::Scheme::Sip && uri.scheme != sip::Scheme::Sips) return std::nullopt;
  const auto wanted = sip::transport_of(uri);
  if (!wanted) return std::nullopt;
  std::string_view host = uri.host;
  if (!uri.params.empty())
    if (const auto maddr = uri.param("maddr")) host = *maddr;
  const auto address = SocketAddress::parse(host, uri.port ? uri.port : sip::default_port(wanted->transport));
  if (!address || !address->is_unicast()) return std::nullopt;
  NextHop hop;
  hop.address = *address;
  hop.transport = wanted->transport;
  hop.may_switch = !wanted->given;
  auto socket = socket_for(hop.transport, address->family, preferred_socket);
  if (!socket && !wanted->given) {  // RFC 3263 4.1 prefers UDP; who has none of that family can still be reached by TCP
    hop.transport = Transport::Tcp;
    socket = socket_for(hop.transport, address->family, preferred_socket);
  }
  if (!socket) return std::nullopt;
  hop.socket = *socket;
  return hop;
}

namespace {

// 16.6 item 7: a destination set on purpose, else the top Route, else the Request-URI.
template <class Hop, class Use>
std::optional<Hop> of_next_uri(const RoutingContext& context, const Target& target, Use&& use) {
  const auto use_text = [&](std::string_view text) -> std::optional<Hop> {
    const auto uri = sip::Uri::parse(text);
    return uri ? use(*uri) : std::nullopt;
  };
  if (!target.destination_uri.empty()) return use_text(target.destination_uri);
  if (context.request_uri_route.empty()) {
    std::size_t index = 0;
    for (const auto& value : context.message->values(sip::HeaderName::Route)) {
      if (index++ != context.routes_removed) continue;
      const auto address = sip::NameAddr::parse(value.text);
      return address ? use_text(address->uri) : std::nullopt;
    }
  }
  if (!target.uri.empty()) return use_text(target.uri);
  return context.message->uri() ? use(*context.message->uri()) : std::nullopt;
}

}  // namespace

std::optional<NextHop> Proxy::Impl::next_hop(const RoutingContext& context, const Target& target) const {
  const std::uint16_t preferred = target.socket_key ? socket_from(target.socket_key, context.received->socket) : context.received->socket;
  return of_next_uri<NextHop>(context, target, [&](const sip::Uri& uri) { return resolve(uri, preferred); });
}

std::optional<NamedHop> Proxy::Impl::named_hop(const RoutingContext& context, const Target& target) const {
  const std::uint16_t preferred = target.socket_key ? socket_from(target.socket_key, context.received->socket) : context.received->socket;
  return of_next_uri<NamedHop>(context, target,
                               [&](const sip::Uri& uri) { return look_up(uri, preferred, context.message->call_id(), context.now); });
}

std::optional<std::uint16_t> Proxy::Impl::socket_named(std::string_view text) const {
  const auto colon = text.find(':');
  const auto transport = colon == std::string_view::npos ? std::nullopt : transport_from(text.substr(0, colon));
  if (!transport) return std::nullopt;
  const auto is_named = [&](const LocalSocket& socket) {
    return socket.transport == *transport && socket.address.text() == text.substr(colon + 1);
  };
  const auto found = std::ranges::find_if(options_.sockets, is_named);
  return found == options_.sockets.end() ? std::nullopt : std::optional(static_cast<std::uint16_t>(found - options_.sockets.begin()));
}

bool RoutingContext::set_send_socket(std::string_view name) {
  const auto& impl = *proxy.impl_;
  const auto socket = name.empty() ? std::nullopt : impl.socket_named(name);
  if (!socket && !name.empty()) return false;
  target.socket_key = socket ? impl.socket_keys_[*socket] : 0;
  return true;
}

const LocalSocket* RoutingContext::send_socket() const {
  const auto& impl = *proxy.impl_;
  const auto found = std::ranges::find(impl.socket_keys_, target.socket_key);
  return target.socket_key && found != impl.socket_keys_.end()
             ? &impl.options_.sockets[static_cast<std::size_t>(found - impl.socket_keys_.begin())]
             : nullptr;
}

// 18.1.1: too large for a datagram, and nobody has asked for one. The Via says TCP then; if that cannot be delivered, fall_back_to_udp()
// turns it round. False: it stays as it is.
bool Proxy::Impl::switch_to_tcp(NextHop& hop, std::string& text) const {
  if (!options_.udp_request_max || text.size() <= options_.udp_request_max || !hop.may_switch || hop.transport != Transport::Udp)
    return false;
  const auto socket = socket_for(Transport::Tcp, hop.address.family, hop.socket);
  if (!socket || !set_top_via_socket(text, options_.sockets[*socket])) return false;
  hop.transport = Transport::Tcp;
  hop.socket = *socket;
  return true;
}

bool Proxy::Impl::set_top_via_socket(std::string& text, const LocalSocket& socket) const {
  sip::Message message;
  if (!message.parse(text)) return false;
  const sip::Via* via = message.top_via();
  if (!via) return false;
  // What a script has written there (set_advertised_address) stays.
  const bool is_ours = std::ranges::any_of(
      options_.sockets, [&](const LocalSocket& one) { return one.advertised_host == via->host && one.advertised_port == via->port; });
  std::string value = "SIP/2.0/";
  value.append(via_name(socket.transport)).append(" ").append(is_ours ? std::string_view(socket.advertised_host) : via->host).append(":");
  value.append(std::to_string(is_ours ? socket.advertised_port : via->port)).append(via->params);
  const auto begin = static_cast<std::size_t>(via->text.data() - message.bytes().data()), size = via->text.size();
  text.replace(begin, size, value);
  return true;
}

}  // namespace perdure::proxy

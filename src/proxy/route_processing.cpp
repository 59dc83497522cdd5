// RFC 3261 16.4 and 16.12: Route and Record-Route.
#include "base/case.hpp"
#include "proxy/core.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/uri_transport.hpp"

namespace perdure::proxy {
namespace {

struct RouteValue {
  sip::Message::Value value;
  sip::NameAddr address;
  sip::Uri uri;
};

std::optional<RouteValue> parse_route(const sip::Message::Value& value) {
  const auto address = sip::NameAddr::parse(value.text);
  if (!address) return std::nullopt;
  const auto uri = sip::Uri::parse(address->uri);
  if (!uri) return std::nullopt;
  return RouteValue{value, *address, *uri};
}

}  // namespace

int Proxy::Impl::loose_route(RoutingContext& context) {
  const int result = take_routes(context);
  if (result > 0 && options_.restore_addresses == ProxyOptions::RestoreAddresses::Auto) restore_addresses(context);
  return result;
}

int Proxy::Impl::take_routes(RoutingContext& context) {
  const sip::Message& request = *context.message;
  if (context.routes_removed != 0 || !request.find(sip::HeaderName::Route)) return -1;
  const sip::Uri* ruri = request.uri();
  std::optional<RouteValue> first, second, last;
  std::size_t count = 0;
  for (const auto& value : request.values(sip::HeaderName::Route)) {
    auto route = parse_route(value);
    if (!route) return -1;
    ++count;
    if (count == 1) first = route;
    if (count == 2) second = route;
    last = route;
  }
  if (!first) return -1;
  // The next hop shows as the destination URI.
  const auto follow = [&context](const RouteValue& next) {
    if (next.uri.has_param("lr")) context.target.destination_uri.assign(next.address.uri);
  };
  if (ruri && ruri->has_param("lr") && is_myself(ruri->host, ruri->port)) {
    // A strict router before us put our Record-Route URI into the Request-URI: the real one is the last Route value.
    context.target.uri.assign(last->address.uri);
    context.edits->remove_value(last->value);
    context.route_params.assign(ruri->params);
    if (second) follow(*first);
    return 1;
  }
  if (!is_myself(first->uri.host, first->uri.port)) {
    follow(*first);
    return 1;
  }
  context.route_params.assign(first->uri.params);
  context.edits->remove_value(first->value);
  context.routes_removed = 1;
  if (first->uri.has_param("r2") && second && second->uri.has_param("r2") && is_myself(second->uri.host, second->uri.port)) {
    context.edits->remove_value(second->value);
    context.routes_removed = 2;
    // It names the side by which the request leaves (RFC 5658).
    if (const auto socket = socket_of(second->uri)) context.target.socket_key = socket_keys_[*socket];
  }
  // Another proxy that does not loose-route comes next: 16.6 item 6.
  std::size_t index = 0;
  for (const auto& value : request.values(sip::HeaderName::Route)) {
    if (index++ != context.routes_removed) continue;
    const auto next = parse_route(value);
    if (next && !next->uri.has_param("lr")) {
      context.request_uri_route = std::string(context.target.uri.empty() ? request.request_uri() : std::string_view(context.target.uri));
      context.target.uri.assign(next->address.uri);
      context.edits->remove_value(value);
      ++context.routes_removed;
      context.edits->append("Route: <" + context.request_uri_route + ">\r\n");
    } else if (next) {
      follow(*next);
    }
    break;
  }
  return 1;
}

std::optional<std::uint16_t> Proxy::Impl::socket_of(const sip::Uri& uri) const {
  const auto named = sip::transport_of(uri);
  if (!named) return std::nullopt;
  const std::uint16_t port = uri.port ? uri.port : sip::default_port(named->transport);
  const auto address = SocketAddress::parse(uri.host, port);
  for (std::size_t i = 0; i < options_.sockets.size(); ++i) {
    const auto& socket = options_.sockets[i];
    if (socket.transport != named->transport) continue;
    const bool advertised = equals_ignore_case(socket.advertised_host, uri.host) && socket.advertised_port == port;
    if (advertised || (address && *address == socket.address)) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

// 16.6 item 4: what the next hops are asked for as they see it, a sips URI for one. The side that is not secure cannot be reached by sips.
static bool leaves_by_sips(const sip::Message& request, std::string_view request_uri, std::size_t routes_removed) {
  const auto is_sips = [](std::string_view text) { return text.size() > 5 && equals_ignore_case(text.substr(0, 5), "sips:"); };
  if (is_sips(request_uri)) return true;
  std::size_t index = 0;
  for (const auto& value : request.values(sip::HeaderName::Route)) {
    if (index++ != routes_removed) continue;
    const auto address = sip::NameAddr::parse(value.text);
    return address && is_sips(address->uri);
  }
  return false;
}

void Proxy::Impl::append_own_route(std::uint16_t index, bool sips, std::string& out) const {
  const auto& socket = options_.sockets[index];
  out += sips ? "<sips:" : "<sip:";
  out += socket.advertised_host;
  if (socket.advertised_port != sip::default_port(socket.transport)) {
    out += ':';
    out += std::to_string(socket.advertised_port);
  }
  if (sips) {
    if (socket.transport == Transport::Wss) out += ";transport=ws";
  } else if (socket.transport != Transport::Udp) {
    out += ";transport=";
    out += name(socket.transport);
  }
  out += ";lr";
}

void Proxy::Impl::append_record_route(const RoutingContext& context, const Target& target, std::uint16_t out_socket,
                                      std::string& out) const {
  // The tag of the side that made the dialog, also when it is the other one that sends: is_direction compares with it.
  const auto* from = context.message->from();
  const auto* to = context.message->to();
  const auto recorded = sip::find_param(context.route_params, "ftag");
  const std::string_view tag = to && recorded && !to->tag.empty() && *recorded == to->tag ? to->tag : from ? from->tag : std::string_view{};
  const std::string_view request_uri = target.uri.empty() ? context.message->request_uri() : std::string_view(target.uri);
  const auto line = [&](std::uint16_t index, bool doubled) {
    out += "Record-Route: ";
    append_own_route(
        index, sip::is_secure(options_.sockets[index].transport) && leaves_by_sips(*context.message, request_uri, context.routes_removed),
        out);
    if (doubled) out += ";r2=on";
    if (!tag.empty()) {
      out += ";ftag=";
      out += tag;
    }
    out += context.record_route_params;
    out += ">\r\n";
  };
  const std::uint16_t in_socket = context.received->socket;
  const bool doubled = in_socket != out_socket;
  line(out_socket, doubled);
  if (doubled) line(in_socket, true);
}

void Proxy::Impl::move_record_route(std::string& text, std::uint16_t in_socket, std::uint16_t from, std::uint16_t to) const {
  constexpr std::string_view name = "Record-Route: ", doubled = ";r2=on";
  sip::Message message;
  if (from == to || !message.parse(text)) return;
  const bool sips = leaves_by_sips(message, message.request_uri(), 0);
  const auto own_route = [&](std::uint16_t socket) {
    std::string route;
    append_own_route(socket, sips && sip::is_secure(options_.sockets[socket].transport), route);
    return route;
  };
  const auto headers = message.headers();
  const auto first = std::ranges::find(headers, sip::HeaderName::RecordRoute, &sip::HeaderField::name);
  if (first == headers.end() || !message.value(*first).starts_with(own_route(from))) return;
  const bool was_doubled = from != in_socket;
  if (was_doubled && (std::next(first) == headers.end() || std::next(first)->name != sip::HeaderName::RecordRoute)) return;
  std::string rest(message.value(*first).substr(own_route(from).size()));
  if (was_doubled && rest.starts_with(doubled)) rest.erase(0, doubled.size());
  std::string lines(name);
  if (to != in_socket) lines.append(own_route(to)).append(doubled).append(rest).append("\r\n").append(name);
  lines.append(own_route(in_socket)).append(to != in_socket ? doubled : "").append(rest).append("\r\n");
  const auto begin = first->begin, end = (was_doubled ? std::next(first) : first)->end;
  text.replace(begin, end - begin, lines);
}

}  // namespace perdure::proxy

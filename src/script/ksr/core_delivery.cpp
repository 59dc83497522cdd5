// KSR.name: the core's functions about connections, advertised addresses, and where a message is going.
#include <charconv>
#include <optional>

#include "proxy/outputs.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/receiving_socket.hpp"
#include "sip/uri_transport.hpp"
#include "sip/via.hpp"
#include "transaction/record.hpp"

namespace perdure::script {
namespace {

template <std::uint16_t bit>
int switch_on(Call& call) {
  return call.context().set_switch(bit, true);
}

int set_advertised_address(Call& call) {
  const std::string text = "sip:" + std::string(call.text(0));
  const auto uri = sip::Uri::parse(text);
  if (!uri || uri->host.empty() || uri->host != call.text(0)) return call.fail("\"" + std::string(call.text(0)) + "\" is no host");
  call.context().advertised_host.assign(call.text(0));
  return 1;
}

int set_advertised_port(Call& call) {
  const std::string_view text = call.text(0);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return call.fail("\"" + std::string(text) + "\" is no port");
  call.context().advertised_port = port;
  return 1;
}

// Where a request goes.
std::optional<sip::Uri> next_uri(const Call& call) {
  const auto& destination = call.context().target.destination_uri;
  return sip::Uri::parse(destination.empty() ? request_uri(call) : std::string_view(destination));
}

// The transport that a URI asks for, or that of the Via that a reply goes back by; nullopt: none is named.
std::optional<Transport> next_transport(const Call& call) {
  if (call.message().is_request()) {
    const auto uri = next_uri(call);
    const auto named = uri ? sip::transport_of(*uri) : std::nullopt;
    return named && uri->has_param("transport") ? std::optional(named->transport) : std::nullopt;
  }
  std::size_t index = 0;
  for (const auto& value : call.message().values(sip::HeaderName::Via)) {
    if (index++ != 1) continue;
    const auto via = sip::Via::parse(value.text);
    return via ? transport_from(via->transport) : std::nullopt;
  }
  return std::nullopt;
}

template <Transport... transports>
int goes_by(Call& call) {
  const auto transport = next_transport(call);
  return transport && ((*transport == transports) || ...) ? 1 : -1;
}

template <Family family>
int goes_to(Call& call) {
  const auto uri = call.message().is_request() ? next_uri(call) : std::nullopt;
  const auto address = uri ? SocketAddress::parse(uri->host, 1) : std::nullopt;
  return address && address->family == family ? 1 : -1;
}

// What is sent to that port of the peer takes the connection that this message came by.
int add_alias(Call& call, std::int64_t port) {
  const auto& context = call.context();
  const auto& received = *context.received;
  if (port < 1 || port > 65535) return call.fail("a port is 1 to 65535");
  const Transport transport = receiving_socket(call).transport;
  if ((transport != Transport::Tcp && transport != Transport::Tls) || received.connection == 0) return 1;
  SocketAddress address = received.source;
  address.port = static_cast<std::uint16_t>(port);
  if (context.outputs && address != received.source)
    context.outputs->alias({.connection = received.connection, .address = address, .socket = received.socket});
  return 1;
}

int add_tcp_alias(Call& call) {
  return add_alias(call, call.number(0));
}

int add_tcp_alias_via(Call& call) {
  const auto via = call.message().top_via();
  if (!via) return -1;
  return add_alias(call, via->port != 0 ? via->port : sip::default_port(receiving_socket(call).transport));
}

// The flags of the branch with that index, 0 for the Request-URI's own; null: there is none.
std::uint32_t* flags_of_branch(Call& call, std::int64_t index) {
  auto& context = call.context();
  if (index == 0) return &context.target.flags;
  if (index < 0 || index > static_cast<std::int64_t>(context.more_targets.size())) return nullptr;
  return &context.more_targets[static_cast<std::size_t>(index - 1)].flags;
}

enum class Change { Set, Reset, Test };
template <Change change>
int branch_flag_at(Call& call) {
  const auto number = call.number(0);
  if (number < 0 || number > 31) return call.fail("flags are numbered 0 to 31");
  std::uint32_t* const flags = flags_of_branch(call, call.number(1));
  if (!flags) return -1;
  const std::uint32_t bit = std::uint32_t{1} << number;
  if (change == Change::Test) return (*flags & bit) ? 1 : -1;
  *flags = change == Change::Set ? *flags | bit : *flags & ~bit;
  return 1;
}

constexpr auto boolean = Returns::Boolean;
constexpr auto integer = Returns::Integer;
constexpr Routes requests = routes::with_request;

const Function table[] = {
    {"", "set_reply_no_connect", "", boolean, routes::relaying,
     "Responses to this request go over the connection that it came by, or another one that there is to its peer; none is opened for them.",
     "It holds for all responses of the transaction, over a restart, too.", switch_on<transaction::no_reply_connect>},
    {"", "set_reply_close", "", boolean, routes::relaying, "The connection ends when the final response to this request has left.",
     "A provisional response does not end it.", switch_on<transaction::reply_closes>},
    {"", "set_forward_no_connect", "", boolean, routes::relaying,
     "The request is forwarded over connections that there are; where there is none, its branch fails as by a 503.",
     "It holds for all branches of the transaction, for its ACK and CANCEL, and over a restart.",
     switch_on<transaction::no_forward_connect>},
    {"", "set_forward_close", "", boolean, routes::relaying, "The connection ends when the request has left by it.",
     "As set_forward_no_connect. Responses come by a connection that the next hop opens.", switch_on<transaction::forward_closes>},
    {"", "add_tcp_alias", "int port", integer, requests,
     "What is sent to this port of the peer takes the connection that the request came by, TCP or TLS, as long as it is open: a trunk that "
     "dials "
     "from any port is reached without a connection of our own. By other transports nothing happens.",
     "For peers that you know: it leads their calls to whoever holds the connection. What is no port is a script error. At most 16 of a "
     "connection.",
     add_tcp_alias},
    {"", "add_tcp_alias_via", "", integer, requests, "The same for the port of the top Via, or the usual one if it has none.", "",
     add_tcp_alias_via},
    {"", "set_advertised_address", "string host", integer, requests, "Host that stands in our Via of this request instead of the socket's.",
     "Until the callback ends; a branch route inherits it, a failure route sets it again. What is no host is a script error. A request "
     "that "
     "is too large for UDP and goes by TCP has that socket's.",
     set_advertised_address},
    {"", "set_advertised_port", "string port", integer, requests, "The same for the port.",
     "As set_advertised_address. What is no port is a script error.", set_advertised_port},
    {"", "to_UDP", "", boolean, routes::any,
     "The destination URI, or else the Request-URI, names UDP as transport; of a reply, its second Via. A URI without the parameter "
     "transport names none.",
     "", goes_by<Transport::Udp>},
    {"", "to_TCP", "", boolean, routes::any, "The same for TCP.", "", goes_by<Transport::Tcp>},
    {"", "to_TLS", "", boolean, routes::any, "The same for TLS.", "", goes_by<Transport::Tls>},
    {"", "to_WS", "", boolean, routes::any, "The same for WebSocket.", "", goes_by<Transport::Ws>},
    {"", "to_WSS", "", boolean, routes::any, "The same for WebSocket with TLS.", "", goes_by<Transport::Wss>},
    {"", "to_WSX", "", boolean, routes::any, "The same for both.", "", goes_by<Transport::Ws, Transport::Wss>},
    {"", "to_IPv4", "", boolean, requests, "The host of the destination URI, or else of the Request-URI, is an IPv4 address.", "",
     goes_to<Family::IPv4>},
    {"", "to_IPv6", "", boolean, requests, "It is an IPv6 address.", "", goes_to<Family::IPv6>},
    {"", "setbiflag", "int flag, int branch", boolean, requests,
     "Sets a flag of the branch with that index: 0 is the Request-URI, 1 the first that append_branch added.", "",
     branch_flag_at<Change::Set>},
    {"", "resetbiflag", "int flag, int branch", boolean, requests, "Resets it.", "", branch_flag_at<Change::Reset>},
    {"", "isbiflagset", "int flag, int branch", boolean, requests, "It is set.", "", branch_flag_at<Change::Test>},
};

}  // namespace

std::span<const Function> core_delivery_functions() {
  return table;
}

}  // namespace perdure::script

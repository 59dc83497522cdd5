// Variables of where the message came from, and constants.
#include "script/receiving_socket.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;

V give(Call& call, std::string text) {
  call.vm.scratch = std::move(text);
  return V::of(call.vm.scratch);
}

std::string uri(std::string_view address, Transport transport, bool always) {
  std::string out = "sip:" + std::string(address);
  if (always || transport != Transport::Udp) out.append(";transport=").append(name(transport));
  return out;
}

std::string advertised(const proxy::LocalSocket& one) {
  return one.advertised_host + ":" + std::to_string(one.advertised_port);
}

V source_uri(Call& call, bool always) {
  return give(call, uri(call.context().received->source.text(), receiving_socket(call).transport, always));
}
V local_uri(Call& call, bool always) {
  return give(call, uri(receiving_socket(call).address.text(), receiving_socket(call).transport, always));
}
V advertised_uri(Call& call, bool always) {
  return give(call, uri(advertised(receiving_socket(call)), receiving_socket(call).transport, always));
}

// Kamailio's number of a transport.
std::int64_t number_of(Transport transport) {
  constexpr std::int64_t numbers[] = {1, 2, 3, 5, 6};
  return numbers[static_cast<std::size_t>(transport)];
}

// As a socket is named in the configuration: "udp:192.0.2.1:5060".
V send_socket(Call& call, P) {
  const auto* one = call.context().send_socket();
  return one ? give(call, std::string(name(one->transport)) + ":" + one->address.text()) : V{};
}
bool set_send_socket(Call& call, P, const Value* value) {
  const std::string_view text = value && !value->is_number ? std::string_view(value->text) : std::string_view{};
  if ((value && value->is_number) || !call.context().set_send_socket(text)) {
    (void)call.fail("is no socket of ours");
    return false;
  }
  return true;
}

V constant(Call&, P variable) {
  constexpr std::int64_t numbers[] = {2, 10, 1, 2, 3, 4, 5, 6};
  return V::of(numbers[variable.keyword]);
}

const VariableClass table[] = {
    {"si", {}, "source address", [](Call& c, P) { return give(c, c.context().received->source.ip_text()); }},
    {"siz", {}, "the same, an IPv6 address in brackets", [](Call& c, P) { return give(c, c.context().received->source.host_text()); }},
    {"sp", {}, "source port, a number", [](Call& c, P) { return V::of(std::int64_t{c.context().received->source.port}); }},
    {"su", {}, "URI of the source address, with the transport unless it is UDP", [](Call& c, P) { return source_uri(c, false); }},
    {"sut", {}, "URI of the source address with the transport", [](Call& c, P) { return source_uri(c, true); }},
    {"sas",
     {},
     "source as a socket, `udp:192.0.2.1:5060`",
     [](Call& c, P) { return give(c, std::string(name(receiving_socket(c).transport)) + ":" + c.context().received->source.text()); }},
    {"Ri", {}, "address that the message was received on", [](Call& c, P) { return give(c, receiving_socket(c).address.ip_text()); }},
    {"Rp",
     {},
     "port that the message was received on, a number",
     [](Call& c, P) { return V::of(std::int64_t{receiving_socket(c).address.port}); }},
    {"Ru",
     {},
     "URI of the socket that the message was received on, with the transport unless it is UDP",
     [](Call& c, P) { return local_uri(c, false); }},
    {"Rut", {}, "the same with the transport", [](Call& c, P) { return local_uri(c, true); }},
    {"RAi", {}, "advertised address of that socket", [](Call& c, P) { return V::of(receiving_socket(c).advertised_host); }},
    {"RAp",
     {},
     "advertised port of that socket, a number",
     [](Call& c, P) { return V::of(std::int64_t{receiving_socket(c).advertised_port}); }},
    {"RAu", {}, "URI of the advertised address, with the transport unless it is UDP", [](Call& c, P) { return advertised_uri(c, false); }},
    {"RAut", {}, "the same with the transport", [](Call& c, P) { return advertised_uri(c, true); }},
    {"fs", {}, "socket that the request leaves from if it fits its next hop, `tcp:192.0.2.1:5060`", send_socket, set_send_socket},
    {"pr", {}, "transport that the message was received by: `udp`", [](Call& c, P) { return V::of(name(receiving_socket(c).transport)); }},
    {"proto", {}, "the same as `$pr`", [](Call& c, P) { return V::of(name(receiving_socket(c).transport)); }},
    {"prid",
     {},
     "number of that transport: 1 UDP, 2 TCP, 3 TLS, 5 WS, 6 WSS",
     [](Call& c, P) { return V::of(number_of(receiving_socket(c).transport)); }},
    {"conid",
     {},
     "number of the connection, null for a datagram",
     [](Call& c, P) {
       const auto connection = c.context().received->connection;
       return connection ? V::of(static_cast<std::int64_t>(connection)) : V{};
     }},
    {"K", VariableArgument::Keyword, "Kamailio's numbers of address families and transports", constant, nullptr, false,
     "IPv4 IPv6 UDP TCP TLS SCTP WS WSS"},
};

}  // namespace

std::span<const VariableClass> network_variables() {
  return table;
}

}  // namespace perdure::script

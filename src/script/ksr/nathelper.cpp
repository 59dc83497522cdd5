// KSR.nathelper: requests to a device go back to where it came from, by the address and transport that its Contact carries as ;alias.
#include "base/case.hpp"
#include "proxy/proxy.hpp"
#include "script/ksr/contact_edits.hpp"
#include "script/ksr/uri_access.hpp"
#include "sip/params.hpp"
#include "sip/uri_transport.hpp"

namespace perdure::script {
namespace {

constexpr int nothing_to_do = 2;

// Kamailio's numbers of the transports in ";alias=192.0.2.1~5060~2".
constexpr std::pair<Transport, char> numbers[] = {
    {Transport::Udp, '1'}, {Transport::Tcp, '2'}, {Transport::Tls, '3'}, {Transport::Ws, '5'}, {Transport::Wss, '6'}};

std::string alias_of(std::string_view host, std::int64_t port, Transport transport) {
  std::string alias = ";alias=" + std::string(host) + "~" + std::to_string(port) + "~";
  for (const auto& [one, number] : numbers)
    if (one == transport) alias += number;
  return alias;
}

// "192.0.2.1~5060~2" as a destination URI, empty: it is none.
std::string destination_of(std::string_view alias) {
  const std::size_t first = alias.find('~'), second = first == std::string_view::npos ? first : alias.find('~', first + 1);
  if (second == std::string_view::npos || second + 2 != alias.size()) return {};
  for (const auto& [transport, number] : numbers) {
    if (number != alias.back()) continue;
    std::string uri = "sip:" + std::string(alias.substr(0, first)) + ":" + std::string(alias.substr(first + 1, second - first - 1));
    if (transport != Transport::Udp) uri.append(";transport=").append(name(transport));
    return sip::Uri::parse(uri) ? uri : std::string();
  }
  return {};
}

Transport received_by(const Call& call) {
  return call.context().proxy.options().sockets[call.context().received->socket].transport;
}

// The Contact says already where the message came from.
bool names_source(const Call& call, const sip::Uri& contact) {
  const auto& source = call.context().received->source;
  const auto named = sip::transport_of(contact);
  if (!named || named->transport != received_by(call)) return false;
  const auto address = SocketAddress::parse(contact.host, contact.port ? contact.port : sip::default_port(named->transport));
  return address && *address == source;
}

int add_alias(Call& call, const std::string& alias, bool always) {
  const int added = change_contacts(call, [&](std::string_view contact) -> std::optional<std::string> {
    if (!always && names_source(call, *sip::Uri::parse(contact))) return std::nullopt;
    return with_parameter(contact, alias);
  });
  return added > 0 ? 1 : nothing_to_do;
}

std::string alias_of_source(const Call& call) {
  const auto& source = call.context().received->source;
  return alias_of(source.host_text(), source.port, received_by(call));
}

int add_contact_alias(Call& call) {
  return add_alias(call, alias_of_source(call), false);
}

int set_contact_alias(Call& call, bool trim) {
  const int changed = change_contacts(call, [&](std::string_view contact) {
    return with_parameter(trim ? without_parameter(contact, "alias") : std::string(contact), alias_of_source(call));
  });
  return changed > 0 ? 1 : -1;
}

int add_contact_alias_to(Call& call) {
  const auto transport = transport_from(call.text(2));
  const auto address = SocketAddress::parse(call.text(0), static_cast<std::uint16_t>(call.number(1)));
  if (!transport || !address || call.number(1) < 1 || call.number(1) > 65535)
    return call.fail("an alias has a numeric address, a port and a transport");
  return add_alias(call, alias_of(address->host_text(), address->port, *transport), true);
}

// The first alias, or the last one.
int handle_alias(Call& call, bool last) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (!uri) return -1;
  std::string_view alias, parameter;
  sip::ParamReader reader(uri->params);
  while (const auto param = reader.next()) {
    if (!equals_ignore_case(param->name, "alias") || (!last && !parameter.empty())) continue;
    alias = param->value;
    parameter = param->text;
  }
  if (parameter.empty()) return nothing_to_do;
  const std::string destination = destination_of(alias);
  if (destination.empty()) return -1;
  std::string rest(request_uri(call));
  const auto semicolon = rest.rfind(';', static_cast<std::size_t>(parameter.data() - request_uri(call).data()));
  rest.erase(semicolon, static_cast<std::size_t>(parameter.data() - request_uri(call).data()) + parameter.size() - semicolon);
  return set_request_uri(call, rest) && set_destination_uri(call, destination) ? 1 : -1;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"nathelper", "add_contact_alias", "", integer, routes::any,
     "Adds `;alias=` with source address, port and transport to each Contact URI that names something else: requests to it find the "
     "connection, or the hole in the NAT, that the device came by. 2: there was nothing to add.",
     "", add_contact_alias},
    {"nathelper", "set_contact_alias", "", integer, routes::any, "Adds such an alias in any case; -1: there is no Contact URI.",
     "The change shows in the message that leaves, not in this one. All contacts of the message, not one of them.",
     [](Call& call) { return set_contact_alias(call, false); }},
    {"nathelper", "set_contact_alias_trim", "", integer, routes::any, "The same; an alias that is there already goes.",
     "As set_contact_alias.", [](Call& call) { return set_contact_alias(call, true); }},
    {"nathelper", "add_contact_alias_addr", "string ip, int port, string transport", integer, routes::any,
     "Adds that address and transport (`tcp`) as alias to each Contact URI.", "An address that is none is a script error.",
     add_contact_alias_to},
    {"nathelper", "handle_ruri_alias", "", integer, routes::with_request,
     "Takes the first alias off the Request-URI and makes it the destination URI. 2: there is none. Below 0: it cannot be read.", "",
     [](Call& call) { return handle_alias(call, false); }},
    {"nathelper", "handle_ruri_alias_mode", "int mode", integer, routes::with_request,
     "handle_ruri_alias of the first alias (mode 0) or of the last one (mode 1).", "",
     [](Call& call) { return handle_alias(call, call.number(0) == 1); }},
};

}  // namespace

std::span<const Function> nathelper_functions() {
  return table;
}

}  // namespace perdure::script

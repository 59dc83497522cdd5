// KSR.nathelper: is the sender behind a NAT, and what its Contact and its session description say is replaced by where it is seen.
#include "proxy/proxy.hpp"
#include "script/ksr/contact_edits.hpp"
#include "script/ksr/sdp_access.hpp"
#include "script/vm.hpp"
#include "sip/uri.hpp"
#include "sip/via.hpp"

namespace perdure::script {
namespace {

constexpr std::uint16_t sip_port = 5060;

Transport received_by(const Call& call) {
  return call.context().proxy.options().sockets[call.context().received->socket].transport;
}

// RFC 1918, RFC 6598, and 192.0.0.0/29 of RFC 7335.
bool is_private(const SocketAddress& address) {
  if (address.family != Family::IPv4) return false;
  const auto& ip = address.ip;
  return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xF0) == 16) || (ip[0] == 192 && ip[1] == 168) ||
         (ip[0] == 100 && (ip[1] & 0xC0) == 64) || (ip[0] == 192 && ip[1] == 0 && ip[2] == 0 && (ip[3] & 0xF8) == 0);
}
bool is_private(std::string_view host) {
  const auto address = SocketAddress::parse(host, 1);
  return address && is_private(*address);
}

bool via_names_other_host(const Call& call) {
  const auto* via = call.message().top_via();
  const auto address = via ? SocketAddress::parse(via->host, 1) : std::nullopt;
  return via && !(address && address->same_ip(call.context().received->source));
}
bool via_names_other_port(const Call& call) {
  const auto* via = call.message().top_via();
  return via && (via->port ? via->port : sip_port) != call.context().received->source.port;
}
bool via_is_private(const Call& call) {
  const auto* via = call.message().top_via();
  return via && is_private(via->host);
}

bool contact_is_private(const Call& call) {
  const auto uri = sip::Uri::parse(first_contact(call.message()));
  return uri && is_private(uri->host);
}
bool contact_names_other_port(const Call& call) {
  const auto uri = sip::Uri::parse(first_contact(call.message()));
  return uri && (uri->port ? uri->port : sip_port) != call.context().received->source.port;
}

bool is_null_address(std::string_view address) {
  return address == "0.0.0.0";
}

bool media_are_private(const Call& call) {
  const auto sdp = session_description(call.message());
  if (!sdp) return false;
  for (const auto& media : sdp->media)
    if (!is_null_address(media.address) && is_private(media.address)) return true;
  return false;
}

// "IN IP4 192.0.2.1": the address; empty: there is none.
std::string_view address_in(std::string_view line, std::string_view& family) {
  const std::size_t at = line.find("IN IP");
  if (at == std::string_view::npos || at + 7 > line.size()) return {};
  family = line.substr(at + 3, 3);
  std::string_view rest = line.substr(at + 6);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest.substr(0, rest.find_first_of(" \t"));
}

// The c= line of the session names another address than the source.
bool session_is_elsewhere(const Call& call) {
  const auto sdp = session_description(call.message());
  if (!sdp) return false;
  sip::SdpLines lines(sdp->session);
  while (const auto line = lines.next()) {
    if (line->type != 'c') continue;
    std::string_view family;
    const auto address = SocketAddress::parse(address_in(line->value, family), 1);
    return !address || !address->same_ip(call.context().received->source);
  }
  return true;
}

int test(Call& call) {
  constexpr std::pair<int, bool (*)(const Call&)> tests[] = {
      {1, contact_is_private},
      {2, via_names_other_host},
      {4, via_is_private},
      {8, media_are_private},
      {16, via_names_other_port},
      {32, [](const Call& c) { return is_private(c.context().received->source); }},
      {64, [](const Call& c) { return received_by(c) == Transport::Ws || received_by(c) == Transport::Wss; }},
      {128, contact_names_other_port},
      {256, session_is_elsewhere},
  };
  for (const auto& [bit, holds] : tests)
    if ((call.number(0) & bit) && holds(call)) return 1;
  return -1;
}

// "sip:192.0.2.1:5060;transport=tcp"
std::string source_uri(const Call& call) {
  std::string uri = "sip:" + call.context().received->source.text();
  if (received_by(call) != Transport::Udp) uri.append(";transport=").append(name(received_by(call)));
  return uri;
}

int fix_contact(Call& call) {
  const auto seen = call.context().received->source.text();
  const int changed = change_contacts(call, [&](std::string_view contact) -> std::optional<std::string> {
    const std::string uri = without_parameter(contact, "maddr");
    const auto parsed = sip::Uri::parse(uri);
    if (!parsed) return std::nullopt;
    const auto host = static_cast<std::size_t>(parsed->host.data() - uri.data());
    std::size_t end = host + parsed->host.size();
    if (parsed->port) end = uri.find_first_not_of("0123456789", end + 1);
    return uri.substr(0, host) + seen + (end == std::string::npos ? std::string() : uri.substr(end));
  });
  return changed > 0 ? 1 : -1;
}

int add_received(Call& call) {
  const bool in_uri = call.number(0) != 0;
  if (in_uri && received_by(call) != Transport::Udp) return -1;  // the URI has a semicolon then
  const std::string uri = source_uri(call);
  if (in_uri) {
    (void)change_contacts(call, [&](std::string_view contact) { return with_parameter(contact, ";received=" + uri); });
    return 1;
  }
  for (const auto& value : call.message().values(sip::HeaderName::Contact))
    if (value.text != "*") call.context().edits->replace_range(value.end, value.end, ";received=\"" + uri + "\"");
  return 1;
}

int fix_register(Call& call) {
  const auto& name = call.vm.received_avp();
  if (name.empty()) return 1;
  call.run.changed();
  return call.run.variables().push_avp(name, Value::of(std::string_view(source_uri(call)))) ? 1 : -1;
}

enum Fix : std::int64_t { add_direction = 1, media_address = 2, no_proxy = 4, origin_address = 8 };

// Replaces the address of each line of that type; what was there goes into `old_lines`. -1: there is none, or one of another family.
int replace_addresses(Call& call, std::string_view sdp, char type, const std::string& address, std::string& old_lines) {
  const bool is_ipv6 = address.find(':') != std::string::npos;
  int replaced = -1;
  sip::SdpLines lines(sdp);
  while (const auto line = lines.next()) {
    if (line->type != type) continue;
    std::string_view family;
    const std::string_view old = address_in(line->value, family);
    if (old.empty() || family != (is_ipv6 ? "IP6" : "IP4")) return -1;
    replaced = std::max(replaced, 0);
    if (old == address || is_null_address(old)) continue;
    const auto begin = static_cast<std::uint32_t>(old.data() - call.message().bytes().data());
    call.context().edits->replace_range(begin, begin + static_cast<std::uint32_t>(old.size()), address);
    old_lines.append(is_ipv6 ? "a=oldmediaip6:" : "a=oldmediaip:").append(old).append("\r\n");
    ++replaced;
  }
  return replaced;
}

int fix_sdp(Call& call) {
  const auto sdp = session_description(call.message());
  if (!sdp) return -1;
  const std::int64_t level = call.number(0);
  const auto place = [&](std::string_view before) {
    return static_cast<std::uint32_t>(before.data() + before.size() - call.message().bytes().data());
  };
  const std::string address = call.text(1).empty() ? call.context().received->source.ip_text() : std::string(call.text(1));
  if (!SocketAddress::parse(address, 1)) return call.fail("\"" + address + "\" is no address");
  std::string at_end = sdp->text.ends_with('\n') ? "" : "\r\n";
  const std::size_t line_end = at_end.size();
  if (level & add_direction) {
    for (std::size_t i = 0; i + 1 < sdp->media.size(); ++i)
      call.context().edits->replace_range(place(sdp->media[i].text), place(sdp->media[i].text), "a=direction:active\r\n");
    if (!sdp->media.empty()) at_end += "a=direction:active\r\n";
  }
  if (level & no_proxy) at_end += "a=nortpproxy:yes\r\n";
  int replaced = 0;
  for (const auto& [bit, type] : {std::pair(media_address, 'c'), {origin_address, 'o'}}) {
    const int count = level & bit ? replace_addresses(call, sdp->text, type, address, at_end) : 0;
    if (count < 0) return -1;
    replaced += count;
  }
  if (at_end.size() > line_end) call.context().edits->replace_range(place(sdp->text), place(sdp->text), at_end);
  return replaced > 0 ? 1 : 2;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"nathelper", "nat_uac_test", "int tests", integer, routes::any,
     "1: one of the tests holds. Bits: 1 the Contact has a private address, 2 the top Via names another host than the source address, 4 it "
     "has "
     "a private one, 8 a medium of the session description has, 16 the port of the top Via is another one than the source port, 32 the "
     "source address is private, 64 the message came by WebSocket, 128 the port of the Contact is another one than the source port, 256 "
     "the "
     "session description names another address than the source.",
     "", test},
    {"nathelper", "is_rfc1918", "string address", integer, routes::any,
     "The address is private: of RFC 1918, or of 100.64.0.0/10 or 192.0.0.0/29.", "",
     [](Call& call) { return is_private(call.text(0)) ? 1 : -1; }},
    {"nathelper", "fix_nated_contact", "", integer, routes::any,
     "Host and port of the Contact URIs become source address and port; maddr goes. -1: there is none.",
     "All contacts of the message, not one of them.", fix_contact},
    {"nathelper", "fix_nated_register", "", integer, routes::with_request,
     "Adds the URI of the source to the AVP that `nathelper.received_avp` names; without that nothing.", "", fix_register},
    {"nathelper", "add_rcv_param", "int mode", integer, routes::any,
     "Adds the URI of the source to each Contact: mode 0 as parameter `received` of the header, 1 of the URI. -1: mode 1, and not by UDP.",
     "", add_received},
    {"nathelper", "fix_nated_sdp", "int what", integer, routes::any,
     "Changes the session description. Bits: 1 adds `a=direction:active` to each medium, 2 the source address stands in each c= line, 4 "
     "adds "
     "`a=nortpproxy:yes`, 8 the source address stands in the o= line. Lines `a=oldmediaip:` say what was there. 1: addresses were "
     "replaced, "
     "2: none had to be, -1: there is no session description, or its addresses are of another family.",
     "IPv6 too.", fix_sdp},
    {"nathelper", "fix_nated_sdp_ip", "int what, string address", integer, routes::any, "The same with an address of yours.",
     "IPv6 too. A text that is no address is a script error.", fix_sdp},
};

}  // namespace

std::span<const Function> nathelper_fix_functions() {
  return table;
}

}  // namespace perdure::script

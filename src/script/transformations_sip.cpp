// {uri.…}, {nameaddr.…}, {tobody.…}, {urialias.…}: parts of URIs and addresses.
#include "base/case.hpp"
#include "script/transformation.hpp"
#include "sip/chars.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using sip::Scheme;
using sip::Uri;

V text(std::string_view value) {
  return V::of(value);
}

std::string_view without_semicolon(std::string_view params) {
  return params.starts_with(';') ? params.substr(1) : params;
}

// ---- {uri.…} ----

std::optional<Uri> parse_uri(Step& step) {
  if (!step.has_text()) return std::nullopt;
  std::string_view value = step.input.text;
  if (value.size() > 4 && value.ends_with(';')) value.remove_suffix(1);
  return Uri::parse(value);
}

template <std::string_view Uri::*part>
V uri_part(Step& step) {
  const auto uri = parse_uri(step);
  return uri ? text((*uri).*part) : V{};
}
V uri_port(Step& step) {
  const auto uri = parse_uri(step);
  return uri ? V::of(std::int64_t{uri->port}) : V{};
}
V uri_params(Step& step) {
  const auto uri = parse_uri(step);
  return uri ? text(without_semicolon(uri->params)) : V{};
}
V uri_param(Step& step) {
  const auto uri = parse_uri(step);
  return uri ? text(uri->param(step.parameter(0)).value_or(std::string_view{})) : V{};
}
constexpr char transport[] = "transport", ttl[] = "ttl", user[] = "user", maddr[] = "maddr", method[] = "method", lr[] = "lr", r2[] = "r2";
template <const char* name>
V uri_named_param(Step& step) {
  const auto uri = parse_uri(step);
  return uri ? text(uri->param(name).value_or(std::string_view{})) : V{};
}

// "sip:user@host:port;transport=tcp" or less of it.
V uri_short(Step& step, bool with_user, bool with_address) {
  const auto uri = parse_uri(step);
  if (!uri) return {};
  step.put(uri->scheme_name);
  step.put(':');
  if (with_user && !uri->user.empty()) {
    step.put(uri->user);
    if (!uri->host.empty()) step.put('@');
  }
  step.put(uri->host);
  if (with_address && uri->port) {
    step.put(':');
    step.put(std::to_string(uri->port));
  }
  if (const auto name = uri->param(transport); with_address && name && !name->empty()) {
    step.put(";transport=");
    step.put(*name);
  }
  return step.built();
}

// "tcp:host:port"; empty without a transport parameter, as in Kamailio.
V uri_socket(Step& step) {
  const auto uri = parse_uri(step);
  if (!uri) return {};
  const auto name = uri->param(transport);
  if (!name || name->empty()) return text({});
  for (const char c : *name) step.put(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  step.put(':');
  step.put(uri->host);
  step.put(':');
  step.put(std::to_string(uri->port ? uri->port : 5060));
  return step.built();
}

// ---- {nameaddr.…}: "name <uri>", whatever follows ----

struct Address {
  std::string_view name, uri;
  std::size_t length = 0;
};
std::optional<Address> parse_address(Step& step) {
  if (!step.has_text()) return std::nullopt;
  const std::string_view value = step.input.text;
  std::size_t open = 0;
  while (open < value.size() && value[open] != '<') {
    const std::size_t quoted = value[open] == '"' ? sip::chars::quoted_string(value.substr(open)) : 1;
    if (quoted == 0) return std::nullopt;
    open += quoted;
  }
  if (open >= value.size()) return Address{{}, value, value.size()};
  const std::size_t close = value.find('>', open);
  if (close == std::string_view::npos) return std::nullopt;
  return Address{value.substr(0, open), value.substr(open + 1, close - open - 1), close + 1};
}

// ---- {tobody.…}: a value of From or To ----

template <class Part>
V to_body(Step& step, Part part) {
  if (!step.has_text()) return {};
  const auto address = sip::NameAddr::parse(step.input.text);
  const auto uri = address ? Uri::parse(address->uri) : std::nullopt;
  return uri ? text(part(*address, *uri)) : V{};
}

// ---- {urialias.…}: "host~port~protocol", what nathelper writes into ;alias= ----

constexpr std::pair<std::string_view, char> protocols[] = {{"udp", '1'},  {"tcp", '2'}, {"tls", '3'},
                                                           {"sctp", '4'}, {"ws", '5'},  {"wss", '6'}};

V encode_alias(Step& step) {
  const auto uri = parse_uri(step);
  if (!uri || uri->host.empty()) return text({});
  const auto name = uri->param(transport).value_or(uri->scheme == Scheme::Sips ? "tls" : "udp");
  char protocol = '\0';
  for (const auto& [one, number] : protocols)
    if (equals_ignore_case(one, name)) protocol = number;
  if (protocol == '\0') return text({});
  step.put(uri->host);
  step.put('~');
  step.put(std::to_string(uri->port ? uri->port : uri->scheme == Scheme::Sips ? 5061 : 5060));
  step.put('~');
  step.put(protocol);
  return step.built();
}
V decode_alias(Step& step) {
  if (!step.has_text()) return {};
  const std::string_view value = step.input.text;
  const std::size_t first = value.find('~'), second = first == std::string_view::npos ? first : value.find('~', first + 1);
  if (second == std::string_view::npos || second + 2 != value.size()) return text({});
  std::string_view name;
  for (const auto& [one, number] : protocols)
    if (number == value.back()) name = one;
  if (name.empty()) return text({});
  step.put("sip:");
  step.put(value.substr(0, first));
  step.put(':');
  step.put(value.substr(first + 1, second - first - 1));
  if (name != "udp") {
    step.put(";transport=");
    step.put(name);
  }
  const V built = step.built();
  return Uri::parse(built.text) ? built : text({});
}

const TransformationClass table[] = {
    {"uri.scheme", "", "scheme of the URI; null, as of all of these, if the text is no URI", uri_part<&Uri::scheme_name>},
    {"uri.user", "", "user", uri_part<&Uri::user>},
    {"uri.passwd", "", "password", uri_part<&Uri::password>},
    {"uri.host", "", "host", uri_part<&Uri::host>},
    {"uri.port", "", "port, a number, 0 if there is none", uri_port},
    {"uri.params", "", "all parameters", uri_params},
    {"uri.param", "s", "value of a parameter", uri_param},
    {"uri.headers", "", "headers", uri_part<&Uri::headers>},
    {"uri.transport", "", "value of the transport parameter", uri_named_param<transport>},
    {"uri.ttl", "", "value of the ttl parameter", uri_named_param<ttl>},
    {"uri.uparam", "", "value of the user parameter", uri_named_param<user>},
    {"uri.maddr", "", "value of the maddr parameter", uri_named_param<maddr>},
    {"uri.method", "", "value of the method parameter", uri_named_param<method>},
    {"uri.lr", "", "value of the lr parameter", uri_named_param<lr>},
    {"uri.r2", "", "value of the r2 parameter", uri_named_param<r2>},
    {"uri.tosocket", "", "`tcp:host:port`, empty without a transport parameter", uri_socket},
    {"uri.duri", "", "scheme, host, port and transport", [](Step& s) { return uri_short(s, false, true); }},
    {"uri.saor", "", "scheme, user and host", [](Step& s) { return uri_short(s, true, false); }},
    {"uri.suri", "", "scheme, user, host, port and transport", [](Step& s) { return uri_short(s, true, true); }},
    {"nameaddr.name", "", "what stands before the <, spaces included",
     [](Step& s) {
       const auto address = parse_address(s);
       return address ? text(address->name) : V{};
     }},
    {"nameaddr.uri", "", "what stands between < and >, or all",
     [](Step& s) {
       const auto address = parse_address(s);
       return address ? text(address->uri) : V{};
     }},
    {"nameaddr.len", "", "length up to the >, a number",
     [](Step& s) {
       const auto address = parse_address(s);
       return address ? V::of(static_cast<std::int64_t>(address->length)) : V{};
     }},
    {"tobody.uri", "", "URI of a value of From or To",
     [](Step& s) { return to_body(s, [](const auto& address, const Uri&) { return address.uri; }); }},
    {"tobody.user", "", "user of that URI", [](Step& s) { return to_body(s, [](const auto&, const Uri& uri) { return uri.user; }); }},
    {"tobody.host", "", "host of that URI", [](Step& s) { return to_body(s, [](const auto&, const Uri& uri) { return uri.host; }); }},
    {"tobody.tag", "", "tag", [](Step& s) { return to_body(s, [](const auto& address, const Uri&) { return address.tag; }); }},
    {"tobody.display", "", "display name as written",
     [](Step& s) { return to_body(s, [](const auto& address, const Uri&) { return address.display; }); }},
    {"tobody.params", "", "parameters of the header",
     [](Step& s) { return to_body(s, [](const auto& address, const Uri&) { return without_semicolon(address.params); }); }},
    {"urialias.encode", "", "`host~port~protocol` of a URI", encode_alias},
    {"urialias.decode", "", "the URI of `host~port~protocol`, empty if it is none", decode_alias},
};

}  // namespace

std::span<const TransformationClass> sip_transformations() {
  return table;
}

}  // namespace perdure::script

// KSR.siputils: Contacts that name this server and carry where they lead, in the user part or in a parameter.
#include <time.h>

#include <array>
#include <cstdlib>

#include "base/case.hpp"
#include "script/base64.hpp"
#include "script/ksr/contact_edits.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/params.hpp"

namespace perdure::script {
namespace {

constexpr char separator = '*';

std::string_view transport_in(const sip::Uri& uri) {
  return uri.param("transport").value_or(std::string_view{});
}

// "sip:alice:pw@192.0.2.1:5060;transport=tcp" as "sip:PREFIX*alice*pw*192.0.2.1*5060*tcp@HOST".
std::optional<std::string> in_user(std::string_view text, std::string_view prefix, std::string_view host) {
  const auto uri = sip::Uri::parse(text);
  if (!uri || uri->scheme != sip::Scheme::Sip) return std::nullopt;
  const std::string port = uri->port ? std::to_string(uri->port) : std::string();
  std::string out = "sip:" + std::string(prefix);
  for (const std::string_view part : {uri->user, uri->password, uri->host, std::string_view(port), transport_in(*uri)})
    out.append(1, separator).append(part);
  return out.append("@").append(host);
}

// The result, or a number below 0 as Kamailio has it.
struct Decoded {
  int status = 1;
  std::string uri = {};
};

Decoded from_user(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {-22};
  const std::size_t at = text.find('@', colon);
  if (at == std::string_view::npos) return {-23};
  std::array<std::string_view, 6> parts;  // prefix, user, password, host, port, transport
  std::string_view rest = text.substr(colon + 1, at - colon - 1);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t end = rest.find(separator);
    if ((end == std::string_view::npos) != (i + 1 == parts.size())) return {end == std::string_view::npos ? -26 : -24};
    parts[i] = rest.substr(0, end);
    if (end != std::string_view::npos) rest.remove_prefix(end + 1);
  }
  const auto& [prefix, user, password, host, port, transport] = parts;
  if (host.empty()) return {-2};
  if (!password.empty() && user.empty()) return {-3};
  std::string out(text.substr(0, colon + 1));
  if (!user.empty()) out.append(user).append(password.empty() ? "" : ":").append(password).append("@");
  out.append(host);
  if (!port.empty()) out.append(":").append(port);
  if (!transport.empty()) out.append(";transport=").append(transport);
  const std::size_t tail = text.find(';', at);
  if (tail != std::string_view::npos) out.append(text.substr(tail));
  if (!sip::Uri::parse(out)) return {-2};
  return {1, std::move(out)};
}

// What a parameter of the URI carries; empty: there is no such parameter.
Decoded from_parameter(std::string_view text, std::string_view name) {
  const auto uri = sip::Uri::parse(text);
  const auto value = uri ? uri->param(name) : std::nullopt;
  if (!value || value->empty()) return {};
  std::string out;
  if (!decode_base64(*value, base64url_alphabet, false, [&](char c) { out += c; }) || !sip::Uri::parse(out)) return {-1};
  return {1, std::move(out)};
}

int encode_contact(Call& call) {
  bool failed = false;
  if (!sip::Uri::parse("sip:" + std::string(call.text(1)))) return call.fail("\"" + std::string(call.text(1)) + "\" is no host");
  (void)change_contacts(call, [&](std::string_view uri) {
    auto encoded = in_user(uri, call.text(0), call.text(1));
    failed = failed || !encoded || !sip::Uri::parse(*encoded);
    return failed ? std::nullopt : encoded;
  });
  return failed || !header_at(call.message(), "Contact", 0) ? -1 : 1;
}

template <Decoded (*decode)(Call& call, std::string_view uri)>
int decode_contacts(Call& call) {
  int status = 1;
  (void)change_contacts(call, [&](std::string_view uri) -> std::optional<std::string> {
    Decoded decoded = decode(call, uri);
    if (decoded.status < 0 && status > 0) status = decoded.status;
    return decoded.uri.empty() ? std::nullopt : std::optional(std::move(decoded.uri));
  });
  return status;
}

template <Decoded (*decode)(Call& call, std::string_view uri)>
int decode_request_uri(Call& call) {
  const Decoded decoded = decode(call, request_uri(call));
  if (decoded.status < 0 || decoded.uri.empty()) return decoded.status;
  return set_request_uri(call, decoded.uri) ? 1 : -1;
}

Decoded user_of(Call&, std::string_view uri) {
  return from_user(uri);
}
Decoded parameter_of(Call& call, std::string_view uri) {
  return from_parameter(uri, call.text(0));
}

int encode_contact_parameter(Call& call) {
  if (!sip::Uri::parse(call.text(1))) return call.fail("\"" + std::string(call.text(1)) + "\" is no URI");
  (void)change_contacts(call, [&](std::string_view uri) {
    std::string parameter = ";" + std::string(call.text(0)) + "=";
    encode_base64(uri, base64url_alphabet, false, [&](char c) { parameter += c; });
    return with_parameter(call.text(1), parameter);
  });
  return 1;
}

int remove_contact_parameter(Call& call) {
  (void)change_contacts(call, [&](std::string_view uri) -> std::optional<std::string> {
    const auto parsed = sip::Uri::parse(uri);
    return parsed && parsed->has_param(call.text(0)) ? std::optional(without_parameter(uri, call.text(0))) : std::nullopt;
  });
  return 1;
}

// RFC 3261 20.17.
int check_date(Call& call) {
  const auto* field = header_at(call.message(), "Date", 0);
  if (!field) return -1;
  const std::string value(call.message().value(*field));
  tm date{};
  const char* const end = strptime(value.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (!end || *end != '\0') return -1;
  return std::abs(call.vm.wall_us() / 1'000'000 - timegm(&date)) <= call.number(0) ? 1 : -4;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"siputils", "encode_contact", "string prefix, string host", integer, routes::any,
     "Each Contact URI becomes `sip:PREFIX*user*password*host*port*transport@HOST`. -1: there is no Contact, or it is no sip URI.",
     "What is no host is a script error. Contacts of all Contact headers. Below 0 is always -1.", encode_contact},
    {"siputils", "decode_contact", "", integer, routes::with_request,
     "A Request-URI that encode_contact has made becomes what it was, without parameters but transport. Below 0: it is none.",
     "A result that is no URI: -2.", decode_request_uri<user_of>},
    {"siputils", "decode_contact_header", "", integer, routes::any, "The same with the Contact URIs.",
     "Without a Contact: 1. Contacts of all Contact headers.", decode_contacts<user_of>},
    {"siputils", "contact_param_encode", "string name, string uri", integer, routes::any,
     "Each Contact URI becomes this URI with a parameter of that name, which carries the old one in base64url.",
     "A text that is no URI is a script error.", encode_contact_parameter},
    {"siputils", "contact_param_decode", "string name", integer, routes::any,
     "Contact URIs with that parameter become what it carries. -1: it carries no URI.", "", decode_contacts<parameter_of>},
    {"siputils", "contact_param_decode_ruri", "string name", integer, routes::with_request, "The same with the Request-URI.", "",
     decode_request_uri<parameter_of>},
    {"siputils", "contact_param_rm", "string name", integer, routes::any, "Takes a parameter off the Contact URIs.", "",
     remove_contact_parameter},
    {"siputils", "hdr_date_check", "int seconds", integer, routes::any,
     "Date is at most so far from now: 1; -4: it is farther, -1: there is none that can be read.", "", check_date},
};

}  // namespace

std::span<const Function> siputils_contact_functions() {
  return table;
}

}  // namespace perdure::script

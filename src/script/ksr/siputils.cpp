// KSR.siputils: tests of messages and URIs.
#include <algorithm>

#include "base/case.hpp"
#include "script/ksr/uri_access.hpp"
#include "sip/chars.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace perdure::script {
namespace {

int truth(bool value) {
  return value ? 1 : -1;
}

int is_first_hop(Call& call) {
  const auto& message = call.message();
  if (message.is_request()) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& value : message.values(sip::HeaderName::Via)) ++count;
    return truth(count == 1);
  }
  // A reply: we were the last to record the route, so it comes from the callee's side without a proxy of ours between.
  for (const auto& value : message.values(sip::HeaderName::RecordRoute)) {
    const auto address = sip::NameAddr::parse(value.text);
    return truth(address && call.context().is_myself_uri(address->uri));
  }
  return -1;
}

// "+" and 2 to 15 digits.
bool is_e164(std::string_view text) {
  return text.size() >= 3 && text.size() <= 16 && text[0] == '+' && sip::chars::all(text.substr(1), sip::chars::digit);
}

bool is_telephone_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && sip::chars::all(text, sip::chars::digit);
}

int is_uri_user_e164(Call& call) {
  const auto uri = sip::Uri::parse(call.text(0));
  return truth(uri && is_e164(uri->user));
}

enum class Wanted { NoValue, Value, Any };
template <Wanted wanted>
int uri_param(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  const auto found = uri ? uri->param(call.text(0)) : std::nullopt;
  if (!found || wanted == Wanted::Any) return truth(found.has_value());
  return truth(wanted == Wanted::NoValue ? found->empty() : *found == call.text(1));
}

// The Request-URI with other parameters.
int set_params(Call& call, const std::string& params) {
  const std::string_view whole = request_uri(call);
  const auto uri = sip::Uri::parse(whole);
  if (!uri) return -1;
  const auto at = uri->params.empty() ? whole.size() - (uri->has_headers ? uri->headers.size() + 1 : 0)
                                      : static_cast<std::size_t>(uri->params.data() - whole.data());
  std::string changed(whole.substr(0, at));
  changed += params;
  changed += whole.substr(at + uri->params.size());
  return set_request_uri(call, changed) ? 1 : -1;
}
int add_uri_param(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (!uri || call.text(0).empty()) return -1;
  return set_params(call, std::string(uri->params) + ";" + std::string(call.text(0)));
}
int remove_uri_param(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (!uri || !uri->has_param(call.text(0))) return -1;
  std::string kept;
  sip::ParamReader reader(uri->params);
  while (const auto param = reader.next())
    if (!equals_ignore_case(param->name, call.text(0))) kept.append(";").append(param->text);
  return set_params(call, kept);
}

bool is_alphanumeric(std::string_view text, std::string_view others) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return sip::chars::is(c, sip::chars::alpha | sip::chars::digit) || others.find(c) != std::string_view::npos;
  });
}

// User, host and port are the same; the default port is one that is not given.
int compare_addresses(Call& call) {
  const auto a = sip::Uri::parse(call.text(0)), b = sip::Uri::parse(call.text(1));
  const auto port = [](const sip::Uri& uri) { return uri.port ? uri.port : uri.scheme == sip::Scheme::Sips ? 5061 : 5060; };
  return truth(a && b && a->scheme == b->scheme && a->user == b->user && equals_ignore_case(a->host, b->host) && port(*a) == port(*b));
}

int compare_header_names(Call& call) {
  const auto a = sip::header_name_from(call.text(0)), b = sip::header_name_from(call.text(1));
  return truth(a == b && (a != sip::HeaderName::Other || equals_ignore_case(call.text(0), call.text(1))));
}

int compare_uris(Call& call) {
  const auto a = sip::Uri::parse(call.text(0)), b = sip::Uri::parse(call.text(1));
  return truth(a && b && equivalent(*a, *b));
}

// Lets probes be answered: an OPTIONS for the server itself, not for a user.
int options_reply(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (call.message().method() != sip::Method::Options || !uri || !uri->user.empty()) return -1;
  call.context().upstream_headers += "Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n";
  return call.context().send_reply(200, "OK");
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"siputils", "has_totag", "", integer, routes::any, "To has a tag: the request belongs to a dialog.", "",
     [](Call& call) { return truth(call.message().to() && !call.message().to()->tag.empty()); }},
    {"siputils", "is_request", "", integer, routes::any, "The message is a request.", "",
     [](Call& call) { return truth(call.message().is_request()); }},
    {"siputils", "is_reply", "", integer, routes::any, "The message is a reply.", "",
     [](Call& call) { return truth(call.message().is_response()); }},
    {"siputils", "is_first_hop", "", integer, routes::any,
     "A request: it comes straight from the caller, with one Via. A reply: the top Record-Route is ours.",
     "For a reply the source address is not compared.", is_first_hop},
    {"siputils", "options_reply", "", integer, routes::request,
     "Answers an OPTIONS whose Request-URI has no user with 200, Accept, Accept-Encoding, Accept-Language and Supported; -1 for other "
     "requests.",
     "", options_reply},
    {"siputils", "is_uri", "string uri", integer, routes::any, "The text is a well-formed URI.", "",
     [](Call& call) { return truth(sip::Uri::parse(call.text(0)).has_value()); }},
    {"siputils", "is_numeric", "string text", integer, routes::any, "The text is digits only.", "",
     [](Call& call) { return !call.text(0).empty() && sip::chars::all(call.text(0), sip::chars::digit) ? 1 : -2; }},
    {"siputils", "is_tel_number", "string text", integer, routes::any, "The text is digits, with or without + before them.", "",
     [](Call& call) { return is_telephone_number(call.text(0)) ? 1 : -2; }},
    {"siputils", "is_e164", "string text", integer, routes::any, "The text is + and 2 to 15 digits.", "",
     [](Call& call) { return truth(is_e164(call.text(0))); }},
    {"siputils", "is_uri_user_e164", "string uri", integer, routes::any, "The user of the URI is + and 2 to 15 digits.", "",
     is_uri_user_e164},
    {"siputils", "is_alphanum", "string text", integer, routes::any, "The text is letters and digits only.", "",
     [](Call& call) { return truth(is_alphanumeric(call.text(0), {})); }},
    {"siputils", "is_alphanumex", "string text, string others", integer, routes::any, "The text is letters, digits and those others only.",
     "", [](Call& call) { return truth(is_alphanumeric(call.text(0), call.text(1))); }},
    {"siputils", "uri_param", "string name", integer, routes::with_request, "The Request-URI has that parameter, without a value.", "",
     uri_param<Wanted::NoValue>},
    {"siputils", "uri_param_value", "string name, string value", integer, routes::with_request,
     "The Request-URI has that parameter with that value.", "", uri_param<Wanted::Value>},
    {"siputils", "uri_param_any", "string name", integer, routes::with_request,
     "The Request-URI has that parameter, with or without a value.", "", uri_param<Wanted::Any>},
    {"siputils", "add_uri_param", "string parameter", integer, routes::with_request, "Adds a parameter, `name=value`, to the Request-URI.",
     "A text that makes no URI is a script error.", add_uri_param},
    {"siputils", "uri_param_rm", "string name", integer, routes::with_request, "Takes a parameter off the Request-URI.", "",
     remove_uri_param},
    {"siputils", "is_gruu", "", integer, routes::with_request, "The Request-URI is a GRUU: it has the parameter gr.", "",
     [](Call& call) {
       const auto uri = sip::Uri::parse(request_uri(call));
       return truth(uri && uri->has_param("gr"));
     }},
    {"siputils", "cmp_aor", "string a, string b", integer, routes::any, "The URIs have the same scheme, user, host and port.", "",
     compare_addresses},
    {"siputils", "cmp_hdr_name", "string a, string b", integer, routes::any, "The names mean the same header, compact forms included.", "",
     compare_header_names},
    {"siputils", "cmp_uri", "string a, string b", integer, routes::any, "The URIs are equivalent (RFC 3261 19.1.4).", "", compare_uris},
};

}  // namespace

std::span<const Function> siputils_functions() {
  return table;
}

}  // namespace perdure::script

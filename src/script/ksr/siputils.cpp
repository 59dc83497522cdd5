// KSR.siputils: tests of messages and URIs.
#include <algorithm>

#include "script/ksr/uri_access.hpp"
#include "sip/chars.hpp"
#include "sip/name_addr.hpp"

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

int uri_param(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (!uri) return -1;
  const auto found = uri->param(call.text(0));
  return truth(found && (!call.has(1) || *found == call.text(1)));
}

int compare_uris(Call& call) {
  const auto a = sip::Uri::parse(call.text(0)), b = sip::Uri::parse(call.text(1));
  return truth(a && b && equivalent(*a, *b));
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
    {"siputils", "is_uri", "string uri", integer, routes::any, "The text is a well-formed URI.", "",
     [](Call& call) { return truth(sip::Uri::parse(call.text(0)).has_value()); }},
    {"siputils", "is_numeric", "string text", integer, routes::any, "The text is digits only.", "",
     [](Call& call) { return truth(!call.text(0).empty() && sip::chars::all(call.text(0), sip::chars::digit)); }},
    {"siputils", "is_tel_number", "string text", integer, routes::any, "The text is digits, with or without + before them.", "",
     [](Call& call) { return truth(is_telephone_number(call.text(0))); }},
    {"siputils", "is_e164", "string text", integer, routes::any, "The text is + and 2 to 15 digits.", "",
     [](Call& call) { return truth(is_e164(call.text(0))); }},
    {"siputils", "is_uri_user_e164", "string uri", integer, routes::any, "The user of the URI is + and 2 to 15 digits.", "",
     is_uri_user_e164},
    {"siputils", "uri_param", "string name", integer, routes::with_request, "The Request-URI has that parameter.", "", uri_param},
    {"siputils", "uri_param_value", "string name, string value", integer, routes::with_request,
     "The Request-URI has that parameter with that value.", "", uri_param},
    {"siputils", "cmp_uri", "string a, string b", integer, routes::any, "The URIs are equivalent (RFC 3261 19.1.4).", "", compare_uris},
};

}  // namespace

std::span<const Function> siputils_functions() {
  return table;
}

}  // namespace perdure::script

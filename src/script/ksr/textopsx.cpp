// KSR.textopsx: values of list headers, the body, wildcards.
#include <fnmatch.h>

#include "base/case.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/uri_access.hpp"

namespace perdure::script {
namespace {

// Calls back with each comma-separated value of the headers of that name, parameters included, until it returns true.
template <class Each>
bool any_value(const sip::Message& message, std::string_view name, Each each) {
  int index = 0;
  for (const auto* field = header_at(message, name, 0); field; field = header_at(message, name, ++index))
    for (const auto& value : sip::ValueRange(message.bytes(), {field, 1}, field->name))
      if (each(value)) return true;
  return false;
}

bool is_value(const sip::Value& value, std::string_view wanted) {
  return equals_ignore_case(value.text, wanted) || equals_ignore_case(value.text.substr(0, value.text.find(';')), wanted);
}

int value_exists(Call& call) {
  return any_value(call.message(), call.text(0), [&](const sip::Value& value) { return is_value(value, call.text(1)); }) ? 1 : -1;
}

int include_value(Call& call) {
  if (value_exists(call) > 0) return 1;
  return append_header(call, std::string(call.text(0)) + ": " + std::string(call.text(1)));
}

int exclude_value(Call& call) {
  using enum sip::HeaderName;
  const auto known = sip::header_name_from(call.text(0));
  for (const auto needed : {Via, From, To, CallId, CSeq, MaxForwards, ContentLength, Route, RecordRoute})
    if (known == needed) return call.fail("not of " + std::string(call.text(0)));
  int removed = -1;
  any_value(call.message(), call.text(0), [&](const sip::Value& value) {
    if (is_value(value, call.text(1))) {
      call.context().edits->remove_value(value);
      removed = 1;
    }
    return false;
  });
  return removed;
}

int matches_wildcard(Call& call, int flags) {
  const std::string text(call.text(0)), pattern(call.text(1));
  return ::fnmatch(pattern.c_str(), text.c_str(), flags) == 0 ? 0 : -1;
}

int remove_body(Call& call) {
  call.context().edits->set_body({}, {});
  return 1;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"textopsx", "hf_value_exists", "string name, string value", integer, routes::any,
     "A header of that name has the value in its list, without regard to case and parameters.", "", value_exists},
    {"textopsx", "include_hf_value", "string name, string value", integer, routes::any,
     "Appends a header with the value if none of that name has it.", "", include_value},
    {"textopsx", "exclude_hf_value", "string name, string value", integer, routes::any,
     "Takes the value out of the headers of that name; -1 if it is in none.",
     "Not of headers that a message cannot do without, Route and "
     "Record-Route: a script error.",
     exclude_value},
    {"textopsx", "remove_body", "", integer, routes::any, "Removes the body and Content-Type; Content-Length follows.", "", remove_body},
    {"textopsx", "fnmatch", "string text, string pattern", integer, routes::any,
     "Compares a text with a shell pattern, `*`, `?`, `[…]`: 0 if it matches, else -1.", "",
     [](Call& call) { return matches_wildcard(call, 0); }},
    {"textopsx", "fnmatch_ex", "string text, string pattern, string flags", integer, routes::any,
     "The same; flag i ignores upper and lower case.", "",
     [](Call& call) { return matches_wildcard(call, call.text(2).find('i') == std::string_view::npos ? 0 : FNM_CASEFOLD); }},
};

}  // namespace

std::span<const Function> textopsx_functions() {
  return table;
}

}  // namespace perdure::script

// KSR.textops: the older names for headers, and searches in the text of the message.
#include "base/case.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int search(Call& call, std::string_view text) {
  switch (call.vm.regexes().match(call.text(0), text)) {
    case RegexCache::Match::Yes:
      return 1;
    case RegexCache::Match::No:
      return -1;
    case RegexCache::Match::BadPattern:
      break;
  }
  return call.fail("\"" + std::string(call.text(0)) + "\" is no regular expression");
}

int has_body_type(Call& call) {
  const auto* field = call.message().find(sip::HeaderName::ContentType);
  if (!field || call.message().body().empty()) return -1;
  std::string_view type = call.message().value(*field);
  type = type.substr(0, type.find_first_of("; \t"));
  return equals_ignore_case(type, call.text(0)) ? 1 : -1;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"textops", "has_body", "", integer, routes::any, "The message has a body.", "",
     [](Call& call) { return call.message().body().empty() ? -1 : 1; }},
    {"textops", "has_body_type", "string type", integer, routes::any, "The body is of that type, `application/sdp`.", "", has_body_type},
    {"textops", "is_present_hf", "string name", integer, routes::any, "The same as hdr.is_present.", "",
     [](Call& call) { return header_present(call, call.text(0)); }},
    {"textops", "append_hf", "string lines", integer, routes::any, "The same as hdr.append.", "",
     [](Call& call) { return append_header(call, call.text(0)); }},
    {"textops", "remove_hf", "string name", integer, routes::any, "The same as hdr.remove.", "",
     [](Call& call) { return remove_header(call, call.text(0)); }},
    {"textops", "search", "string expression", integer, routes::any, "A regular expression is found in the message as received.",
     "A bad expression is a script error.", [](Call& call) { return search(call, call.message().bytes()); }},
    {"textops", "search_body", "string expression", integer, routes::any, "A regular expression is found in the body.",
     "A bad expression is a script error.", [](Call& call) { return search(call, call.message().body()); }},
};

}  // namespace

std::span<const Function> textops_functions() {
  return table;
}

}  // namespace perdure::script

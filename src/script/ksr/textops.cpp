// KSR.textops: the older names for headers, searches in the text of the message, and comparisons of texts.
#include <algorithm>

#include "base/case.hpp"
#include "script/ksr/expressions.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/sdp_access.hpp"
#include "script/ksr/textops_changes.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/chars.hpp"

namespace perdure::script {
namespace {

int search(Call& call, std::string_view text) {
  return matches(call, text, RegexCache::Lines::Yes);
}

int has_body_type(Call& call) {
  const auto* field = call.message().find(sip::HeaderName::ContentType);
  if (!field || call.message().body().empty()) return -1;
  std::string_view type = call.message().value(*field);
  type = type.substr(0, type.find_first_of("; \t"));
  return equals_ignore_case(type, call.text(0)) ? 1 : -1;
}

int truth(bool value) {
  return value ? 1 : -1;
}

// Whether the expression of argument `index` is found in the text; nullopt after call.fail().
std::optional<bool> argument_matches(Call& call, std::size_t index, std::string_view text) {
  const auto match = call.vm.regexes().match(call.text(index), text, RegexCache::Lines::Yes);
  if (match != RegexCache::Match::BadPattern) return match == RegexCache::Match::Yes;
  (void)bad_expression(call, call.text(index));
  return std::nullopt;
}

// KSR.textops.search_hf(name, expression, which): f the first header of that name, l the last, a any.
int search_header(Call& call) {
  const char which = call.text(2).empty() ? 'a' : call.text(2).front();
  const auto count = static_cast<int>(header_count(call.message(), call.text(0)));
  for (int i = which == 'l' ? count - 1 : 0; i >= 0 && i < (which == 'f' ? std::min(count, 1) : count); ++i) {
    const auto found = argument_matches(call, 1, call.message().value(*header_at(call.message(), call.text(0), i)));
    if (!found) return -1;
    if (*found) return 1;
  }
  return -1;
}

int header_name_matches(Call& call) {
  for (const auto& field : call.message().headers()) {
    const auto found = argument_matches(call, 0, call.message().name(field));
    if (!found) return -1;
    if (*found) return 1;
  }
  return -1;
}

bool may_go(const sip::HeaderField& field) {
  return !is_needed(field.name);
}

// Those whose name matches argument 0; with `except` not those whose name matches argument 1.
int remove_matching(Call& call, bool except) {
  int removed = -1;
  for (const auto& field : call.message().headers()) {
    const auto found = argument_matches(call, 0, call.message().name(field));
    const auto kept = found && *found && except ? argument_matches(call, 1, call.message().name(field)) : std::optional(false);
    if (!found || !kept) return -1;
    if (!*found || *kept || !may_go(field)) continue;
    call.context().edits->remove(field);
    removed = 1;
  }
  return removed;
}

int remove_at(Call& call) {
  const auto* field = header_at(call.message(), call.text(0), static_cast<int>(std::clamp<std::int64_t>(call.number(1), -1000, 1000)));
  if (!field) return -1;
  if (!may_go(*field)) return call.fail("a message cannot do without " + std::string(call.text(0)));
  call.context().edits->remove(*field);
  return 1;
}

// One of a list of texts; with `prefix` the text starts with one.
int in_list(Call& call, bool prefix) {
  const std::string_view wanted = call.text(0);
  if (call.text(2).size() != 1) return call.fail("the separator is one character");
  for (std::string_view rest = call.text(1); !wanted.empty() && !rest.empty();) {
    const std::size_t end = rest.find(call.text(2).front());
    const std::string_view one = sip::chars::trim(rest.substr(0, end));
    if (prefix ? !one.empty() && wanted.starts_with(one) : wanted == one) return 1;
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return -1;
}

// The position counted from 1, -2 if it is not in it.
int find_text(Call& call, bool ignore_case) {
  const std::string_view text = call.text(0), wanted = call.text(1);
  for (std::size_t i = 0; i + wanted.size() <= text.size(); ++i) {
    const std::string_view piece = text.substr(i, wanted.size());
    if (ignore_case ? equals_ignore_case(piece, wanted) : piece == wanted) return static_cast<int>(i) + 1;
  }
  return -2;
}

// RFC 3323 4.2.
int asks_privacy(Call& call) {
  for (const auto& field : call.message().headers()) {
    if (field.name != sip::HeaderName::Privacy) continue;
    for (std::string_view rest = call.message().value(field); !rest.empty();) {
      const std::size_t end = rest.find(';');
      if (equals_ignore_case(sip::chars::trim(rest.substr(0, end)), call.text(0))) return 1;
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
  }
  return -1;
}

int set_body(Call& call) {
  if (call.text(1).empty() || !is_one_line(call.text(1))) return call.fail("a body needs a Content-Type");
  call.context().edits->set_body(call.text(1), call.text(0));
  return 1;
}

// The text with the expression applied; nullopt: it does not match, or after call.fail().
std::optional<std::string> substituted(Call& call, std::string_view expression, std::string_view text) {
  std::string error, out, replacement;
  const auto* substitution = call.vm.substitution(expression, error);
  if (!substitution) {
    (void)call.fail(std::move(error));
    return std::nullopt;
  }
  std::size_t written = 0;
  const int matches = substitution->run(call, text, replacement, [&](std::size_t begin, std::size_t end, std::string_view with) {
    out.append(text.substr(written, begin - written)).append(with);
    written = end;
  });
  if (matches <= 0) return std::nullopt;
  return out += text.substr(written);
}

int substitute_uri(Call& call) {
  const auto changed = substituted(call, call.text(0), request_uri(call));
  return changed && set_request_uri(call, *changed) ? 1 : -1;
}
int substitute_user(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  const auto changed = uri ? substituted(call, call.text(0), uri->user) : std::nullopt;
  return changed && set_request_uri_part(call, UriPart::User, *changed) ? 1 : -1;
}

// In place, so that several substitutions of one body add up; what one has replaced another does not see.
int substitute_body(Call& call) {
  std::string error, replacement;
  const auto* substitution = call.vm.substitution(call.text(0), error);
  if (!substitution) return call.fail(std::move(error));
  const std::string_view body = call.message().body();
  const std::size_t start = call.message().bytes().size() - body.size();
  const int count = substitution->run(call, body, replacement, [&](std::size_t begin, std::size_t end, std::string_view with) {
    call.context().edits->replace_range(static_cast<std::uint32_t>(start + begin), static_cast<std::uint32_t>(start + end), with);
  });
  return truth(count > 0);
}

// KSR.textops.subst_hf(name, expression, which): f the first header of that name, l the last, a all.
int substitute_header(Call& call) {
  const char which = call.text(2).empty() ? 'a' : call.text(2).front();
  const auto count = static_cast<int>(header_count(call.message(), call.text(0)));
  int result = -1;
  for (int i = which == 'l' ? count - 1 : 0; i >= 0 && i < (which == 'f' ? std::min(count, 1) : count); ++i) {
    const auto* field = header_at(call.message(), call.text(0), i);
    if (!may_go(*field)) return call.fail("not of " + std::string(call.text(0)));
    const auto changed = substituted(call, call.text(1), call.message().value(*field));
    if (!changed) continue;
    if (!is_one_line(*changed)) return call.fail("a line break cannot stand there");
    call.context().edits->replace_value(*field, *changed);
    result = 1;
  }
  return result;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view kept_whole =
    "Via, Call-ID, CSeq, Max-Forwards and Content-Length are passed over; a bad expression, and a text that would break header lines, is a "
    "script error.";
constexpr std::string_view as_expression = "A bad expression is a script error.";

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
    {"textops", "search_str", "string text, string expression", integer, routes::any, "A regular expression is found in the text.",
     "A bad expression is a script error.",
     [](Call& call) {
       const auto found = argument_matches(call, 1, call.text(0));
       return truth(found && *found);
     }},
    {"textops", "search_hf", "string name, string expression, string which", integer, routes::any,
     "A regular expression is found in the value of a header: which is f the first, l the last, a any.",
     "A bad expression is a script error.", search_header},
    {"textops", "is_present_hf_re", "string expression", integer, routes::any, "There is a header whose name matches.",
     "A bad expression is a script error.", header_name_matches},
    {"textops", "remove_hf_re", "string expression", integer, routes::any, "Removes the headers whose name matches; -1 if there is none.",
     "Headers that a message cannot do without, Route and Record-Route stay.", [](Call& call) { return remove_matching(call, false); }},
    {"textops", "remove_hf_exp", "string expression, string except", integer, routes::any,
     "The same without those whose name matches the second expression.",
     "Headers that a message cannot do without, Route and Record-Route stay.", [](Call& call) { return remove_matching(call, true); }},
    {"textops", "remove_hf_idx", "string name, int index", integer, routes::any,
     "Removes the header of that name with that index, negative from the last.", "Not of headers that a message cannot do without.",
     remove_at},
    {"textops", "set_body", "string body, string type", integer, routes::any,
     "Gives the message another body; Content-Type and Content-Length follow.", "", set_body},
    {"textops", "is_privacy", "string type", integer, routes::any, "Privacy asks for that.", "", asks_privacy},
    {"textops", "in_list", "string text, string list, string separator", integer, routes::any, "The text is one of the list.", "",
     [](Call& call) { return in_list(call, false); }},
    {"textops", "in_list_prefix", "string text, string list, string separator", integer, routes::any,
     "The text starts with one of the list.", "", [](Call& call) { return in_list(call, true); }},
    {"textops", "cmp_str", "string a, string b", integer, routes::any, "The texts are the same.", "",
     [](Call& call) { return truth(call.text(0) == call.text(1)); }},
    {"textops", "cmp_istr", "string a, string b", integer, routes::any, "The texts are the same but for upper and lower case.", "",
     [](Call& call) { return truth(equals_ignore_case(call.text(0), call.text(1))); }},
    {"textops", "starts_with", "string text, string start", integer, routes::any, "The text starts with another; -2 if not.", "",
     [](Call& call) { return call.text(0).starts_with(call.text(1)) ? 1 : -2; }},
    {"textops", "ends_with", "string text, string end", integer, routes::any, "The text ends with another; -2 if not.", "",
     [](Call& call) { return call.text(0).ends_with(call.text(1)) ? 1 : -2; }},
    {"textops", "str_find", "string text, string wanted", integer, routes::any,
     "Where a text is in another, counted from 1; -2 if nowhere.", "", [](Call& call) { return find_text(call, false); }},
    {"textops", "str_ifind", "string text, string wanted", integer, routes::any, "The same but for upper and lower case.", "",
     [](Call& call) { return find_text(call, true); }},
    {"textops", "subst_uri", "string expression", integer, routes::with_request,
     "Changes the Request-URI by `/expression/replacement/flags`; -1 if it does not match.", "A result that is no URI is a script error.",
     substitute_uri},
    {"textops", "subst_user", "string expression", integer, routes::with_request, "The same for the user of the Request-URI.",
     "A result that makes no URI is a script error.", substitute_user},
    {"textops", "subst_body", "string expression", integer, routes::any, "The same for the body; Content-Length follows.", "",
     substitute_body},
    {"textops", "subst_hf", "string name, string expression, string which", integer, routes::any,
     "The same for the value of a header: which is f the first, l the last, a all of that name.",
     "Not of headers that a message cannot do without, Route and Record-Route: a script error.", substitute_header},
    {"textops", "remove_hf_match", "string name, string operator, string text", integer, routes::any,
     "Removes the headers of that name whose value compares: operator eq, ne, sw (starts with), in (contains), re (expression); -1 if "
     "there is "
     "none.",
     "Not of headers that a message cannot do without: a script error.", remove_header_by_value},
    {"textops", "search_append", "string expression, string text", integer, routes::any,
     "Inserts the text behind the first match in headers and body; -1 if there is none.", kept_whole,
     [](Call& call) { return search_append(call, Part::Message); }},
    {"textops", "search_append_body", "string expression, string text", integer, routes::any, "The same in the body.", as_expression,
     [](Call& call) { return search_append(call, Part::Body); }},
    {"textops", "replace", "string expression, string text", integer, routes::any,
     "Replaces the first match in headers and body; -1 if there is none.", kept_whole,
     [](Call& call) { return replace_expression(call, Part::Message, false); }},
    {"textops", "replace_all", "string expression, string text", integer, routes::any, "The same for all matches.", kept_whole,
     [](Call& call) { return replace_expression(call, Part::Message, true); }},
    {"textops", "replace_hdrs", "string expression, string text", integer, routes::any, "Replaces the first match in the headers.",
     kept_whole, [](Call& call) { return replace_expression(call, Part::Headers, false); }},
    {"textops", "replace_body", "string expression, string text", integer, routes::any, "Replaces the first match in the body.",
     as_expression, [](Call& call) { return replace_expression(call, Part::Body, false); }},
    {"textops", "replace_body_all", "string expression, string text", integer, routes::any, "Replaces all matches in the body.",
     as_expression, [](Call& call) { return replace_expression(call, Part::Body, true); }},
    {"textops", "replace_body_atonce", "string expression, string text", integer, routes::any,
     "The same as replace_body_all: called by KEMI, lines count in Kamailio, too.", as_expression,
     [](Call& call) { return replace_expression(call, Part::Body, true); }},
    {"textops", "replace_str", "string text, string replacement, string mode", integer, routes::any,
     "Replaces a text in headers and body: mode a everywhere, f the first; -1 if it is nowhere.",
     "Via, Call-ID, CSeq, Max-Forwards and Content-Length are passed over; a text that would break header lines is a script error.",
     [](Call& call) { return replace_text(call, Part::Message); }},
    {"textops", "replace_hdrs_str", "string text, string replacement, string mode", integer, routes::any, "The same in the headers.",
     "As for replace_str.", [](Call& call) { return replace_text(call, Part::Headers); }},
    {"textops", "replace_body_str", "string text, string replacement, string mode", integer, routes::any, "The same in the body.", "",
     [](Call& call) { return replace_text(call, Part::Body); }},
    {"textops", "subst", "string expression", integer, routes::any,
     "Changes headers and body by `/expression/replacement/flags`; -1 if it does not match.", kept_whole, substitute_message},
    {"textops", "filter_body", "string type", integer, routes::any,
     "Leaves the first part of that type of a multipart body; -1 if there is none.", "The part may have other headers than Content-Type.",
     filter_body},
    {"textops", "is_audio_on_hold", "", integer, routes::any,
     "The session description puts its audio on hold: 1 by the address 0.0.0.0, 2 by sendonly or inactive.", "", is_audio_on_hold},
    {"textops", "set_reply_body", "string body, string type", integer, routes::answering,
     "Gives the replies that this callback makes a body.", "", set_reply_body},
    {"textops", "regex_substring", "string text, string expression, int index, int groups, string variable", integer, routes::any,
     "Puts what the group of that index matched into a variable; 0 is the whole match, which counts as a group. -2: it does not match.",
     as_expression, regex_substring},
};

}  // namespace

std::span<const Function> textops_functions() {
  return table;
}

}  // namespace perdure::script

// KSR.textopsx: values of list headers, the body, wildcards.
#include <fnmatch.h>

#include "base/case.hpp"
#include "script/ksr/expressions.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/textops_changes.hpp"
#include "script/ksr/textopsx_parts.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

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

int exclude_value(Call& call) {
  if (is_needed(sip::header_name_from(call.text(0)))) return call.fail("not of " + std::string(call.text(0)));
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

// The message is another one: what points into it ends.
int replaced(Call& call, int result) {
  if (result > 0) {
    call.run.header_iterators.clear();
    call.run.body_iterators.clear();
  }
  return result;
}

// Of the response, within the classes that leave its transaction as it is: a failure stays one, all others stay in their class.
int change_status(Call& call, std::int64_t code, std::string_view reason) {
  const auto old = call.context().status;
  if (!call.message().is_response() || code < 100 || code > 699 || !is_one_line(reason)) return -1;
  if ((code < 300 || old < 300) && code / 100 != old / 100) return -1;
  call.context().edits->set_status(static_cast<std::uint16_t>(code), reason);
  call.context().status = static_cast<std::uint16_t>(code);
  return 1;
}

// Removes all headers but those that every message needs, and those whose name matches argument 0.
int keep_headers(Call& call) {
  using enum sip::HeaderName;
  for (const auto& field : call.message().headers()) {
    if (is_needed(field.name) || field.name == ContentType || field.name == Contact) continue;
    if (call.has(0)) {
      const auto match = call.vm.regexes().match(call.text(0), call.message().name(field), RegexCache::Lines::Yes);
      if (match == RegexCache::Match::BadPattern) return bad_expression(call, call.text(0));
      if (match == RegexCache::Match::Yes) continue;
    }
    call.context().edits->remove(field);
  }
  return 1;
}

constexpr auto integer = Returns::Integer;
constexpr auto value = Returns::Value;
constexpr std::string_view in_time = "-1, and the message stays as it is, if nothing well-formed comes out; Kamailio ends the script.";
constexpr std::string_view not_needed = "Not of headers that a message cannot do without, Route and Record-Route: a script error.";

const Function table[] = {
    {"textopsx", "hf_value_exists", "string name, string value", integer, routes::any,
     "A header of that name has the value in its list, without regard to case and parameters.", "", value_exists},
    {"textopsx", "include_hf_value", "string name, string value", integer, routes::any,
     "Adds the value to the first header of that name, or a header with it, if none of that name has it.", "", include_header_value},
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
    {"textopsx", "msg_apply_changes", "", integer, routes::request | routes::reply,
     "The changes so far become the message: later reads see them. -1 once the request has a transaction, also by a function that waits.",
     in_time, [](Call& call) { return replaced(call, call.context().apply_changes()); }},
    {"textopsx", "msg_set_buffer", "string message", integer, routes::request | routes::reply,
     "That text becomes the message. -1 once the request has a transaction.",
     "Call-ID, CSeq, top Via and the class of a response must stay: -1.",
     [](Call& call) { return replaced(call, call.context().replace_message(std::string(call.text(0)))); }},
    {"textopsx", "change_reply_status", "int code, string reason", integer, routes::reply | routes::on_reply,
     "Changes code and reason of a response; only a failure can get another class, that of another failure, else -1.", "",
     [](Call& call) { return change_status(call, call.number(0), call.text(1)); }},
    {"textopsx", "change_reply_status_code", "int code", integer, routes::reply | routes::on_reply, "The same with the reason as it is.",
     "", [](Call& call) { return change_status(call, call.number(0), call.message().reason()); }},
    {"textopsx", "keep_hf", "", integer, routes::any,
     "Removes all headers but Via, From, To, Call-ID, CSeq, Content-Length, Content-Type, Max-Forwards, Contact, Route and Record-Route.",
     "", keep_headers},
    {"textopsx", "keep_hf_re", "string expression", integer, routes::any, "The same, and those whose name matches stay, too.",
     "A bad expression is a script error.", keep_headers},
    {"textopsx", "append_hf_value", "string header, string value", integer, routes::any,
     "Adds a value behind that of `NAME[INDEX]`, from 1, negative from the last; with `NAME`, or if there is no such value, a header.",
     not_needed, append_header_value},
    {"textopsx", "insert_hf_value", "string header, string value", integer, routes::any,
     "Adds a value before that of `NAME[INDEX]`; with `NAME` a header before the first one, or at the end if there is none.", not_needed,
     insert_header_value},
    {"textopsx", "assign_hf_value", "string header, string value", integer, routes::any,
     "Gives the value `NAME[INDEX]`, or its parameter `NAME[INDEX].PARAMETER`, another text; `NAME[*].PARAMETER` that of all values.",
     not_needed, [](Call& call) { return assign_header_value(call, false); }},
    {"textopsx", "assign_hf_value2", "string header, string value", integer, routes::any,
     "The same for headers like Authorization, whose parameters are separated by commas.", not_needed,
     [](Call& call) { return assign_header_value(call, true); }},
    {"textopsx", "remove_hf_value", "string header", integer, routes::any,
     "Removes the value `NAME[INDEX]`, or its parameter `NAME[INDEX].PARAMETER`; `[*]` means all values.", not_needed,
     [](Call& call) { return remove_header_value(call, false); }},
    {"textopsx", "remove_hf_value2", "string header", integer, routes::any,
     "The same for headers like Authorization, whose parameters are separated by commas.", not_needed,
     [](Call& call) { return remove_header_value(call, true); }},
    {"textopsx", "hf_iterator_start", "string name", integer, routes::any,
     "Begins to walk over the headers of the message; -1 if four iterators are there already.", "It ends with the callback.",
     header_iterator_start},
    {"textopsx", "hf_iterator_end", "string name", integer, routes::any, "Ends the iterator.", "", header_iterator_end},
    {"textopsx", "hf_iterator_next", "string name", integer, routes::any, "Goes to the next header; -1 if there is none.", "",
     [](Call& call) { return header_iterator_move(call, 1); }},
    {"textopsx", "hf_iterator_prev", "string name", integer, routes::any, "Goes to the header before; -1 if there is none.", "",
     [](Call& call) { return header_iterator_move(call, -1); }},
    {"textopsx", "hf_iterator_rm", "string name", integer, routes::any, "Removes the header.", not_needed, header_iterator_remove},
    {"textopsx", "hf_iterator_append", "string name, string lines", integer, routes::any, "Adds header lines behind the header.", "",
     [](Call& call) { return header_iterator_write(call, true); }},
    {"textopsx", "hf_iterator_insert", "string name, string lines", integer, routes::any, "Adds header lines before the header.", "",
     [](Call& call) { return header_iterator_write(call, false); }},
    {"textopsx", "hf_iterator_hname", "string name", value, routes::any, "The name of the header.", "", header_iterator_name},
    {"textopsx", "hf_iterator_hbody", "string name", value, routes::any, "The value of the header.", "", header_iterator_value},
    {"textopsx", "bl_iterator_start", "string name", integer, routes::any,
     "Begins to walk over the lines of the body; -1 if four iterators are there already.", "It ends with the callback.",
     body_iterator_start},
    {"textopsx", "bl_iterator_end", "string name", integer, routes::any, "Ends the iterator.", "", body_iterator_end},
    {"textopsx", "bl_iterator_next", "string name", integer, routes::any, "Goes to the next line; -1 if there is none.", "",
     body_iterator_next},
    {"textopsx", "bl_iterator_rm", "string name", integer, routes::any, "Removes the line.", "", body_iterator_remove},
    {"textopsx", "bl_iterator_append", "string name, string text", integer, routes::any, "Adds a text behind the line.", "",
     [](Call& call) { return body_iterator_write(call, true); }},
    {"textopsx", "bl_iterator_insert", "string name, string text", integer, routes::any, "Adds a text before the line.", "",
     [](Call& call) { return body_iterator_write(call, false); }},
    {"textopsx", "bl_iterator_value", "string name", value, routes::any, "The line, with its line end.", "", body_iterator_value},
};

}  // namespace

std::span<const Function> textopsx_functions() {
  return table;
}

}  // namespace perdure::script

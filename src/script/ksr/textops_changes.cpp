#include "script/ksr/textops_changes.hpp"
#include "script/ksr/expressions.hpp"

#include <algorithm>
#include <string>

#include "base/case.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/multipart.hpp"

namespace perdure::script {
namespace {

constexpr std::size_t reply_body_bytes_max = 60'000;

using Lines = RegexCache::Lines;
using Match = RegexCache::Match;

struct Area {
  std::size_t begin = 0, end = 0;
};

Area area_of(const sip::Message& message, Part part) {
  const std::size_t size = message.bytes().size(), body = size - message.body().size();
  if (part == Part::Body) return {body, size};
  return {message.headers_begin(), part == Part::Headers ? message.headers_end() : size};
}

// The proxy writes these itself or knows a message by them, and the empty line ends the headers.
bool is_fixed(const sip::Message& message, std::size_t begin, std::size_t end) {
  const std::size_t body = message.bytes().size() - message.body().size();
  if (begin < body && end > message.headers_end()) return true;
  using enum sip::HeaderName;
  return std::ranges::any_of(message.headers(), [&](const sip::HeaderField& field) {
    if (begin >= field.end || end <= field.begin) return false;
    return field.name == Via || field.name == CallId || field.name == CSeq || field.name == MaxForwards || field.name == ContentLength;
  });
}

std::string_view without_cr(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// In headers: lines stay lines, and none of them is empty. A match may end before the line feed, with the carriage return.
bool keeps_lines(std::string_view matched, std::string_view text) {
  if (text.find('\0') != std::string_view::npos || matched.ends_with('\n') != text.ends_with('\n')) return false;
  if (matched.ends_with('\r') && text.ends_with('\r')) text = without_cr(text);
  if (text.ends_with('\n')) text.remove_suffix(1);
  text = without_cr(text);
  while (true) {
    const std::size_t end = text.find_first_of("\r\n");
    if (end == std::string_view::npos) return true;
    const std::size_t next = text.substr(end).starts_with("\r\n") ? end + 2 : end + 1;
    if (text[next - 1] != '\n' || next == text.size() || text[next] == '\r' || text[next] == '\n') return false;
    text.remove_prefix(next);
  }
}

// False: it was passed over, or call.fail().
bool change(Call& call, std::size_t begin, std::size_t end, std::string_view text, bool& failed) {
  const auto& message = call.message();
  if (is_fixed(message, begin, end)) return false;
  const std::size_t body = message.bytes().size() - message.body().size();
  if (begin < body && !keeps_lines(message.bytes().substr(begin, end - begin), text)) {
    (void)call.fail("headers must stay lines");
    failed = true;
    return false;
  }
  call.context().edits->replace_range(static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), text);
  return true;
}

}  // namespace

bool is_needed(sip::HeaderName name) {
  using enum sip::HeaderName;
  for (const auto needed : {Via, From, To, CallId, CSeq, MaxForwards, ContentLength, Route, RecordRoute})
    if (name == needed) return true;
  return false;
}

// (expression, text): inserts the text behind the first match.
int search_append(Call& call, Part part) {
  const Area area = area_of(call.message(), part);
  const std::string_view text = call.message().bytes().substr(0, area.end);
  RegexCache::Group found[1];
  switch (call.vm.regexes().find(call.text(0), text, area.begin, Lines::Yes, found)) {
    case Match::BadPattern:
      return bad_expression(call, call.text(0));
    case Match::No:
      return -1;
    case Match::Yes:
      break;
  }
  bool failed = false;
  return change(call, static_cast<std::size_t>(found[0].end), static_cast<std::size_t>(found[0].end), call.text(1), failed) ? 1 : -1;
}

// (expression, text)
int replace_expression(Call& call, Part part, bool all) {
  const Area area = area_of(call.message(), part);
  const std::string_view bytes = call.message().bytes().substr(0, area.end);
  int result = -1;
  bool failed = false;
  for (std::size_t at = area.begin; at < area.end;) {
    RegexCache::Group found[1];
    // The part is a text of its own: ^ matches where it begins.
    const auto match = call.vm.regexes().find(call.text(0), bytes.substr(area.begin), at - area.begin, Lines::Yes, found);
    if (match == Match::BadPattern) return bad_expression(call, call.text(0));
    if (match == Match::No) break;
    const std::size_t begin = area.begin + static_cast<std::size_t>(found[0].begin),
                      end = area.begin + static_cast<std::size_t>(found[0].end);
    if (begin == end) return -1;  // it would go on for ever
    if (change(call, begin, end, call.text(1), failed)) {
      result = 1;
      if (!all) break;
    }
    if (failed) return -1;
    at = end;
  }
  return result;
}

// (text, replacement, mode): a all, otherwise the first.
int replace_text(Call& call, Part part) {
  const Area area = area_of(call.message(), part);
  const std::string_view bytes = call.message().bytes().substr(0, area.end), wanted = call.text(0);
  if (wanted.empty()) return -1;
  const bool all = !call.text(2).empty() && to_lower(call.text(2).front()) == 'a';
  int result = -1;
  bool failed = false;
  for (std::size_t at = bytes.find(wanted, area.begin); at != std::string_view::npos; at = bytes.find(wanted, at + wanted.size())) {
    if (change(call, at, at + wanted.size(), call.text(1), failed)) {
      result = 1;
      if (!all) break;
    }
    if (failed) return -1;
  }
  return result;
}

int substitute_message(Call& call) {
  std::string error, replacement;
  const auto* substitution = call.vm.substitution(call.text(0), error);
  if (!substitution) return call.fail(std::move(error));
  const Area area = area_of(call.message(), Part::Message);
  bool changed = false, failed = false;
  (void)substitution->run(call, call.message().bytes().substr(area.begin), replacement,
                          [&](std::size_t begin, std::size_t end, std::string_view with) {
                            if (!failed && change(call, area.begin + begin, area.begin + end, with, failed)) changed = true;
                          });
  return failed ? -1 : changed ? 1 : -1;
}

// (name, operator, text)
int remove_header_by_value(Call& call) {
  if (is_needed(sip::header_name_from(call.text(0)))) return call.fail("a message cannot do without " + std::string(call.text(0)));
  const std::string_view operation = call.text(1), wanted = call.text(2);
  if (operation != "eq" && operation != "ne" && operation != "in" && operation != "re")
    return call.fail("the operator is eq, ne, in or re");
  int removed = -1;
  for (int i = 0; const auto* field = header_at(call.message(), call.text(0), i); ++i) {
    const std::string_view value = call.message().value(*field);
    bool matches = false;
    if (operation == "re") {
      const auto match = call.vm.regexes().match(wanted, value, Lines::Yes);
      if (match == Match::BadPattern) return bad_expression(call, wanted);
      matches = match == Match::Yes;
    } else if (operation == "eq" || operation == "ne") {
      matches = equals_ignore_case(value, wanted) == (operation == "eq");
    } else {
      for (std::size_t at = 0; !matches && at + wanted.size() <= value.size(); ++at)
        matches = equals_ignore_case(value.substr(at, wanted.size()), wanted);
    }
    if (!matches) continue;
    call.context().edits->remove(*field);
    removed = 1;
  }
  return removed;
}

// (type): leaves the first part of that type of a multipart body.
int filter_body(Call& call) {
  const auto& message = call.message();
  const auto* type = message.find(sip::HeaderName::ContentType);
  const auto boundary = type ? sip::multipart_boundary(message.value(*type)) : std::nullopt;
  if (!boundary) return -1;
  const auto part = sip::find_part(message.body(), *boundary, call.text(0));
  if (!part) return -1;
  const auto offset = [&](std::string_view text) { return static_cast<std::uint32_t>(text.data() - message.bytes().data()); };
  auto& edits = *call.context().edits;
  edits.replace_range(offset(message.body()), offset(part->content), {});
  edits.replace_range(offset(part->content) + static_cast<std::uint32_t>(part->content.size()),
                      static_cast<std::uint32_t>(message.bytes().size()), {});
  return 1;
}

// (text, expression, index, number of groups, variable): the text of the index-th group into the variable.
int regex_substring(Call& call) {
  const std::int64_t index = call.number(2), groups_wanted = call.number(3);
  if (index < 0 || index >= groups_wanted || groups_wanted > 10) return -1;
  RegexCache::Group found[10];
  const auto match = call.vm.regexes().find(call.text(1), call.text(0), 0, Lines::No, found);
  if (match == Match::BadPattern) return bad_expression(call, call.text(1));
  const auto& group = found[index];
  if (match == Match::No || group.begin < 0) return -2;
  std::string error;
  const auto* variable = call.vm.pseudo_variable(call.text(4), error);
  if (!variable) return call.fail(std::move(error));
  const auto begin = static_cast<std::size_t>(group.begin);
  const Value value = Value::of(call.text(0).substr(begin, static_cast<std::size_t>(group.end) - begin));
  return set_value(call, *variable, &value) ? 1 : -1;
}

int set_reply_body(Call& call) {
  if (call.text(0).empty() || call.text(1).empty() || !is_one_line(call.text(1))) return call.fail("a body needs a Content-Type");
  if (call.text(0).size() > reply_body_bytes_max) return call.fail("the body is too large for a datagram");
  call.context().reply_body.assign(call.text(0));
  call.context().reply_content_type.assign(call.text(1));
  return 1;
}

}  // namespace perdure::script

// {s.…}: parts and changes of texts.
#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/case.hpp"
#include "script/transformation.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;

V text(std::string_view value) {
  return V::of(value);
}

V to_integer(Step& step) {
  if (step.input.is_number()) return step.input;
  std::string_view digits = step.text();
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return V::of(number);
}

// {s.substr,offset,length}: a negative offset counts from the end, length 0 or one that is too long means up to the end.
V substring(Step& step) {
  const std::string_view value = step.text();
  const auto size = static_cast<std::int64_t>(value.size());
  std::int64_t offset = step.number(0);
  const std::int64_t length = step.number(1);
  if (length < 0 || offset >= size || offset < -size) return {};
  if (offset < 0) offset += size;
  const auto from = value.substr(static_cast<std::size_t>(offset));
  return text(length == 0 ? from : from.substr(0, static_cast<std::size_t>(length)));
}

// {s.select,index,separator}: the index-th piece, negative from the last; empty if there is none.
V select(Step& step) {
  std::string_view value = step.text();
  const char separator = step.parameter(1).front();
  const std::string_view separators = separator == 1 ? std::string_view(" \t\r\n") : step.parameter(1);
  std::int64_t index = step.number(0);
  for (; index < 0; ++index) {
    const std::size_t at = value.find_last_of(separators);
    if (index == -1) return text(at == std::string_view::npos ? value : value.substr(at + 1));
    if (at == std::string_view::npos) return text({});
    value = value.substr(0, at);
  }
  for (; index > 0; --index) {
    const std::size_t at = value.find_first_of(separators);
    if (at == std::string_view::npos) return text({});
    value.remove_prefix(at + 1);
  }
  return text(value.substr(0, value.find_first_of(separators)));
}

std::size_t to_strip(Step& step) {
  return static_cast<std::size_t>(std::clamp<std::int64_t>(step.number(0), 0, static_cast<std::int64_t>(step.text().size())));
}

V replace(Step& step, std::string_view what, std::string_view with) {
  std::string_view rest = step.text();
  if (what.empty()) return text(rest);
  for (std::size_t at = rest.find(what); at != std::string_view::npos && !step.full(); at = rest.find(what)) {
    step.put(rest.substr(0, at));
    step.put(with);
    rest.remove_prefix(at + what.size());
  }
  step.put(rest);
  return step.built();
}

// "\n", "\r", "\t" and "\\" in what {s.rm} takes.
V remove(Step& step) {
  std::string what;
  const std::string_view written = step.parameter(0);
  for (std::size_t i = 0; i < written.size(); ++i) {
    char c = written[i];
    if (c == '\\' && i + 1 < written.size()) {
      c = written[++i];
      c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    }
    what += c;
  }
  return replace(step, what, {});
}

V prefixes(Step& step, bool quoted) {
  const std::string_view value = step.text();
  std::size_t most = value.size();
  if (step.count() > 0 && step.number(0) > 0) most = std::min(most, static_cast<std::size_t>(step.number(0)));
  for (std::size_t length = 1; length <= most && !step.full(); ++length) {
    if (length > 1) step.put(',');
    if (quoted) step.put('\'');
    step.put(value.substr(0, length));
    if (quoted) step.put('\'');
  }
  return step.built();
}

template <class Keep>
V filter(Step& step, Keep keep) {
  for (const char c : step.text()) {
    if (step.full()) break;
    if (keep(c)) step.put(c);
  }
  return step.built();
}
template <class Change>
V map(Step& step, Change change) {
  for (const char c : step.text()) {
    if (step.full()) break;
    step.put(change(c));
  }
  return step.built();
}

constexpr std::string_view whitespace = " \t\r\n";

V trimmed(Step& step, bool left, bool right) {
  std::string_view value = step.text();
  if (left) value.remove_prefix(std::min(value.find_first_not_of(whitespace), value.size()));
  if (right) value = value.substr(0, value.find_last_not_of(whitespace) + 1);
  return text(value);
}

// Without the pair of characters that it stands in.
V unwrapped(Step& step, std::string_view opening, std::string_view closing) {
  const std::string_view value = step.text();
  if (value.size() < 2) return text(value);
  const std::size_t kind = opening.find(value.front());
  if (kind == std::string_view::npos || value.back() != closing[kind]) return text(value);
  return text(value.substr(1, value.size() - 2));
}

char separator(Step& step) {
  return step.parameter(0).empty() ? '\0' : step.parameter(0).front();
}

V before(Step& step, bool last) {
  const std::string_view value = step.text();
  const std::size_t at = last ? value.rfind(separator(step)) : value.find(separator(step));
  return text(value.substr(0, at));
}
V after(Step& step, bool last) {
  const std::string_view value = step.text();
  const std::size_t at = last ? value.rfind(separator(step)) : value.find(separator(step));
  return text(at == std::string_view::npos ? std::string_view{} : value.substr(at + 1));
}

// A line break after every so many characters, then so many spaces or tabs: a folded header value.
V folded(Step& step, char fill) {
  const std::string_view value = step.text();
  if (step.number(0) <= 0 || step.number(1) < 0 || step.number(1) > 1000) return {};
  const auto width = static_cast<std::size_t>(step.number(0));
  const std::string padding(static_cast<std::size_t>(step.number(1)), fill);
  for (std::size_t at = 0; at < value.size() && !step.full(); at += width) {
    if (at > 0) {
      step.put("\r\n");
      step.put(padding);
    }
    step.put(value.substr(at, width));
  }
  return step.built();
}

V format_time(Step& step) {
  const V seconds = to_integer(step);
  if (seconds.is_null() || step.parameter(0).empty()) return {};
  const std::string format(step.parameter(0));
  const auto when = static_cast<std::time_t>(seconds.number);
  std::tm local{};
  char buffer[1024];
  if (!localtime_r(&when, &local)) return {};
  step.put({buffer, std::strftime(buffer, sizeof buffer, format.c_str(), &local)});
  return step.built();
}

const TransformationClass table[] = {
    {"s.len", "", "length in bytes, a number", [](Step& s) { return V::of(static_cast<std::int64_t>(s.text().size())); }},
    {"s.int", "", "the number that the text is, null if it is none", to_integer},
    {"s.substr", "nn",
     "so many bytes from an offset, a negative one from the end; 0 bytes: all that follow; null if the offset is beyond the end",
     substring},
    {"s.select", "nc", "the piece with that index, negative from the last, between separators; `\\s` separates at any whitespace", select},
    {"s.strip", "n", "without so many bytes in front", [](Step& s) { return text(s.text().substr(to_strip(s))); }},
    {"s.striptail", "n", "without so many bytes at the end",
     [](Step& s) { return text(s.text().substr(0, s.text().size() - to_strip(s))); }},
    {"s.stripto", "s", "from the first such character on, empty if there is none",
     [](Step& s) {
       const std::string_view value = s.text();
       return text(value.substr(std::min(value.find(separator(s)), value.size())));
     }},
    {"s.prefixes", "?n", "all prefixes, up to that length, with commas between", [](Step& s) { return prefixes(s, false); }},
    {"s.prefixes.quoted", "?n", "the same in single quotes", [](Step& s) { return prefixes(s, true); }},
    {"s.replace", "ss", "each occurrence of the first text replaced by the second",
     [](Step& s) { return replace(s, s.parameter(0), s.parameter(1)); }},
    {"s.rm", "s", "without each occurrence of the text", remove},
    {"s.rmws", "", "without whitespace",
     [](Step& s) { return filter(s, [](char c) { return whitespace.find(c) == std::string_view::npos; }); }},
    {"s.numeric", "", "the digits only", [](Step& s) { return filter(s, [](char c) { return c >= '0' && c <= '9'; }); }},
    {"s.tolower", "", "in lower case", [](Step& s) { return map(s, [](char c) { return to_lower(c); }); }},
    {"s.toupper", "", "in upper case",
     [](Step& s) { return map(s, [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }); }},
    {"s.trim", "", "without whitespace around it", [](Step& s) { return trimmed(s, true, true); }},
    {"s.ltrim", "", "without whitespace before it", [](Step& s) { return trimmed(s, true, false); }},
    {"s.rtrim", "", "without whitespace after it", [](Step& s) { return trimmed(s, false, true); }},
    {"s.unquote", "", "without the double or single quotes around it", [](Step& s) { return unwrapped(s, "\"'", "\"'"); }},
    {"s.unbracket", "", "without the brackets around it: (), [], {} or <>", [](Step& s) { return unwrapped(s, "([{<", ")]}>"); }},
    {"s.count", "m", "how often the character occurs, a number",
     [](Step& s) { return V::of(static_cast<std::int64_t>(std::ranges::count(s.text(), separator(s)))); }},
    {"s.before", "m", "what stands before the first such character, all if there is none", [](Step& s) { return before(s, false); }},
    {"s.after", "m", "what stands after the first such character, empty if there is none", [](Step& s) { return after(s, false); }},
    {"s.rbefore", "m", "what stands before the last such character, all if there is none", [](Step& s) { return before(s, true); }},
    {"s.rafter", "m", "what stands after the last such character, empty if there is none", [](Step& s) { return after(s, true); }},
    {"s.fmtlines", "nn", "a line break after every so many bytes, then so many spaces", [](Step& s) { return folded(s, ' '); }},
    {"s.fmtlinet", "nn", "the same with tabs", [](Step& s) { return folded(s, '\t'); }},
    {"s.ftime", "s", "a time in seconds since 1970 as strftime formats it, local time", format_time},
};

}  // namespace

std::span<const TransformationClass> string_transformations() {
  return table;
}

}  // namespace perdure::script

#include "base/posix_regex.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace perdure {
namespace {

// Of an expression whose repetitions are written out; each takes about 100 bytes.
constexpr std::uint64_t nodes_max = 50'000;
// Of groups within groups: the C library calls itself for each.
constexpr std::size_t nesting_max = 250;

// The end of the bracket expression that begins at `at`, behind its `]`.
std::size_t end_of_brackets(std::string_view text, std::size_t at) {
  ++at;
  if (at < text.size() && text[at] == '^') ++at;
  if (at < text.size() && text[at] == ']') ++at;  // stands for itself there
  while (at < text.size() && text[at] != ']') {
    const char kind = at + 1 < text.size() && text[at] == '[' ? text[at + 1] : '\0';
    if (kind == ':' || kind == '.' || kind == '=') {
      const char closing[] = {kind, ']'};
      const auto end = text.find(std::string_view(closing, 2), at + 2);
      if (end == std::string_view::npos) return text.size();
      at = end + 2;
    } else {
      ++at;
    }
  }
  return std::min(at + 1, text.size());
}

// How often `{m,n}` at the front of `text` repeats; 0: these are no bounds.
std::uint64_t repetitions(std::string_view text) {
  const auto end = text.find('}');
  if (end == std::string_view::npos) return 0;
  std::uint64_t least = 0, most = 0;
  const char* const last = text.data() + end;
  const auto first = std::from_chars(text.data() + 1, last, least);
  if (first.ptr != last && (*first.ptr != ',' || std::from_chars(first.ptr + 1, last, most).ptr != last)) return 0;
  return std::max({least, most, std::uint64_t{1}}) + 1;
}

// Whether it stays small when its repetitions are written out. A wrong expression may pass, the C library refuses it.
bool is_small(std::string_view text) {
  std::vector<std::uint64_t> groups{0};  // what stands before in each open group
  std::uint64_t atom = 0;                // what the next repetition repeats
  const auto begin_atom = [&](std::uint64_t size) {
    groups.back() += atom;
    atom = size;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(') {
      begin_atom(0);
      groups.push_back(0);
      if (groups.size() > nesting_max) return false;
    } else if (c == ')' && groups.size() > 1) {
      atom += groups.back() + 1;
      groups.pop_back();
    } else if (c == '+') {
      atom = 2 * atom + 1;
    } else if (c == '*' || c == '?') {
      ++atom;
    } else if (const auto times = c == '{' ? repetitions(text.substr(i)) : 0) {
      atom = atom * std::min(times, nodes_max) + 1;
      i = text.find('}', i);
    } else {
      begin_atom(1);
      if (c == '\\') ++i;
      if (c == '[') i = end_of_brackets(text, i) - 1;
    }
    if (atom > nodes_max || groups.back() > nodes_max) return false;
  }
  return true;
}

}  // namespace

bool compile_posix(regex_t& regex, const std::string& expression, int flags) {
  return expression.find('\0') == std::string::npos && is_small(expression) &&
         regcomp(&regex, expression.c_str(), REG_EXTENDED | flags) == 0;
}

}  // namespace perdure

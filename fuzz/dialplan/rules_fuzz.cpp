// Rules of any text are refused with file and line, or are the same when they are written again, and an input finds the first that matches.
#include <fnmatch.h>

#include <string>

#include "dialplan/rules.hpp"
#include "fuzz/list_error.hpp"

namespace {

using namespace perdure;
using namespace perdure::dialplan;
using fuzz::expect;

constexpr std::string_view file = "dialplan.list";

// One after the other, without the index.
bool matches(const Rule& rule, std::string_view input) {
  if (rule.length && rule.length != input.size()) return false;
  if (rule.kind == Rule::Kind::Equal) return rule.match == input;
  if (rule.kind == Rule::Kind::Regex) return rule.match_regex->matches(input);
  return ::fnmatch(rule.match.c_str(), std::string(input).c_str(), 0) == 0;
}

const Rule* first_match(const Rules& rules, std::uint32_t dialplan, std::string_view input) {
  if (input.size() > text_bytes_max) return nullptr;
  for (const Rule& rule : rules.all())
    if (rule.dialplan == dialplan && matches(rule, input)) return &rule;
  return nullptr;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? "\"\"" : std::string(1, c));
  return out + "\"";
}

std::string write(const Rules& rules) {
  std::string text;
  for (const Rule& rule : rules.all())
    text += std::to_string(rule.dialplan) + " " + std::to_string(rule.priority) + " " + std::string(name(rule.kind)) + " " +
            quoted(rule.match) + " " + std::to_string(rule.length) + " " + quoted(rule.expression) + " " + quoted(rule.replacement) + " " +
            quoted(rule.attributes) + "\n";
  return text;
}

void check_same(const Rules& rules, const Rules& again) {
  expect(rules.all().size() == again.all().size(), "another number of rules when written again");
  for (std::size_t i = 0; i < rules.all().size(); ++i) {
    const Rule &one = rules.all()[i], &other = again.all()[i];
    expect(one.dialplan == other.dialplan && one.priority == other.priority && one.kind == other.kind && one.match == other.match &&
               one.length == other.length && one.expression == other.expression && one.replacement == other.replacement &&
               one.attributes == other.attributes,
           "another rule when written again");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  const auto rules = Rules::parse(fuzz::next_text(rest), file);
  if (!rules) {
    fuzz::expect_file_and_line(rules.error().message, file);
    return 0;
  }
  for (std::size_t i = 1; i < rules->all().size(); ++i) {
    const Rule &before = rules->all()[i - 1], &rule = rules->all()[i];
    expect(std::pair(before.dialplan, before.priority) <= std::pair(rule.dialplan, rule.priority), "rules out of order");
  }
  const auto again = Rules::parse(write(*rules), file);
  expect(again.has_value(), "rules are refused when written again");
  check_same(*rules, *again);
  while (!rest.empty()) {
    const std::string_view input = fuzz::next_text(rest);
    for (const std::uint32_t dialplan : {1U, 2U}) {
      const Rule* const found = rules->find(dialplan, input);
      expect(found == first_match(*rules, dialplan, input), "not the first rule that matches");
      if (const auto result = found ? Rules::translate(*found, input) : std::nullopt)
        expect(result->size() <= text_bytes_max, "a result that is too long");
    }
  }
  return 0;
}

#include "dialplan/rules.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "base/text_file.hpp"

namespace perdure::dialplan {
namespace {

// The next word of a line, or what stands in quotes; nullopt: the quotes do not end.
std::optional<std::string> next_field(std::string_view& line) {
  line = trim(line);
  if (!line.starts_with('"')) {
    const std::string_view word = next_word(line);
    return word == "-" ? std::string() : std::string(word);
  }
  std::string out;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] != '"') {
      out += line[i];
    } else if (i + 1 < line.size() && line[i + 1] == '"') {
      out += line[++i];
    } else {
      line.remove_prefix(i + 1);
      return out;
    }
  }
  return std::nullopt;
}

std::optional<Rule::Kind> kind_from(std::string_view text) {
  if (text == "equal" || text == "0") return Rule::Kind::Equal;
  if (text == "regex" || text == "1") return Rule::Kind::Regex;
  if (text == "wildcard" || text == "2") return Rule::Kind::Wildcard;
  return std::nullopt;
}

Result<Rule> make_rule(Rules::Row fields) {
  Rule rule;
  const auto plan = number_from<std::uint32_t>(fields[0]);
  if (!plan || *plan == 0) return fail("'" + fields[0] + "' is not the number of a dialplan, 1 or more");
  const auto priority = number_from<std::int32_t>(fields[1]);
  if (!priority) return fail("'" + fields[1] + "' is not a priority");
  const auto kind = kind_from(fields[2]);
  if (!kind) return fail("'" + fields[2] + "' is not one of equal, regex, wildcard");
  const auto length = number_from<std::uint32_t>(fields[4].empty() ? "0" : fields[4]);
  if (!length) return fail("'" + fields[4] + "' is not a length");
  rule.dialplan = *plan;
  rule.priority = *priority;
  rule.kind = *kind;
  rule.match = std::move(fields[3]);
  rule.length = *length;
  rule.expression = std::move(fields[5]);
  rule.replacement = std::move(fields[6]);
  rule.attributes = std::move(fields[7]);
  if (rule.kind == Rule::Kind::Regex) {
    auto regex = Regex::compile(rule.match);
    if (!regex) return std::unexpected(regex.error());
    rule.match_regex = std::move(*regex);
  }
  if (!rule.expression.empty()) {
    auto regex = Regex::compile(rule.expression);
    if (!regex) return std::unexpected(regex.error());
    rule.expression_regex = std::move(*regex);
  }
  return rule;
}

Result<Rule> parse_line(std::string_view line) {
  Rules::Row fields;
  std::size_t count = 0;
  for (; count < fields.size() && !trim(line).empty(); ++count) {
    auto field = next_field(line);
    if (!field) return fail("a quote does not end");
    fields[count] = std::move(*field);
  }
  if (count < 7 || !trim(line).empty()) return fail("a line is: dialplan priority kind match length expression replacement [attributes]");
  return make_rule(std::move(fields));
}

bool matches(const Rule& rule, std::string_view input) {
  if (rule.length && rule.length != input.size()) return false;
  switch (rule.kind) {
    case Rule::Kind::Equal:
      return rule.match == input;
    case Rule::Kind::Regex:
      return rule.match_regex->matches(input);
    case Rule::Kind::Wildcard:
      return ::fnmatch(rule.match.c_str(), std::string(input).c_str(), 0) == 0;
  }
  return false;
}

}  // namespace

std::string_view name(Rule::Kind kind) {
  return kind == Rule::Kind::Equal ? "equal" : kind == Rule::Kind::Regex ? "regex" : "wildcard";
}

Result<Rules> Rules::parse(std::string_view text, std::string_view name) {
  Rules rules;
  auto done = for_each_line(text, name, [&](std::string_view line, std::size_t number) -> Result<> {
    auto rule = parse_line(line);
    if (!rule) return std::unexpected(rule.error());
    if (rules.rules_.size() >= rules_max) return fail("more than " + std::to_string(rules_max) + " rules");
    rule->line = static_cast<std::uint32_t>(number);
    rules.rules_.push_back(std::move(*rule));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  rules.index();
  return rules;
}

Result<Rules> Rules::load(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse(*text, path);
}

Result<Rules> Rules::make(std::vector<Row> rows, std::string_view name) {
  Rules rules;
  if (rows.size() > rules_max) return fail(std::string(name) + ": more than " + std::to_string(rules_max) + " rules");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto rule = make_rule(std::move(rows[i]));
    if (!rule) return fail(std::string(name) + ": row " + std::to_string(i + 1) + ": " + rule.error().message);
    rule->line = static_cast<std::uint32_t>(i + 1);
    rules.rules_.push_back(std::move(*rule));
  }
  rules.index();
  return rules;
}

void Rules::index() {
  std::ranges::stable_sort(rules_, {}, [](const Rule& rule) { return std::pair(rule.dialplan, rule.priority); });
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    auto [found, is_new] = plans_.try_emplace(rule.dialplan);
    Plan& plan = found->second;
    if (is_new) plan.begin = i;
    plan.end = i + 1;
    if (rule.kind == Rule::Kind::Equal)
      plan.equal.emplace(rule.match, i);
    else
      plan.others.push_back(i);
  }
}

const Rule* Rules::find(std::uint32_t dialplan, std::string_view input) const {
  const auto plan = plans_.find(dialplan);
  if (plan == plans_.end() || input.size() > text_bytes_max || input.find('\0') != std::string_view::npos) return nullptr;
  std::uint32_t best = plan->second.end;
  const auto [first, last] = plan->second.equal.equal_range(input);
  for (auto one = first; one != last; ++one)
    if (matches(rules_[one->second], input)) best = std::min(best, one->second);
  for (const std::uint32_t position : plan->second.others) {
    if (position > best) break;
    if (matches(rules_[position], input)) return &rules_[position];
  }
  return best == plan->second.end ? nullptr : &rules_[best];
}

std::optional<std::string> Rules::translate(const Rule& rule, std::string_view input) {
  Regex::Match match;
  if (rule.expression_regex) {
    match = rule.expression_regex->match(input);
    if (!match.matched) return std::nullopt;
  } else {
    match.groups.push_back(input);
  }
  std::string out;
  for (std::size_t i = 0; i < rule.replacement.size(); ++i) {
    const char c = rule.replacement[i];
    if (c == '\\' && i + 1 < rule.replacement.size()) {
      const char next = rule.replacement[++i];
      if (next >= '0' && next <= '9') {
        const auto group = static_cast<std::size_t>(next - '0');
        if (group < match.groups.size()) out += match.groups[group];
      } else {
        out += next;
      }
    } else {
      out += c;
    }
    if (out.size() > text_bytes_max) return std::nullopt;
  }
  return out;
}

}  // namespace perdure::dialplan

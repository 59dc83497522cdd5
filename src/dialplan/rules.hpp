#pragma once
// Numbers and texts that match a rule, and what they are changed to: Kamailio's dialplan. A line of the file is a rule:
//   dialplan priority kind match length expression replacement [attributes]
// words between blanks or in double quotes ("" in them is a quote), - an empty one. Kinds are equal, regex (PCRE) and wildcard (fnmatch).
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/regex.hpp"
#include "base/result.hpp"

namespace perdure::dialplan {

inline constexpr std::size_t rules_max = 100'000;
// Longer inputs match nothing, longer results are none.
inline constexpr std::size_t text_bytes_max = 1024;

struct Rule {
  enum class Kind : std::uint8_t { Equal, Regex, Wildcard };
  std::uint32_t dialplan = 0;
  std::int32_t priority = 0;  // the smallest comes first
  Kind kind = Kind::Equal;
  std::string match;
  std::uint32_t length = 0;  // of the input; 0: any
  std::string expression;    // whose groups the replacement means; empty: \0 is the input
  std::string replacement;   // with \0 to \9
  std::string attributes;
  std::uint32_t line = 0;

  std::optional<Regex> match_regex, expression_regex;
};

[[nodiscard]] std::string_view name(Rule::Kind kind);

// Immutable.
class Rules {
 public:
  [[nodiscard]] static Result<Rules> parse(std::string_view text, std::string_view name);
  [[nodiscard]] static Result<Rules> load(const std::string& path);
  // The words of a line each, without quotes; a missing length may be empty. `name` stands in errors, with the number of the row.
  using Row = std::array<std::string, 8>;
  [[nodiscard]] static Result<Rules> make(std::vector<Row> rows, std::string_view name);

  [[nodiscard]] bool has(std::uint32_t dialplan) const { return plans_.contains(dialplan); }
  // The first rule of the dialplan that matches; null: none does. Lives as long as the rules.
  [[nodiscard]] const Rule* find(std::uint32_t dialplan, std::string_view input) const;
  // What the rule makes of it; nullopt: its expression does not match, or it becomes too long.
  [[nodiscard]] static std::optional<std::string> translate(const Rule& rule, std::string_view input);
  // All, in the order in which they are tried.
  [[nodiscard]] const std::vector<Rule>& all() const { return rules_; }

 private:
  struct Plan {
    std::uint32_t begin = 0, end = 0;  // in rules_
    // Rules that match one text only are found by it; those between them in the order of their places.
    std::unordered_multimap<std::string_view, std::uint32_t> equal;
    std::vector<std::uint32_t> others;
  };
  void index();
  std::vector<Rule> rules_;
  std::unordered_map<std::uint32_t, Plan> plans_;
};

// The rules in use, replaced as a whole. Any thread.
class Dialplan {
 public:
  [[nodiscard]] std::shared_ptr<const Rules> rules() const { return rules_.load(std::memory_order_acquire); }
  void replace(Rules rules) { rules_.store(std::make_shared<const Rules>(std::move(rules)), std::memory_order_release); }

 private:
  std::atomic<std::shared_ptr<const Rules>> rules_{std::make_shared<const Rules>()};
};

}  // namespace perdure::dialplan

#pragma once
// POSIX extended regular expressions, compiled once: what Kamailio's functions take.
#include <regex.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace perdure::script {

class RegexCache {
 public:
  enum class Match { Yes, No, BadPattern };
  enum class Lines : bool { No, Yes };  // Yes: ^ and $ match at the lines of the text, and . matches no line break
  struct Group {
    std::ptrdiff_t begin = -1, end = -1;  // -1: it took no part
  };
  // Case-insensitive, as in Kamailio.
  [[nodiscard]] Match match(std::string_view pattern, std::string_view text, Lines lines = Lines::No);
  // The first match at or after `from`, in groups[0], and what its parentheses matched.
  [[nodiscard]] Match find(std::string_view pattern, std::string_view text, std::size_t from, Lines lines, std::span<Group> groups);

 private:
  static constexpr std::size_t patterns_max = 256;  // then all are forgotten
  static constexpr std::size_t groups_max = 10;
  struct Free {
    void operator()(regex_t* regex) const {
      regfree(regex);
      delete regex;
    }
  };
  [[nodiscard]] const regex_t* compiled(std::string_view pattern, Lines lines);
  std::unordered_map<std::string, std::unique_ptr<regex_t, Free>> patterns_;  // null: bad pattern; the key begins with 'l' for Lines::Yes
};

}  // namespace perdure::script

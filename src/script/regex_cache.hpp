#pragma once
// POSIX extended regular expressions, compiled once: what Kamailio's functions take.
#include <regex.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace perdure::script {

class RegexCache {
 public:
  enum class Match { Yes, No, BadPattern };
  // Case-insensitive, as in Kamailio.
  [[nodiscard]] Match match(std::string_view pattern, std::string_view text);

 private:
  static constexpr std::size_t patterns_max = 256;  // then all are forgotten
  struct Free {
    void operator()(regex_t* regex) const {
      regfree(regex);
      delete regex;
    }
  };
  std::unordered_map<std::string, std::unique_ptr<regex_t, Free>> patterns_;  // null: bad pattern
};

}  // namespace perdure::script

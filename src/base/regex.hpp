#pragma once
// Expressions of lists that operators write: PCRE2, with a bound on the work of each match.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace perdure {

// Immutable; any thread.
class Regex {
 public:
  [[nodiscard]] static Result<Regex> compile(std::string_view pattern);

  struct Match {
    bool matched = false;
    bool too_long = false;                 // it was given up: the expression is too much work for this text
    std::vector<std::string_view> groups;  // of the text; the whole match first
  };
  [[nodiscard]] Match match(std::string_view text) const;
  [[nodiscard]] bool matches(std::string_view text) const { return match(text).matched; }

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace perdure

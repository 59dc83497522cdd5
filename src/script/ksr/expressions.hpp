#pragma once
#include <string>
#include <string_view>

#include "script/ksr/function.hpp"
#include "script/regex_cache.hpp"
#include "script/vm.hpp"

namespace perdure::script {

inline int bad_expression(Call& call, std::string_view expression) {
  return call.fail("\"" + std::string(expression) + "\" is no regular expression");
}

// What a function that looks for the expression of argument 0 in a text returns: 1 or -1, or a script error for a bad expression.
inline int matches(Call& call, std::string_view text, RegexCache::Lines lines = RegexCache::Lines::No) {
  const auto match = call.vm.regexes().match(call.text(0), text, lines);
  if (match == RegexCache::Match::BadPattern) return bad_expression(call, call.text(0));
  return match == RegexCache::Match::Yes ? 1 : -1;
}

}  // namespace perdure::script

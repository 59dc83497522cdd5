#pragma once
// POSIX regular expressions as scripts of Kamailio have them, compiled by the C library within bounds.
#include <regex.h>

#include <string>

namespace perdure {

// As regcomp() with REG_EXTENDED and `flags`. False, and nothing to free: it is no expression, or one that takes more memory than any that
// somebody means (the C library writes repetitions out, so `a++++++++++++++++++++` takes gigabytes).
[[nodiscard]] bool compile_posix(regex_t& regex, const std::string& expression, int flags);

}  // namespace perdure

#include "base/posix_regex.hpp"

#include <gtest/gtest.h>

namespace perdure {
namespace {

bool compiles(const std::string& expression) {
  regex_t regex;
  if (!compile_posix(regex, expression, REG_NOSUB)) return false;
  regfree(&regex);
  return true;
}

TEST(PosixRegex, TakesWhatPeopleWrite) {
  for (const char* good : {"", "^sip:[^@]+@(.*\\.)?example\\.org$", "^(408|5[0-9]{2})$", "[0-9]{1,15}", "[]+{]+x", "[[:digit:]]{3,}",
                           "\\{7\\++", "(a|b+){0,30}", "^\\+?[1-9][0-9]{6,14}$"})
    EXPECT_TRUE(compiles(good)) << good;
}

TEST(PosixRegex, RefusesWhatIsNone) {
  for (const char* bad : {"(", "[", "a{2,1}", "*a**(", "a{99999}"}) EXPECT_FALSE(compiles(bad)) << bad;
  EXPECT_FALSE(compiles(std::string("a\0b", 3)));
}

// These take gigabytes, or for ever.
TEST(PosixRegex, RefusesWhatGrowsWithoutEnd) {
  EXPECT_FALSE(compiles("a" + std::string(100, '+')));
  EXPECT_FALSE(compiles("(((a{1,200}){1,200}){1,200}){1,200}"));
  EXPECT_FALSE(compiles("((((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+"));
  EXPECT_FALSE(compiles("([[:alpha:]]{255}){255}"));
  EXPECT_FALSE(compiles(std::string(100'000, '(') + "a" + std::string(100'000, ')')));
}

}  // namespace
}  // namespace perdure

#include "prefix/index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.hpp"

namespace perdure::prefix {
namespace {

std::string longest(const Index& index, std::string_view text) {
  const auto number = index.longest(text);
  return number == Index::none ? "none" : std::string(index.text(number));
}

TEST(PrefixIndex, FindsTheLongestPrefix) {
  const Index index({"1", "12", "1234", "2", "49", "4930"});
  EXPECT_EQ(longest(index, "12345"), "1234");
  EXPECT_EQ(longest(index, "1239"), "12");
  EXPECT_EQ(longest(index, "19"), "1");
  EXPECT_EQ(longest(index, "1"), "1");
  EXPECT_EQ(longest(index, "49301"), "4930");
  EXPECT_EQ(longest(index, "4931"), "49");
  EXPECT_EQ(longest(index, "3"), "none");
  EXPECT_EQ(longest(index, ""), "none");
  EXPECT_EQ(longest(Index(), "1"), "none");
  EXPECT_EQ(longest(Index({"", "5"}), "1"), "");
  const auto number = index.longest("12345");
  EXPECT_EQ(index.text(index.shorter(number)), "12");
  EXPECT_EQ(index.shorter(index.longest("1")), Index::none);
}

TEST(PrefixIndex, AgreesWithASlowSearchForRandomPrefixes) {
  Random random(7);
  const auto digits = [&](std::size_t most) {
    std::string text;
    for (std::size_t i = random.below(most + 1); i > 0; --i) text += static_cast<char>('0' + random.below(3));
    return text;
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> prefixes;
    for (int i = 0; i < 60; ++i) prefixes.push_back(digits(6));
    std::ranges::sort(prefixes);
    prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    const Index index(std::vector<std::string_view>(prefixes.begin(), prefixes.end()));
    for (int i = 0; i < 200; ++i) {
      const std::string number = digits(8);
      std::string expected = "none";
      for (const auto& one : prefixes)
        if (number.starts_with(one) && (expected == "none" || one.size() > expected.size())) expected = one;
      EXPECT_EQ(longest(index, number), expected) << number;
    }
  }
}

}  // namespace
}  // namespace perdure::prefix

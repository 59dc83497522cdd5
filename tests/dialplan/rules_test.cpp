#include "dialplan/rules.hpp"

#include <gtest/gtest.h>

namespace perdure::dialplan {
namespace {

std::string translated(const Rules& rules, std::uint32_t plan, std::string_view input) {
  const auto* rule = rules.find(plan, input);
  if (!rule) return "no rule";
  return Rules::translate(*rule, input).value_or("no result");
}

constexpr std::string_view list =
    "# dialplan priority kind match length expression replacement attributes\n"
    "1 2 regex ^00(\\d+)$ 0 ^00(\\d+)$ +\\1 international\n"
    "1 1 equal 110 0 - 112 \"an emergency\"\n"
    "1 5 wildcard 0* 4 ^0(.*)$ +49\\1 -\n"
    "1 9 regex . 0 ^x(.*)$ \\1 -\n"
    "2 1 regex ^(.)(.)$ 0 ^(.)(.)$ \"\\2 \\1 \\0 \"\"q\"\"\" a\n";

TEST(Dialplan, TakesTheFirstRuleThatMatches) {
  const auto rules = Rules::parse(list, "d.list");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(translated(*rules, 1, "004930"), "+4930");
  EXPECT_EQ(translated(*rules, 1, "110"), "112");
  EXPECT_EQ(rules->find(1, "110")->attributes, "an emergency");
  EXPECT_EQ(translated(*rules, 1, "0123"), "+49123");
  EXPECT_EQ(translated(*rules, 1, "01234"),
            "no result");  // the length of the wildcard is another, the last rule's expression does not match
  EXPECT_EQ(translated(*rules, 1, ""), "no rule");
  EXPECT_EQ(translated(*rules, 3, "1"), "no rule");
  EXPECT_TRUE(rules->has(2));
  EXPECT_FALSE(rules->has(3));
}

TEST(Dialplan, FillsGroupsIntoTheReplacement) {
  const auto rules = Rules::parse(list, "d.list");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(translated(*rules, 2, "ab"), "b a ab \"q\"");
}

TEST(Dialplan, AnEqualRuleDoesNotOvertakeAnEarlierOne) {
  const auto rules = Rules::parse("1 1 regex ^1 0 - first -\n1 2 equal 12 0 - second -\n1 0 equal 13 0 - zeroth -\n", "d.list");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(translated(*rules, 1, "12"), "first");
  EXPECT_EQ(translated(*rules, 1, "13"), "zeroth");
}

TEST(Dialplan, IsMadeOfRowsOfADatabase) {
  const auto rules =
      Rules::make({{"1", "2", "0", "-", "", "", "a minus", ""}, {"1", "1", "1", "^00", "0", "^00(.*)$", "+\\1", "x y"}}, "table t");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(translated(*rules, 1, "0049"), "+49");
  EXPECT_EQ(rules->find(1, "0049")->attributes, "x y");
  EXPECT_EQ(translated(*rules, 1, "-"), "a minus") << "no word of a line";
  EXPECT_EQ(Rules::make({{"1", "1", "0", "a", "", "", "b", ""}, {"1", "1", "7", "a", "", "", "b", ""}}, "table t").error().message,
            "table t: row 2: '7' is not one of equal, regex, wildcard");
}

TEST(Dialplan, SaysWhatIsWrongAndWhere) {
  const auto error = [](std::string_view text) {
    const auto rules = Rules::parse(text, "d.list");
    return rules ? std::string("none") : rules.error().message;
  };
  EXPECT_EQ(error("0 1 equal a 0 - b\n"), "d.list:1: '0' is not the number of a dialplan, 1 or more");
  EXPECT_EQ(error("\n1 1 like a 0 - b\n"), "d.list:2: 'like' is not one of equal, regex, wildcard");
  EXPECT_EQ(error("1 1 equal a\n"), "d.list:1: a line is: dialplan priority kind match length expression replacement [attributes]");
  EXPECT_EQ(error("1 1 equal \"a 0 - b\n"), "d.list:1: a quote does not end");
  EXPECT_EQ(error("1 1 regex ( 0 - b\n"), "d.list:1: '(' is no regular expression: missing closing parenthesis (at character 2)");
}

TEST(Dialplan, GivesUpAnExpressionThatIsTooMuchWork) {
  const auto rules = Rules::parse("1 1 regex ^(a+)+$ 0 - b -\n", "d.list");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(translated(*rules, 1, std::string(40, 'a') + "b"), "no rule");
  EXPECT_EQ(translated(*rules, 1, std::string(40, 'a')), "b");
}

TEST(Dialplan, TextsAreBounded) {
  const auto rules = Rules::parse("1 1 regex . 0 ^(.*)$ \\1\\1 -\n", "d.list");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(translated(*rules, 1, std::string(text_bytes_max + 1, '1')), "no rule");
  EXPECT_EQ(translated(*rules, 1, std::string(text_bytes_max / 2 + 1, '1')), "no result");
  EXPECT_EQ(translated(*rules, 1, std::string("1\0002", 3)), "no rule");
}

}  // namespace
}  // namespace perdure::dialplan

#include "prefix/tree.hpp"

#include <gtest/gtest.h>

namespace perdure::prefix {
namespace {

Result<Tree> parse(std::string_view text, bool integers = false) {
  return Tree::parse(text, {.name = "t", .file = {}, .integers = integers}, "t.list");
}

TEST(PrefixTree, HasAValueForEachPrefix) {
  const auto tree = parse("# routes\n49  de gateway\n4930 berlin\n\n1 us\n");
  ASSERT_TRUE(tree) << tree.error().message;
  ASSERT_EQ(tree->prefixes().size(), 3U);
  EXPECT_EQ(tree->value(tree->prefixes().longest("4989")).text, "de gateway");
  EXPECT_EQ(tree->value(tree->prefixes().longest("493012")).text, "berlin");
}

TEST(PrefixTree, HasNumbersIfItIsToldTo) {
  const auto tree = parse("1 10\n2 -5\n", true);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->value(tree->prefixes().longest("2")), Value::of(std::int64_t{-5}));
  const auto wrong = parse("1 10\n2 x\n", true);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "t.list:2: 'x' is not a number");
}

TEST(PrefixTree, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(parse("1\n").error().message, "t.list:1: a line is a prefix and a value");
  EXPECT_EQ(parse("1 a\n2 b\n1 c\n").error().message, "t.list:3: the prefix '1' stands in line 1, too");
  EXPECT_EQ(parse(std::string(256, '1') + " a\n").error().message, "t.list:1: the prefix is longer than 255 characters");
}

TEST(PrefixTree, IsMadeOfRowsOfADatabase) {
  const auto make = [](const std::vector<std::pair<std::string, std::string>>& rows, bool integers = false) {
    return Tree::make(rows, {.name = "t", .file = {}, .database = "db", .table = "mtree", .integers = integers}, "table mtree");
  };
  const auto tree = make({{"49", "a b"}, {"4930", "c"}});
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->value(tree->prefixes().longest("493")).text, "a b");
  EXPECT_EQ(tree->value(tree->prefixes().longest("49301")).text, "c");
  EXPECT_EQ(make({{"1", "a"}, {"1", "b"}}).error().message, "table mtree: row 2: the prefix '1' stands in row 1, too");
  EXPECT_EQ(make({{"1", "a"}}, true).error().message, "table mtree: row 1: 'a' is not a number");
  EXPECT_EQ(make({{"", "a"}}).error().message, "table mtree: row 1: a prefix or value is empty");
}

TEST(PrefixTree, TreesAreFoundByName) {
  Trees trees(std::vector<TreeOptions>{{.name = "a", .file = "/nowhere/a"}});
  EXPECT_EQ(trees.find("a"), nullptr);  // nothing is loaded
  EXPECT_EQ(trees.find("b"), nullptr);
  trees.replace({std::make_shared<const Tree>(std::move(*parse("1 x\n")))});
  ASSERT_NE(trees.find("a"), nullptr);
  EXPECT_EQ(trees.find("a")->prefixes().size(), 1U);
}

}  // namespace
}  // namespace perdure::prefix

#include "htable/table.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace perdure::htable {
namespace {

constexpr Time start = Time(1000s);

std::optional<Value> get(const Table& table, std::string_view key, Time now = start) {
  Value value;
  if (!table.get(key, now, value)) return std::nullopt;
  return value;
}

TEST(Table, KeepsNumbersAndTexts) {
  Table table({.name = "t"});
  EXPECT_EQ(table.set("a", Value::of("text"), start), Change::Done);
  EXPECT_EQ(table.set("b", Value::of(std::int64_t{5}), start), Change::Done);
  EXPECT_EQ(table.set("", Value::of(""), start), Change::Done);
  EXPECT_EQ(get(table, "a"), Value::of("text"));
  EXPECT_EQ(get(table, "b"), Value::of(std::int64_t{5}));
  EXPECT_EQ(get(table, ""), Value::of(""));
  EXPECT_EQ(get(table, "c"), std::nullopt);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_TRUE(table.erase("a"));
  EXPECT_FALSE(table.erase("a"));
  EXPECT_EQ(get(table, "a"), std::nullopt);
  table.clear();
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.statistics().bytes, 0U);
}

TEST(Table, AddsToNumbersOnly) {
  Table plain({.name = "t"}), with_initval({.name = "i", .initval = 7});
  std::int64_t result = 0;
  EXPECT_EQ(plain.add("n", 1, start, result), Change::NoNumber);
  EXPECT_EQ(plain.size(), 0U);
  EXPECT_EQ(plain.set("n", Value::of(INT64_MAX), start), Change::Done);
  EXPECT_EQ(plain.add("n", 1, start, result), Change::Done);
  EXPECT_EQ(result, INT64_MIN) << "wraps around";
  EXPECT_EQ(plain.set("s", Value::of("5"), start), Change::Done);
  EXPECT_EQ(plain.add("s", 1, start, result), Change::NoNumber);

  Value value;
  EXPECT_FALSE(with_initval.get("n", start, value));
  EXPECT_EQ(value, Value::of(std::int64_t{7}));
  EXPECT_EQ(with_initval.add("n", -2, start, result), Change::Done);
  EXPECT_EQ(result, 5);
  EXPECT_EQ(get(with_initval, "n"), Value::of(std::int64_t{5}));
}

TEST(Table, EntriesExpire) {
  Table table({.name = "t", .autoexpire = 10s});
  ASSERT_EQ(table.set("a", Value::of("x"), start), Change::Done);
  EXPECT_EQ(table.lifetime("a", start + 4s), 6s);
  EXPECT_TRUE(get(table, "a", start + 9s));
  EXPECT_FALSE(get(table, "a", start + 10s));
  ASSERT_EQ(table.set("b", Value::of("x"), start, 3s), Change::Done);
  EXPECT_EQ(table.lifetime("b", start), 3s);
  ASSERT_EQ(table.set("b", Value::of("x"), start + 1s), Change::Done);
  EXPECT_EQ(table.lifetime("b", start + 1s), 10s) << "a change begins autoexpire anew";
  EXPECT_TRUE(table.set_lifetime("b", 100s, start));
  EXPECT_EQ(table.lifetime("b", start), 100s);
  EXPECT_TRUE(table.set_lifetime("b", 0s, start));
  EXPECT_TRUE(get(table, "b", start + 1000h));
  EXPECT_FALSE(table.set_lifetime("none", 5s, start));
  // What has expired is not there for anybody, and the sweep takes it away.
  EXPECT_EQ(table.size(), 2U);
  std::vector<Table::View> views;
  for (std::size_t i = 0; i < table.shard_count(); ++i) table.list(i, start + 11s, views);
  EXPECT_EQ(views.size(), 1U);
  table.expire(start + 11s, 10'000);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.statistics().expired, 1U);
}

TEST(Table, ChangesKeepTheExpiryWithoutUpdateExpire) {
  Table table({.name = "t", .autoexpire = 10s, .initval = 0, .update_expire = false});
  std::int64_t result = 0;
  ASSERT_EQ(table.add("a", 1, start, result), Change::Done);
  ASSERT_EQ(table.add("a", 1, start + 6s, result), Change::Done);
  EXPECT_EQ(table.lifetime("a", start + 6s), 4s);
  ASSERT_EQ(table.add("a", 1, start + 10s, result), Change::Done);
  EXPECT_EQ(result, 1) << "an expired entry begins anew";
  EXPECT_EQ(table.lifetime("a", start + 10s), 10s);
}

TEST(Table, IsBounded) {
  Table few({.name = "t", .autoexpire = 10s, .entries_max = 2});
  EXPECT_EQ(few.set("a", Value::of("x"), start), Change::Done);
  EXPECT_EQ(few.set("b", Value::of("x"), start), Change::Done);
  EXPECT_EQ(few.set("c", Value::of("x"), start), Change::Full);
  EXPECT_EQ(few.set("a", Value::of("y"), start), Change::Done) << "a change needs no room";
  EXPECT_EQ(get(few, "c"), std::nullopt);
  EXPECT_EQ(few.statistics().refused, 1U);

  Table small({.name = "s", .bytes_max = 1000});
  EXPECT_EQ(small.set("a", Value::of(std::string(800, 'x')), start), Change::Done);
  EXPECT_EQ(small.set("b", Value::of("x"), start), Change::Full);
  EXPECT_EQ(small.set("a", Value::of(std::string(900, 'x')), start), Change::Full);
  EXPECT_EQ(get(small, "a")->text.size(), 800U);
  EXPECT_EQ(small.set("a", Value::of("x"), start), Change::Done);
  EXPECT_EQ(small.set("b", Value::of("x"), start), Change::Done);

  EXPECT_EQ(small.set(std::string(key_bytes_max + 1, 'k'), Value::of("x"), start), Change::TooLong);
  EXPECT_EQ(small.set("k", Value::of(std::string(text_bytes_max + 1, 'x')), start), Change::TooLong);
}

TEST(Table, MakesRoomOfWhatHasExpired) {
  Table table({.name = "t", .entries_max = 500});
  for (int i = 0; i < 500; ++i) ASSERT_EQ(table.set(std::to_string(i), Value::of("x"), start, 5s), Change::Done);
  EXPECT_EQ(table.set("more", Value::of("x"), start), Change::Full);
  EXPECT_EQ(table.set("more", Value::of("x"), start + 5s), Change::Done);
}

TEST(Table, RemovesAndCountsByPredicate) {
  Table table({.name = "t"});
  for (const char* key : {"abc", "abd", "xab"}) ASSERT_EQ(table.set(key, Value::of(std::int64_t{1}), start), Change::Done);
  const auto starts = [](const std::string& key, const Value&) { return key.starts_with("ab"); };
  EXPECT_EQ(table.count_if(starts, start), 2U);
  EXPECT_EQ(table.count_if(starts, start, 1), 1U);
  EXPECT_EQ(table.erase_if(starts, start), 2U);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.replace({{"new", Value::of("v")}, {"xab", Value::of("w")}}, start), Change::Done);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(get(table, "xab"), Value::of("w"));
}

TEST(Table, WorkersCountTogether) {
  Table table({.name = "t", .initval = 0});
  std::vector<std::jthread> workers;
  for (int worker = 0; worker < 4; ++worker)
    workers.emplace_back([&] {
      std::int64_t result = 0;
      for (int i = 0; i < 5000; ++i) ASSERT_EQ(table.add(std::to_string(i % 7), 1, start, result), Change::Done);
    });
  workers.clear();
  std::int64_t sum = 0;
  for (int i = 0; i < 7; ++i) sum += get(table, std::to_string(i))->number;
  EXPECT_EQ(sum, 20'000);
  EXPECT_EQ(table.size(), 7U);
}

}  // namespace
}  // namespace perdure::htable

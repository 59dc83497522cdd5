// Tables whose entries live in a store.
#include <fstream>

#include "htable/file.hpp"
#include "htable/record.hpp"
#include "memory_store.hpp"
#include "store/document.hpp"

namespace perdure::htable {
namespace {

constexpr Time start = Time(1000s);

std::vector<TableOptions> two_tables() {
  return {{.name = "ban", .autoexpire = 10s, .initval = 0, .persist = true}, {.name = "calls", .persist = true}};
}

std::optional<Value> get(const Tables& tables, std::string_view table, std::string_view key, Time now = start) {
  Value value;
  if (!tables.find(table)->get(key, now, value)) return std::nullopt;
  return value;
}

TEST(PersistentTables, AreThereAfterTheProcessIsGone) {
  Memory memory((1 << 20) / 8);
  {
    Tables tables(two_tables());
    EXPECT_EQ(tables.attach(open_store(memory), start, 0).entries, 0U);
    auto& ban = *tables.find("ban");
    std::int64_t result = 0;
    for (int i = 0; i < 5; ++i) ASSERT_EQ(ban.add("192.0.2.1", 1, start, result), Change::Done);
    ASSERT_EQ(ban.set("gone", Value::of("x"), start), Change::Done);
    ASSERT_TRUE(ban.erase("gone"));
    ASSERT_EQ(tables.find("calls")->set("192.0.2.1", Value::of("first"), start), Change::Done);
    ASSERT_EQ(tables.find("calls")->set("192.0.2.1", Value::of("second"), start), Change::Done);
    ASSERT_EQ(tables.find("calls")->set("empty", Value::of(""), start), Change::Done);
    tables.on_tick(start, 0);
  }
  Tables tables(two_tables());
  const auto report = tables.attach(open_store(memory), start, 0);
  EXPECT_EQ(report.entries, 3U);
  EXPECT_EQ(report.damaged + report.orphans, 0U);
  EXPECT_EQ(get(tables, "ban", "192.0.2.1"), Value::of(std::int64_t{5}));
  EXPECT_EQ(get(tables, "ban", "gone"), std::nullopt);
  EXPECT_EQ(get(tables, "calls", "192.0.2.1"), Value::of("second"));
  EXPECT_EQ(get(tables, "calls", "empty"), Value::of(""));
  std::int64_t result = 0;
  EXPECT_EQ(tables.find("ban")->add("192.0.2.1", 1, start, result), Change::Done);
  EXPECT_EQ(result, 6) << "counts on";
}

// The engine's logical time and the store's own need not agree: those of another engine start where they like.
TEST(PersistentTables, EntriesExpireByTheClockOfTheStore) {
  Memory memory((1 << 20) / 8);
  {
    Tables tables(two_tables());
    (void)tables.attach(open_store(memory, 1'000'000), start, 1'000'000);
    ASSERT_EQ(tables.find("ban")->set("a", Value::of("x"), start), Change::Done);
    tables.on_tick(start + 4s, 4'000'000);
  }
  for (const auto clock : {store::ClockPolicy::Frozen, store::ClockPolicy::Elapsed}) {
    Memory copy = memory;
    Tables tables(two_tables());
    const Time other = Time(5s);
    (void)tables.attach(open_store(copy, 77'000'000, nullptr, clock, 7'000'000), other, 77'000'000);
    EXPECT_EQ(tables.find("ban")->lifetime("a", other), clock == store::ClockPolicy::Frozen ? Duration(6s) : Duration(3s));
  }
}

TEST(PersistentTables, WhatIsNotConfiguredAnyMoreIsDropped) {
  Memory memory((1 << 20) / 8);
  {
    Tables tables(two_tables());
    (void)tables.attach(open_store(memory), start, 0);
    ASSERT_EQ(tables.find("calls")->set("a", Value::of("x"), start), Change::Done);
  }
  {
    auto options = two_tables();
    options[1].persist = false;
    Tables tables(options);
    EXPECT_EQ(tables.attach(open_store(memory), start, 0).orphans, 1U);
    EXPECT_EQ(get(tables, "calls", "a"), std::nullopt);
  }
  Tables tables(two_tables());
  EXPECT_EQ(tables.attach(open_store(memory), start, 0).entries, 0U);
}

TEST(PersistentTables, AFullStoreIsADefinedAnswer) {
  Memory memory((128 * 1024) / 8);
  Tables tables(two_tables());
  (void)tables.attach(open_store(memory), start, 0);
  auto& calls = *tables.find("calls");
  int kept = 0;
  while (kept < 10'000 && calls.set(std::to_string(kept), Value::of(std::string(200, 'x')), start) == Change::Done) ++kept;
  ASSERT_GT(kept, 20);
  ASSERT_LT(kept, 10'000);
  EXPECT_EQ(calls.size(), static_cast<std::uint64_t>(kept));
  EXPECT_EQ(calls.statistics().refused, 1U);
  EXPECT_EQ(get(tables, "calls", "0")->text.size(), 200U);
  calls.clear();
  EXPECT_EQ(calls.set("again", Value::of(std::string(200, 'x')), start), Change::Done);
}

TEST(PersistentTables, FormatIsThatOfTheDocument) {
  store::expect_table("## The entry of a hash table",
                      {PERDURE_FIELD(EntryHeader, expire_at), PERDURE_FIELD(EntryHeader, number), PERDURE_FIELD(EntryHeader, name),
                       PERDURE_FIELD(EntryHeader, text), PERDURE_FIELD(EntryHeader, is_number), PERDURE_FIELD(EntryHeader, reserved)});
}

TEST(Entries, AreReadFromAFile) {
  const auto entries = parse_entries("# comment\nkey s:a text with blanks \n\n\"with blank\" i:-5\nempty s:\n", "t.list");
  ASSERT_TRUE(entries) << entries.error().message;
  const Entries expected = {
      {"key", Value::of("a text with blanks")}, {"with blank", Value::of(std::int64_t{-5})}, {"empty", Value::of("")}};
  EXPECT_EQ(*entries, expected);
  for (const auto& [text, error] : {std::pair{"a i:1\nb 5\n", "t.list:2: a key is followed by i: and a number, or s: and a text"},
                                    {"a i:x", "t.list:1: 'x' is not a number"},
                                    {"a", "t.list:1: a key is followed by i: and a number, or s: and a text"},
                                    {"\"a i:1", "t.list:1: the key begins with a quote that has no end"}}) {
    const auto bad = parse_entries(text, "t.list");
    ASSERT_FALSE(bad) << text;
    EXPECT_EQ(bad.error().message, error);
  }
}

TEST(Entries, AreLoadedAndReloaded) {
  const std::string path = testing::TempDir() + "htable_entries.list";
  std::ofstream(path) << "a i:1\nb s:x\n";
  Tables tables({{.name = "t", .load = path}, {.name = "other"}});
  ASSERT_TRUE(tables.load(start));
  EXPECT_EQ(get(tables, "t", "a"), Value::of(std::int64_t{1}));
  ASSERT_EQ(tables.find("t")->set("c", Value::of("y"), start), Change::Done);
  std::ofstream(path) << "a i:2\nbroken\n";
  const auto bad = tables.reload(*tables.find("t"), start);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, path + ":2: a key is followed by i: and a number, or s: and a text");
  EXPECT_EQ(get(tables, "t", "a"), Value::of(std::int64_t{1})) << "an error changes nothing";
  std::ofstream(path) << "a i:2\n";
  ASSERT_TRUE(tables.reload(*tables.find("t"), start));
  EXPECT_EQ(get(tables, "t", "a"), Value::of(std::int64_t{2}));
  EXPECT_EQ(tables.find("t")->size(), 1U);
  EXPECT_FALSE(tables.reload(*tables.find("other"), start));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace perdure::htable

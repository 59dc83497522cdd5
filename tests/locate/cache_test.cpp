#include "locate/cache.hpp"

#include <gtest/gtest.h>

namespace perdure::locate {
namespace {

Question a(std::string name) {
  return {RecordType::A, std::move(name)};
}
Answer records(Duration ttl, std::string_view address = "192.0.2.1") {
  Answer answer;
  answer.kind = Answer::Kind::Records;
  answer.ttl = ttl;
  answer.addresses.push_back(*SocketAddress::parse(address, 0));
  return answer;
}
Answer none(Duration ttl) {
  Answer answer;
  answer.kind = Answer::Kind::None;
  answer.ttl = ttl;
  return answer;
}

constexpr Time start{1000s};

TEST(LocateCache, KeepsAnAnswerForItsTimeWithinTheBounds) {
  Cache cache({.ttl_min = 10s, .ttl_max = 100s});
  (void)cache.put(a("short"), records(0s), start);
  (void)cache.put(a("usual"), records(50s), start);
  (void)cache.put(a("long"), records(1h), start);
  const auto known = [&](const char* name, Duration after) { return cache.find(a(name), start + after) != nullptr; };
  EXPECT_TRUE(known("short", 9s));
  EXPECT_FALSE(known("short", 10s));
  EXPECT_TRUE(known("usual", 49s));
  EXPECT_FALSE(known("usual", 50s));
  EXPECT_TRUE(known("long", 99s));
  EXPECT_FALSE(known("long", 100s));
  EXPECT_EQ(cache.find({RecordType::Aaaa, "usual"}, start), nullptr);
}

TEST(LocateCache, KeepsThatThereIsNone) {
  Cache cache({.ttl_min = 10s, .negative_ttl = 30s});
  (void)cache.put(a("says nothing"), none(-1s), start);
  (void)cache.put(a("long"), none(1h), start);
  (void)cache.put(a("none"), none(0s), start);
  EXPECT_NE(cache.find(a("says nothing"), start + 29s), nullptr);
  EXPECT_EQ(cache.find(a("says nothing"), start + 30s), nullptr);
  EXPECT_NE(cache.find(a("long"), start + 29s), nullptr);
  EXPECT_EQ(cache.find(a("long"), start + 30s), nullptr);
  EXPECT_NE(cache.find(a("none"), start + 9s), nullptr);
  EXPECT_EQ(cache.find(a("none"), start + 10s), nullptr);
}

TEST(LocateCache, AnOldAnswerStandsInWhileNobodyCanSay) {
  Cache cache({.ttl_min = 1s, .failure_ttl = 5s, .stale_max = 60s});
  (void)cache.put(a("known"), records(10s), start);
  const auto stale = cache.put(a("known"), {}, start + 20s);
  EXPECT_EQ(stale->kind, Answer::Kind::Records);
  EXPECT_NE(cache.find(a("known"), start + 24s), nullptr);
  EXPECT_EQ(cache.find(a("known"), start + 25s), nullptr) << "then the DNS is asked again";
  EXPECT_EQ(cache.put(a("known"), {}, start + 71s)->kind, Answer::Kind::Failed) << "too old by now";
  EXPECT_EQ(cache.put(a("new"), {}, start)->kind, Answer::Kind::Failed);
  EXPECT_EQ(cache.find(a("new"), start + 4s)->kind, Answer::Kind::Failed);
  EXPECT_EQ(cache.find(a("new"), start + 5s), nullptr);
  EXPECT_EQ(cache.counters().stale, 1U);
}

// Somebody makes us look up names without end.
TEST(LocateCache, WhatIsUsedStaysWhenOthersComeInMasses) {
  Cache cache({.entries_max = 100});
  (void)cache.put(a("used"), records(1h), start);
  for (int i = 0; i < 10'000; ++i) {
    (void)cache.put(a("random" + std::to_string(i)), none(-1s), start);
    if (i % 50 == 0) {
      ASSERT_NE(cache.find(a("used"), start), nullptr);
    }
  }
  EXPECT_EQ(cache.counters().entries, 100U);
  EXPECT_EQ(cache.counters().evicted, 10'001U - 100U);
  EXPECT_NE(cache.find(a("random9999"), start), nullptr);
  EXPECT_EQ(cache.find(a("random1"), start), nullptr);
}

TEST(LocateCache, FixedAnswersStayForEver) {
  Cache cache({.entries_max = 1});
  cache.put_fixed(a("fixed"), records(0s));
  (void)cache.put(a("fixed"), records(1h, "192.0.2.9"), start);
  cache.clear();
  ASSERT_NE(cache.find(a("fixed"), never), nullptr);
  EXPECT_EQ(cache.find(a("fixed"), start)->addresses[0].ip_text(), "192.0.2.1");
  EXPECT_EQ(cache.list(start, 10).size(), 1U);
}

}  // namespace
}  // namespace perdure::locate

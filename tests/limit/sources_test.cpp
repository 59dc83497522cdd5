#include "limit/sources.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perdure::limit {
namespace {

constexpr Time start = Time(1000s);

SocketAddress source(const std::string& ip) {
  return *SocketAddress::parse(ip, 5060);
}

TEST(Sources, BlockWhatSendsMoreThanItsShare) {
  Sources sources({.interval = 2s, .requests_max = 30});
  for (int i = 0; i < 30; ++i) EXPECT_EQ(sources.check(source("192.0.2.1"), start), Verdict::Allowed) << i;
  EXPECT_EQ(sources.check(source("192.0.2.1"), start), Verdict::NewlyBlocked);
  EXPECT_EQ(sources.check(source("192.0.2.1"), start), Verdict::Blocked);
  EXPECT_EQ(sources.check(source("192.0.2.2"), start), Verdict::Allowed) << "another source";
  EXPECT_EQ(sources.refused(), 2U);
  // The interval after stays blocked, the next one is free if the source was quiet.
  EXPECT_EQ(sources.check(source("192.0.2.1"), start + 2s), Verdict::Blocked);
  EXPECT_EQ(sources.view(start + 2s, true, 10).size(), 1U);
  EXPECT_EQ(sources.check(source("192.0.2.1"), start + 4s), Verdict::Allowed);
  EXPECT_TRUE(sources.view(start + 4s, true, 10).empty());
}

TEST(Sources, BlockAlsoWhatComesAroundTheEndOfAnInterval) {
  Sources sources({.interval = 2s, .requests_max = 10});
  const Duration before_end = 2s - 1ms;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(sources.check(source("192.0.2.1"), start + before_end), Verdict::Allowed);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(sources.check(source("192.0.2.1"), start + 2s), Verdict::Allowed);
  EXPECT_EQ(sources.check(source("192.0.2.1"), start + 2s), Verdict::NewlyBlocked);
}

TEST(Sources, APrefixOfIpv6IsOneSource) {
  Sources sources({.interval = 2s, .requests_max = 2});
  EXPECT_EQ(sources.check(source("2001:db8::1"), start), Verdict::Allowed);
  EXPECT_EQ(sources.check(source("2001:db8::2"), start), Verdict::Allowed);
  EXPECT_EQ(sources.check(source("2001:db8::3"), start), Verdict::NewlyBlocked);
  EXPECT_EQ(sources.check(source("2001:db8:0:1::3"), start), Verdict::Allowed);
}

TEST(Sources, TheBusiestComeFirstWithHowHotTheyAre) {
  Sources sources({.interval = 2s, .requests_max = 40});
  const auto ask = [&](const char* ip, int times, Time now) {
    for (int i = 0; i < times; ++i) (void)sources.check(source(ip), now);
  };
  ask("192.0.2.1", 9, start);
  ask("192.0.2.2", 10, start);
  ask("192.0.2.3", 41, start);
  const auto all = sources.top(start, std::nullopt, 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].address.ip_text(), "192.0.2.3");
  EXPECT_EQ(all[0].heat, Heat::Hot);
  EXPECT_EQ(all[1].heat, Heat::Warm);
  EXPECT_EQ(all[2].heat, Heat::Cool);
  EXPECT_EQ(all[0].forgotten_in, 4s) << "this interval and the next";
  EXPECT_EQ(sources.top(start, Heat::Hot, 10).size(), 1U);
  EXPECT_EQ(sources.top(start, Heat::Warm, 10)[0].address.ip_text(), "192.0.2.2");
  EXPECT_EQ(sources.top(start, std::nullopt, 2).size(), 2U);
  // In the next interval the requests are those of the one before.
  ask("192.0.2.1", 50, start + 3s);
  const auto next = sources.top(start + 3s, std::nullopt, 10);
  EXPECT_EQ(next[0].address.ip_text(), "192.0.2.1");
  EXPECT_EQ(next[1].previous, 41U);
  EXPECT_EQ(next[1].heat, Heat::Hot) << "blocked until it has been quiet for an interval";
  EXPECT_EQ(next[1].forgotten_in, 1s);
  EXPECT_TRUE(sources.top(start + 8s, std::nullopt, 10).empty());
}

TEST(Sources, AFloodOfSpoofedAddressesDoesNotHideWhoSendsMuch) {
  Sources sources({.interval = 2s, .requests_max = 30, .sources_max = 1024});
  for (int i = 0; i < 40; ++i) (void)sources.check(source("192.0.2.1"), start);
  for (int i = 0; i < 100'000; ++i)
    (void)sources.check(source("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255)),
                        start);
  EXPECT_EQ(sources.check(source("192.0.2.1"), start), Verdict::Blocked);
  EXPECT_LE(sources.view(start, false, 100'000).size(), 1024U);
}

}  // namespace
}  // namespace perdure::limit

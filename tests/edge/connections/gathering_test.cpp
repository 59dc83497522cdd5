#include "edge/connections/gathering.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace perdure::edge {
namespace {

using namespace std::chrono_literals;

// A loop whose messages come at even intervals, and which takes no time itself.
class Loop {
 public:
  explicit Loop(std::chrono::nanoseconds interval, std::chrono::nanoseconds time_max = 500us) : gathering_(time_max), interval_(interval) {}

  // One turn: how many messages it found.
  std::uint64_t turn(bool idle = true) {
    last_pause_ = gathering_.pause(now_);
    now_ += last_pause_;
    const auto waiting_since = now_;
    now_ = std::max(now_, next_);  // it sleeps until something is there
    std::uint64_t found = 0;
    for (; next_ <= now_; next_ += interval_) ++found;
    gathering_.on_turn(found, waiting_since, now_, idle);
    return found;
  }
  [[nodiscard]] std::chrono::nanoseconds last_pause() const { return last_pause_; }
  [[nodiscard]] Gathering::Time now() const { return now_; }
  [[nodiscard]] Gathering& gathering() { return gathering_; }

 private:
  Gathering gathering_;
  const std::chrono::nanoseconds interval_;
  Gathering::Time now_{1h}, next_{1h};
  std::chrono::nanoseconds last_pause_{};
};

TEST(Gathering, MessagesThatAreFarApartDoNotWait) {
  Loop loop(10ms);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(loop.turn(), 1U);
    EXPECT_EQ(loop.last_pause(), 0ns);
  }
}

TEST(Gathering, MessagesThatAreCloseComeFourAtATime) {
  Loop loop(40us);
  for (int i = 0; i < 100; ++i) (void)loop.turn();
  for (int i = 0; i < 20; ++i) {
    const auto found = loop.turn();
    EXPECT_GE(found, 3U);
    EXPECT_LE(found, 5U);
    EXPECT_LE(loop.last_pause(), 200us);
  }
}

TEST(Gathering, NobodyWaitsLongerThanTheLimit) {
  for (const auto interval : {130us, 200us, 400us, 499us, 600us}) {
    Loop loop(interval);
    for (int i = 0; i < 200; ++i) {
      (void)loop.turn();
      EXPECT_LE(loop.last_pause(), 500us) << interval.count();
    }
  }
}

TEST(Gathering, WithALimitOfZeroNobodyWaits) {
  Loop loop(40us, 0us);
  for (int i = 0; i < 100; ++i) {
    (void)loop.turn();
    EXPECT_EQ(loop.last_pause(), 0ns);
  }
}

TEST(Gathering, WhatElseIsToDoComesFirst) {
  Loop loop(40us);
  for (int i = 0; i < 100; ++i) (void)loop.turn();
  (void)loop.turn(false);
  EXPECT_EQ(loop.gathering().pause(loop.now()), 0ns);
}

TEST(Gathering, APauseIsForOneTurnUnlessItIsResumed) {
  Loop loop(40us);
  for (int i = 0; i < 100; ++i) (void)loop.turn();
  const auto whole = loop.gathering().pause(loop.now());
  EXPECT_GT(whole, 0ns);
  EXPECT_EQ(loop.gathering().pause(loop.now()), 0ns);
  loop.gathering().resume(true);
  EXPECT_EQ(loop.gathering().pause(loop.now() + 10us), whole - 10us) << "the time that has passed counts";
  loop.gathering().resume(true);
  EXPECT_EQ(loop.gathering().pause(loop.now() + 1ms), 0ns);
  loop.gathering().resume(false);
  EXPECT_EQ(loop.gathering().pause(loop.now()), 0ns);
}

}  // namespace
}  // namespace perdure::edge

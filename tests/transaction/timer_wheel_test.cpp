#include "transaction/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/random.hpp"

namespace perdure::transaction {
namespace {

Time at(std::int64_t milliseconds) {
  return Time(std::chrono::milliseconds(milliseconds));
}

TEST(TimerWheel, FiresAtItsTimeAndNotBefore) {
  TimerWheel wheel(at(1000));
  std::vector<std::uint32_t> due;
  wheel.schedule(7, at(1500));
  wheel.advance(at(1499), due, 10);
  EXPECT_TRUE(due.empty());
  wheel.advance(at(1500), due, 10);
  EXPECT_EQ(due, std::vector<std::uint32_t>{7});
  wheel.advance(at(9000), due, 10);
  EXPECT_TRUE(due.empty());
  EXPECT_EQ(wheel.next(), never);
}

TEST(TimerWheel, WhatIsOverdueFiresAtOnceWithinTheLimit) {
  TimerWheel wheel(at(1000));
  std::vector<std::uint32_t> due;
  for (std::uint32_t id = 0; id < 5; ++id) wheel.schedule(id, at(10));
  EXPECT_LE(wheel.next(), at(1001));
  wheel.advance(at(1000), due, 3);
  EXPECT_EQ(due.size(), 3U);
  wheel.advance(at(1000), due, 3);
  EXPECT_EQ(due.size(), 2U);
}

// Against a map as the model: nothing early, nothing late, nothing lost, over all levels.
TEST(TimerWheel, AgreesWithAModelOverRandomOperations) {
  Random random(42);
  std::int64_t now = 123456;
  TimerWheel wheel(at(now));
  std::map<std::uint32_t, std::int64_t> model;
  std::vector<std::uint32_t> due;
  for (int step = 0; step < 200000; ++step) {
    const auto id = static_cast<std::uint32_t>(random.below(500));
    switch (random.below(4)) {
      case 0: {
        constexpr std::int64_t spans[] = {10, 300, 70000, 20000000};
        model[id] = now + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(spans[random.below(4)]))) + 1;
        wheel.schedule(id, at(model[id]));
        break;
      }
      case 1:
        model.erase(id);
        wheel.cancel(id);
        break;
      default: {
        constexpr std::int64_t steps[] = {1, 5, 255, 257, 66000};
        now += steps[random.below(5)];
        const Time next = wheel.next();
        for (const auto& [other, deadline] : model) ASSERT_LE(next, at(deadline)) << "next() is later than the deadline of " << other;
        wheel.advance(at(now), due, 100000);
        for (const auto fired : due) {
          ASSERT_TRUE(model.contains(fired));
          ASSERT_LE(model[fired], now);
          model.erase(fired);
        }
        for (const auto& [other, deadline] : model) ASSERT_GT(deadline, now) << other << " is late";
      }
    }
    ASSERT_EQ(wheel.size(), model.size());
  }
}

}  // namespace
}  // namespace perdure::transaction

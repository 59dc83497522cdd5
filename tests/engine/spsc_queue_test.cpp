#include "engine/spsc_queue.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <thread>

namespace perdure::engine {
namespace {

TEST(SpscQueue, GivesBackInOrderAndRefusesWhenFull) {
  SpscQueue<int, 4> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.pop());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i));
    EXPECT_FALSE(queue.push(4));
    EXPECT_FALSE(queue.empty());
    for (int i = 0; i < 4; ++i) EXPECT_EQ(queue.pop(), i);
    EXPECT_FALSE(queue.pop());
  }
}

TEST(SpscQueue, LosesAndReordersNothingBetweenTwoThreads) {
  struct Item {
    std::uint64_t number = 0, inverse = 0;  // two words: a torn one would show
  };
  constexpr std::uint64_t count = 300'000;
  const auto queue = std::make_unique<SpscQueue<Item, 64>>();
  std::thread pushing([&] {
    for (std::uint64_t i = 0; i < count; ++i)
      while (!queue->push({i, ~i})) std::this_thread::yield();
  });
  std::uint64_t wrong = 0;
  for (std::uint64_t next = 0; next < count;) {
    const auto item = queue->pop();
    if (!item) {
      std::this_thread::yield();
      continue;
    }
    wrong += item->number != next || item->inverse != ~next;
    ++next;
  }
  pushing.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_TRUE(queue->empty());
}

}  // namespace
}  // namespace perdure::engine

#include "sim/world.hpp"

#include <gtest/gtest.h>

namespace perdure::sim {
namespace {

WorldReport run(std::uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  options.calls = 100;
  return run_world(options);
}

TEST(World, ASeedDecidesEverything) {
  for (const std::uint64_t seed : {1, 2, 10}) {  // 10 routes by a script
    const auto one = run(seed), again = run(seed);
    EXPECT_EQ(one.digest, again.digest) << seed;
    EXPECT_EQ(one.crashes, again.crashes) << seed;
    EXPECT_EQ(one.packets, again.packets) << seed;
  }
  EXPECT_NE(run(1).digest, run(2).digest);
}

}  // namespace
}  // namespace perdure::sim

// Logical time over restarts and reboots. Readings in microseconds.
#include "store/file_fixture.hpp"

namespace perdure::store {
namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t wall = 1'700'000'000 * second;

class ClockTest : public FileTest {
 protected:
  // Opens at the given readings, lets `run` pass, and closes. Returns the logical time at the open.
  std::int64_t session(ClockPolicy policy, std::int64_t monotonic_us, std::int64_t wall_us, std::int64_t run) {
    options.clock = policy;
    options.monotonic_us = monotonic_us;
    options.wall_us = wall_us;
    auto store = open();
    const std::int64_t start = store->now(monotonic_us).time_since_epoch().count();
    EXPECT_EQ(store->now(monotonic_us + run).time_since_epoch().count(), start + run);
    store->heartbeat(store->now(monotonic_us + run), wall_us + run);
    return start;
  }
};

TEST_F(ClockTest, FrozenStandsStillWhileNobodyIsThere) {
  EXPECT_EQ(session(ClockPolicy::Frozen, 500 * second, wall, 10 * second), 0);
  EXPECT_EQ(session(ClockPolicy::Frozen, 700 * second, wall + 200 * second, 10 * second), 10 * second);
  // A reboot: monotonic time begins anew.
  EXPECT_EQ(session(ClockPolicy::Frozen, 3 * second, wall + 900 * second, 10 * second), 20 * second);
  // Whatever the wall clock says.
  EXPECT_EQ(session(ClockPolicy::Frozen, 20 * second, wall - 100 * second, second), 30 * second);
  EXPECT_EQ(session(ClockPolicy::Frozen, 30 * second, 0, second), 31 * second);
}

TEST_F(ClockTest, ElapsedPassesByTheWallClock) {
  EXPECT_EQ(session(ClockPolicy::Elapsed, 500 * second, wall, 10 * second), 0);
  EXPECT_EQ(session(ClockPolicy::Elapsed, 700 * second, wall + 200 * second, 10 * second), 200 * second);
  EXPECT_EQ(session(ClockPolicy::Elapsed, 3 * second, wall + 900 * second, 10 * second), 900 * second);
}

TEST_F(ClockTest, AWallClockSetBackCountsForNothing) {
  EXPECT_EQ(session(ClockPolicy::Elapsed, 500 * second, wall, 10 * second), 0);
  EXPECT_EQ(session(ClockPolicy::Elapsed, 600 * second, wall - 1000 * second, 10 * second), 10 * second);
  // And from there it passes as the clock that was set.
  EXPECT_EQ(session(ClockPolicy::Elapsed, 700 * second, wall - 900 * second, second), 20 * second + 90 * second);
}

TEST_F(ClockTest, ThePolicyMayChange) {
  EXPECT_EQ(session(ClockPolicy::Elapsed, 1 * second, wall, 10 * second), 0);
  EXPECT_EQ(session(ClockPolicy::Frozen, 1 * second, wall + 60 * second, 10 * second), 10 * second);
  EXPECT_EQ(session(ClockPolicy::Elapsed, 1 * second, wall + 75 * second, second), 20 * second + 5 * second);
}

TEST_F(ClockTest, DamagedReadingsDoNotOverflow) {
  for (const std::int64_t logical : {INT64_MIN, std::int64_t{-1}, INT64_MAX})
    for (const std::int64_t wall_us : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
      session(ClockPolicy::Elapsed, second, wall, second);
      patch_value(offsetof(Superblock, last_logical_us), logical);
      patch_value(offsetof(Superblock, last_wall_us), wall_us);
      const std::int64_t start = session(ClockPolicy::Elapsed, 5 * second, wall, second);
      EXPECT_GE(start, 0);
      EXPECT_LT(start, INT64_MAX / 2);
      std::filesystem::remove(options.path);
    }
}

}  // namespace
}  // namespace perdure::store

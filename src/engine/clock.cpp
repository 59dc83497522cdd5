#include "engine/clock.hpp"

#include <ctime>

namespace perdure::engine {
namespace {

std::int64_t read_us(clockid_t clock) {
  timespec now{};
  (void)clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

std::int64_t monotonic_us() {
  return read_us(CLOCK_MONOTONIC);
}
std::int64_t wall_us() {
  return read_us(CLOCK_REALTIME);
}

}  // namespace perdure::engine

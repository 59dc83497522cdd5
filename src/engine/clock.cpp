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
std::uint64_t monotonic_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}
std::int64_t wall_us() {
  return read_us(CLOCK_REALTIME);
}
std::int64_t processor_us() {
  return read_us(CLOCK_THREAD_CPUTIME_ID);
}

}  // namespace perdure::engine

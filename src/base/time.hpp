#pragma once
// Time as the protocol sees it. `now` is an argument everywhere but in app/, engine/, edge/ and sim/.
#include <chrono>
#include <cstdint>

namespace perdure {

// Logical time of a store: microseconds that pass only while the clock policy says so (DESIGN section 4, `clock`). Never wall clock.
struct StoreClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::microseconds;
  using time_point = std::chrono::time_point<StoreClock>;
  static constexpr bool is_steady = true;
};
using Duration = StoreClock::duration;
using Time = StoreClock::time_point;
inline constexpr Time never = Time::max();

using namespace std::chrono_literals;

}  // namespace perdure

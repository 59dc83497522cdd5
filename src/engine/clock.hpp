#pragma once
// Readings of the clocks; everything below the engine gets time as an argument.
#include <cstdint>

namespace perdure::engine {

[[nodiscard]] std::int64_t monotonic_us();  // CLOCK_MONOTONIC: the same in all processes until the host reboots
[[nodiscard]] std::int64_t wall_us();       // since 1970

}  // namespace perdure::engine

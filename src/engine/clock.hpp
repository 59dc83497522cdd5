#pragma once
// Readings of the clocks; everything below the engine gets time as an argument.
#include <cstdint>

namespace perdure::engine {

[[nodiscard]] std::int64_t monotonic_us();  // CLOCK_MONOTONIC: the same in all processes until the host reboots
[[nodiscard]] std::uint64_t monotonic_ns();
[[nodiscard]] std::int64_t wall_us();       // since 1970
[[nodiscard]] std::int64_t processor_us();  // that this thread has used

}  // namespace perdure::engine

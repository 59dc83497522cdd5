#pragma once
// Counts the operator new of each thread of the test program.
#include <cstdint>

namespace perdure::engine {

// Of the calling thread, since it began.
[[nodiscard]] std::uint64_t allocations_of_this_thread();

}  // namespace perdure::engine

#pragma once
// For test programs that count what they take from the heap: linked into one, it replaces its operator new.
#include <cstdint>

namespace perdure {

// How often the calling thread has called operator new, in any of its forms.
[[nodiscard]] std::uint64_t allocations_of_this_thread();

}  // namespace perdure

#pragma once
#include <cstddef>

namespace perdure::sip {

// How often this program has called operator new, in any of its forms.
[[nodiscard]] std::size_t allocations();

}  // namespace perdure::sip

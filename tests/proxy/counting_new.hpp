#pragma once
// Counts every operator new of the test program.
#include <cstdint>

namespace perdure {

[[nodiscard]] std::uint64_t allocation_count();
// The next allocation aborts: a debugger then shows who it was.
void trap_allocations(bool on);

}  // namespace perdure

#include "proxy/counting_new.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::uint64_t> count{0};
std::atomic<bool> trap{false};
}  // namespace

namespace perdure {
std::uint64_t allocation_count() {
  return count.load(std::memory_order_relaxed);
}
void trap_allocations(bool on) {
  trap = on;
}
}  // namespace perdure

// The array forms end here, too.
void* operator new(std::size_t size) {
  count.fetch_add(1, std::memory_order_relaxed);
  if (trap) std::abort();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

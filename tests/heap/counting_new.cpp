#include "heap/counting_new.hpp"

#include <cstdlib>
#include <new>

namespace perdure {
namespace {

thread_local std::uint64_t count = 0;

}  // namespace

std::uint64_t allocations_of_this_thread() {
  return count;
}

}  // namespace perdure

// The array forms end here, too, and what is aligned has its own.
void* operator new(std::size_t size) {
  ++perdure::count;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++perdure::count;
  return std::malloc(size ? size : 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++perdure::count;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

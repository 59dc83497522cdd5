#pragma once
// A number in memory that several processes map: one thread writes, all read.
#include <atomic>
#include <cstdint>

namespace perdure::metrics {

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.store(get() + count, std::memory_order_relaxed); }
  // For the few that more than one thread writes.
  void add_shared(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace perdure::metrics

#pragma once
// Bounded queue between two threads: one pushes, one pops. No locks, no allocation.
#include <array>
#include <atomic>
#include <cstddef>
#include <optional>

namespace perdure::engine {

template <class T, std::size_t Capacity>
class SpscQueue {
  static_assert((Capacity & (Capacity - 1)) == 0, "a power of two");

 public:
  // False: full.
  [[nodiscard]] bool push(const T& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == Capacity) return false;
    items_[tail % Capacity] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  [[nodiscard]] std::optional<T> pop() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    const T value = items_[head % Capacity];
    head_.store(head + 1, std::memory_order_release);
    return value;
  }
  // Seen from the popping thread.
  [[nodiscard]] bool empty() const { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire); }

 private:
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
  std::array<T, Capacity> items_{};
};

}  // namespace perdure::engine

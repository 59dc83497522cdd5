#pragma once
// Hierarchical timer wheel: one deadline per record, whichever of its timers is due first. Derived state, rebuilt at attach.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace perdure::transaction {

// Ticks of one millisecond, four levels of 256 slots: 49 days. Ids are small dense numbers (record slots); memory is 24 bytes per id seen.
class TimerWheel {
 public:
  // Deadlines before `start` fire at the first advance.
  explicit TimerWheel(Time start);

  // Room for ids below `limit`, so that schedule() need not make it step by step.
  void reserve(std::uint32_t limit);
  // Replaces the deadline of `id`; `never` cancels.
  void schedule(std::uint32_t id, Time deadline);
  void cancel(std::uint32_t id) { schedule(id, never); }

  // Takes the ids whose deadline is at or before `now`, at most `limit`, into `due`, which keeps its capacity. What is over the limit comes
  // next time.
  void advance(Time now, std::vector<std::uint32_t>& due, std::size_t limit);

  // When advance() may have something to do; never later than the first deadline, `never` if none is set.
  [[nodiscard]] Time next() const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t level_count = 4, slot_count = 256, overdue = level_count * slot_count;
  static constexpr std::uint32_t none = UINT32_MAX;
  struct Node {
    std::int64_t tick;
    std::uint32_t next, previous;
    std::uint32_t list;  // the slot it is in, plus one; 0: no deadline
  };
  // Nodes of zeroes, made by the first touch of their page: ids lie in groups with large gaps, and an attach has no time for the gaps.
  struct Nodes {
    Nodes() = default;
    Nodes(Nodes&& other) noexcept : begin(std::exchange(other.begin, nullptr)), count(std::exchange(other.count, 0)) {}
    Nodes& operator=(Nodes&& other) noexcept {
      std::swap(begin, other.begin);
      std::swap(count, other.count);
      return *this;
    }
    ~Nodes() { std::free(begin); }
    void grow(std::size_t wanted);
    [[nodiscard]] Node& operator[](std::uint32_t id) { return begin[id]; }

    Node* begin = nullptr;
    std::size_t count = 0;
  };

  void link(std::uint32_t id);
  void unlink(std::uint32_t id);
  void cascade(std::size_t slot);
  [[nodiscard]] std::size_t slot_for(std::int64_t tick) const;

  std::int64_t now_tick_;
  std::size_t size_ = 0;
  Nodes nodes_;
  std::array<std::uint32_t, level_count * slot_count + 1> heads_;
  std::array<std::array<std::uint64_t, slot_count / 64>, level_count> occupied_{};
};

}  // namespace perdure::transaction

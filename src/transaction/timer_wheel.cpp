#include "transaction/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/assert.hpp"

namespace perdure::transaction {
namespace {
constexpr std::int64_t tick_us = 1000;
// Rounded up, so that nothing fires early.
std::int64_t tick_of(Time time) {
  return (time.time_since_epoch().count() + tick_us - 1) / tick_us;
}
}  // namespace

TimerWheel::TimerWheel(Time start) : now_tick_(start.time_since_epoch().count() / tick_us) {
  heads_.fill(none);
}

std::size_t TimerWheel::slot_for(std::int64_t tick) const {
  const std::int64_t ahead = tick - now_tick_;
  if (ahead <= 0) return overdue;
  std::size_t level = 0;
  while (level + 1 < level_count && ahead >= std::int64_t{1} << (8 * (level + 1))) ++level;
  // Beyond the horizon: the last slot of the last level, sorted in again when it comes up.
  const std::int64_t at = std::min(tick, now_tick_ + (std::int64_t{255} << (8 * (level_count - 1))));
  return level * slot_count + static_cast<std::size_t>((at >> (8 * level)) & 255);
}

void TimerWheel::link(std::uint32_t id) {
  Node& node = nodes_[id];
  const std::size_t slot = slot_for(node.tick);
  node.list = static_cast<std::uint32_t>(slot) + 1;
  node.previous = none;
  node.next = heads_[slot];
  if (node.next != none) nodes_[node.next].previous = id;
  heads_[slot] = id;
  if (slot != overdue) occupied_[slot / slot_count][(slot % slot_count) / 64] |= std::uint64_t{1} << (slot % 64);
}

void TimerWheel::unlink(std::uint32_t id) {
  Node& node = nodes_[id];
  const std::size_t slot = node.list - 1;
  if (node.previous != none)
    nodes_[node.previous].next = node.next;
  else
    heads_[slot] = node.next;
  if (node.next != none) nodes_[node.next].previous = node.previous;
  if (slot != overdue && heads_[slot] == none) occupied_[slot / slot_count][(slot % slot_count) / 64] &= ~(std::uint64_t{1} << (slot % 64));
  node.list = 0;
}

void TimerWheel::Nodes::grow(std::size_t wanted) {
  static_assert(std::is_trivially_copyable_v<Node>);
  if (wanted <= count) return;
  auto* const more = static_cast<Node*>(std::calloc(wanted, sizeof(Node)));
  PERDURE_ASSERT(more != nullptr);
  if (count) std::memcpy(more, begin, count * sizeof(Node));
  std::free(begin);
  begin = more;
  count = wanted;
}

void TimerWheel::reserve(std::uint32_t limit) {
  nodes_.grow(limit);
}

void TimerWheel::schedule(std::uint32_t id, Time deadline) {
  if (id >= nodes_.count) {
    if (deadline == never) return;
    nodes_.grow(std::max<std::size_t>(id + std::size_t{1}, nodes_.count * 2));
  }
  Node& node = nodes_[id];
  const std::int64_t tick = deadline == never ? 0 : tick_of(deadline);
  if (node.list != 0) {
    if (deadline != never && node.tick == tick) return;
    unlink(id);
    --size_;
  }
  if (deadline == never) return;
  node.tick = tick;
  link(id);
  ++size_;
}

void TimerWheel::cascade(std::size_t slot) {
  std::uint32_t id = heads_[slot];
  while (id != none) {
    const std::uint32_t following = nodes_[id].next;
    unlink(id);
    link(id);
    id = following;
  }
}

void TimerWheel::advance(Time now, std::vector<std::uint32_t>& due, std::size_t limit) {
  due.clear();
  const std::int64_t target = now.time_since_epoch().count() / tick_us;
  if (size_ == 0) now_tick_ = std::max(now_tick_, target);
  while (now_tick_ < target) {
    // Nothing in the rest of this level-0 round: jump to its end.
    if ((now_tick_ & 255) == 0 && std::ranges::all_of(occupied_[0], [](std::uint64_t word) { return word == 0; }))
      now_tick_ = std::min(target, now_tick_ + 255);
    if (now_tick_ < target) ++now_tick_;
    for (std::size_t level = 1; level < level_count && (now_tick_ & ((std::int64_t{1} << (8 * level)) - 1)) == 0; ++level)
      cascade(level * slot_count + static_cast<std::size_t>((now_tick_ >> (8 * level)) & 255));
    cascade(static_cast<std::size_t>(now_tick_ & 255));  // moves what is due to the overdue list
  }
  while (heads_[overdue] != none && due.size() < limit) {
    const std::uint32_t id = heads_[overdue];
    unlink(id);
    --size_;
    due.push_back(id);
  }
}

Time TimerWheel::next() const {
  if (size_ == 0) return never;
  if (heads_[overdue] != none) return Time(Duration(now_tick_ * tick_us));
  // The first slot of a higher level may begin before the first of a lower one, so all levels are looked at.
  std::int64_t first = INT64_MAX;
  for (std::size_t level = 0; level < level_count; ++level) {
    const std::int64_t base = now_tick_ >> (8 * level);
    for (std::int64_t step = 1; step <= 256; ++step) {
      const auto index = static_cast<std::size_t>((base + step) & 255);
      if ((occupied_[level][index / 64] >> (index % 64)) & 1) {
        first = std::min(first, (base + step) << (8 * level));
        break;
      }
      if (index % 64 == 0 && occupied_[level][index / 64] == 0) step += 63;
    }
  }
  return Time(Duration(first * tick_us));
}

}  // namespace perdure::transaction

#include "limit/sources.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/checksum.hpp"

namespace perdure::limit {
namespace {

// The same source for all addresses of its prefix.
std::array<std::uint8_t, 16> prefix_of(const SocketAddress& source, unsigned ipv6_bits) {
  auto ip = source.ip;
  if (source.family != Family::IPv6) return ip;
  for (unsigned i = 0; i < ip.size(); ++i) {
    if (i * 8 + 8 <= ipv6_bits) continue;
    ip[i] = i * 8 >= ipv6_bits ? std::uint8_t{0} : static_cast<std::uint8_t>(ip[i] & (0xff00U >> (ipv6_bits - i * 8)));
  }
  return ip;
}

}  // namespace

Sources::Sources(SourceOptions options)
    : options_(options),
      sets_(std::bit_ceil(std::max<std::size_t>(options.sources_max / ways, 1))),
      // Another place in each process: nobody can choose addresses that meet in one set.
      seed_(checksum(std::string_view("sources"), reinterpret_cast<std::uintptr_t>(sets_.data()))) {}

std::uint32_t Sources::interval_of(Time now) const {
  return static_cast<std::uint32_t>(now.time_since_epoch() / options_.interval);
}

void Sources::move_to(Slot& slot, std::uint32_t interval) {
  const std::uint32_t passed = interval - slot.interval;
  if (passed == 0) return;
  slot.previous = passed == 1 ? slot.current : 0;
  slot.current = 0;
  slot.interval = interval;
}

bool Sources::is_hot(const Slot& slot) const {
  return slot.current > options_.requests_max || slot.previous > options_.requests_max ||
         std::uint64_t{slot.current} + slot.previous > 2 * std::uint64_t{options_.requests_max};
}

Verdict Sources::check(const SocketAddress& source, Time now) {
  const auto ip = prefix_of(source, options_.ipv6_bits);
  const std::uint32_t interval = interval_of(now);
  const std::size_t index = checksum(ip.data(), ip.size(), seed_) & (sets_.size() - 1);
  const std::scoped_lock lock(mutexes_[index % mutexes_.size()]);
  Slot* slot = nullptr;
  Slot* quietest = nullptr;
  for (Slot& one : sets_[index]) {
    if (one.family != Family::None) move_to(one, interval);
    if (one.family == source.family && one.ip == ip) slot = &one;
    const auto weight = [](const Slot& s) { return s.family == Family::None ? 0 : std::uint64_t{s.current} + s.previous + 1; };
    if (!quietest || weight(one) < weight(*quietest)) quietest = &one;
  }
  if (!slot) {
    slot = quietest;
    *slot = Slot{.ip = ip, .family = source.family, .blocked = false, .interval = interval, .previous = 0, .current = 0};
  }
  if (slot->current < UINT32_MAX) ++slot->current;
  const bool was_blocked = slot->blocked;
  slot->blocked = is_hot(*slot);
  if (!slot->blocked) return Verdict::Allowed;
  refused_.fetch_add(1, std::memory_order_relaxed);
  return was_blocked ? Verdict::Blocked : Verdict::NewlyBlocked;
}

std::vector<SourceView> Sources::view(Time now, bool blocked_only, std::size_t limit) const {
  std::vector<SourceView> views;
  const std::uint32_t interval = interval_of(now);
  for (std::size_t i = 0; i < sets_.size() && views.size() < limit; ++i) {
    const std::scoped_lock lock(mutexes_[i % mutexes_.size()]);
    for (Slot slot : sets_[i]) {
      if (slot.family == Family::None) continue;
      move_to(slot, interval);
      const auto view = view_of(slot, now);
      if (blocked_only ? !view.blocked : view.current + view.previous == 0) continue;
      if (views.size() < limit) views.push_back(view);
    }
  }
  return views;
}

// `slot` has been moved to the interval of `now`.
SourceView Sources::view_of(const Slot& slot, Time now) const {
  SourceView view;
  view.address.ip = slot.ip;
  view.address.family = slot.family;
  view.previous = slot.previous;
  view.current = slot.current;
  view.heat = is_hot(slot) ? Heat::Hot : slot.current > 0 && slot.current >= options_.requests_max / 4 ? Heat::Warm : Heat::Cool;
  view.blocked = slot.blocked && view.heat == Heat::Hot;
  view.forgotten_in = (slot.current > 0 ? 2 : 1) * options_.interval - now.time_since_epoch() % options_.interval;
  return view;
}

std::vector<SourceView> Sources::top(Time now, std::optional<Heat> heat, std::size_t limit) const {
  auto views = view(now, false, SIZE_MAX);
  if (heat) std::erase_if(views, [&](const SourceView& one) { return one.heat != *heat; });
  const auto busier = [](const SourceView& one, const SourceView& other) {
    const auto rank = [](const SourceView& source) {
      return std::tuple(std::uint64_t{source.current} + source.previous, source.current, source.address.ip);
    };
    return rank(one) > rank(other);
  };
  const auto kept = static_cast<std::ptrdiff_t>(std::min(limit, views.size()));
  std::ranges::partial_sort(views, views.begin() + kept, busier);
  views.resize(static_cast<std::size_t>(kept));
  return views;
}

}  // namespace perdure::limit

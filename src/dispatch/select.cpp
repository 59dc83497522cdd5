// The algorithms: which destination of a set, and the order in which the others are tried.
#include <algorithm>
#include <limits>

#include "base/checksum.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/hash_key.hpp"
#include "dispatch/load_key.hpp"

namespace perdure::dispatch {

std::optional<Algorithm> algorithm_from(std::int64_t number) {
  if (number < 0 || number > static_cast<std::int64_t>(Algorithm::RelativeWeight)) return std::nullopt;
  return static_cast<Algorithm>(number);
}

std::size_t Dispatcher::least_loaded(const Set& set) const {
  std::size_t best = set.destinations.size();
  std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
  for (std::size_t i = 0; i < set.destinations.size(); ++i) {
    const auto& one = set.destinations[i];
    const std::uint32_t load = state_.load(one.slot);
    if (!dispatch::is_usable(flags_of(one)) || (one.maxload != 0 && load >= one.maxload) || load >= least) continue;
    best = i;
    least = load;
  }
  return best;
}

// The weights of unusable destinations go to the usable ones in proportion.
std::size_t Dispatcher::by_relative_weight(const Set& set, Random& random) const {
  std::uint64_t sum = 0;
  for (const auto& one : set.destinations)
    if (dispatch::is_usable(flags_of(one))) sum += one.relative_weight;
  if (sum == 0) return 0;
  std::uint64_t ticket = random.below(sum);
  for (std::size_t i = 0; i < set.destinations.size(); ++i) {
    const auto& one = set.destinations[i];
    if (!dispatch::is_usable(flags_of(one))) continue;
    if (ticket < one.relative_weight) return i;
    ticket -= one.relative_weight;
  }
  return 0;  // a state changed meanwhile
}

// A position to begin at; the size of the set when there is none. It may be unusable: the caller goes on from it.
std::size_t Dispatcher::choose(const Set& set, Algorithm algorithm, const SelectKeys& keys, Random& random) const {
  const std::size_t size = set.destinations.size();
  switch (algorithm) {
    case Algorithm::CallId:
      return checksum(keys.call_id) % size;
    case Algorithm::FromUri:
      return hash_of_uri(keys.from_uri) % size;
    case Algorithm::ToUri:
      return hash_of_uri(keys.to_uri) % size;
    case Algorithm::RequestUri:
      return hash_of_uri(keys.request_uri) % size;
    // Without credentials Kamailio turns to random, so that anonymous calls do not all meet at one gateway.
    case Algorithm::AuthUser:
      return (keys.auth_user.empty() ? random.next() : checksum(keys.auth_user)) % size;
    case Algorithm::Random:
      return random.below(size);
    case Algorithm::Text:
      return checksum(keys.text) % size;
    case Algorithm::Priority:
      return 0;
    case Algorithm::CallLoad:
      return least_loaded(set);
    case Algorithm::RelativeWeight:
      return by_relative_weight(set, random);
    case Algorithm::RoundRobin:
      return set.next_round_robin.load(std::memory_order_relaxed) % size;
    case Algorithm::Weight:
      if (set.by_weight.empty()) return 0;
      return set.by_weight[set.next_weight.fetch_add(1, std::memory_order_relaxed) % set.by_weight.size()];
  }
  return 0;
}

Selection Dispatcher::select(std::int32_t set_id, Algorithm algorithm, const SelectKeys& keys, Random& random, Time now,
                             std::size_t limit) {
  Selection selection;
  auto list = this->list();
  const Set* const set = list->find(set_id);
  if (set == nullptr) return selection;
  if (limit == 0 || limit > candidates_max) limit = candidates_max;
  const std::size_t size = set->destinations.size(), begin = choose(*set, algorithm, keys, random);
  if (begin == size) return selection;
  for (std::size_t step = 0; step < size && selection.count < limit; ++step) {
    const std::size_t position = (begin + step) % size;
    const Destination& one = set->destinations[position];
    if (!dispatch::is_usable(flags_of(one))) continue;
    // The successor of the one that was taken is next: an unusable one does not double the share of its neighbour.
    if (selection.count == 0 && algorithm == Algorithm::RoundRobin)
      set->next_round_robin.store(static_cast<std::uint32_t>((position + 1) % size), std::memory_order_relaxed);
    selection.destinations[selection.count++] = &one;
  }
  if (selection.count == 0) return selection;
  selection.list = std::move(list);
  if (algorithm == Algorithm::CallLoad && !keys.call_id.empty())
    state_.load_add(load_key(keys.call_id), selection.first().slot, now + options_.load_expire);
  return selection;
}

}  // namespace perdure::dispatch

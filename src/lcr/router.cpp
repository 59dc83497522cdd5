#include "lcr/router.hpp"

#include <algorithm>

#include "base/checksum.hpp"

namespace perdure::lcr {
namespace {

constexpr Duration longest_out = std::chrono::hours(24 * 365);  // what ends later is no state of ours

std::uint64_t key_of(std::uint32_t instance, std::string_view name) {
  const std::uint64_t key = checksum(name, instance);
  return key != 0 ? key : 1;  // 0 is a free slot
}

}  // namespace

void Router::replace(List list) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(states_, [&](const auto& one) {
    const bool gone = !list.find_gateway(one.first.first, one.first.second);
    if (gone) file_.erase(key_of(one.first.first, one.first.second));
    return gone;
  });
  list_.store(std::make_shared<const List>(std::move(list)), std::memory_order_release);
}

Result<> Router::open_states(const std::string& path, Time now) {
  const auto list = this->list();
  const std::scoped_lock lock(mutex_);
  if (auto opened = file_.open(path); !opened) return opened;
  std::map<std::uint64_t, const Gateway*> known;
  for (const auto& gateway : list->gateways()) known.emplace(key_of(gateway.instance, gateway.name), &gateway);
  std::vector<std::uint64_t> outdated;
  file_.for_each([&](std::uint64_t key, const GatewayState& state) {
    const auto gateway = known.find(key);
    if (gateway != known.end() && state.out_until < now + longest_out && (state.failures || state.out_until > now))
      states_[{gateway->second->instance, gateway->second->name}] = state;
    else
      outdated.push_back(key);
  });
  for (const auto key : outdated) file_.erase(key);
  return {};
}

void Router::keep(const Gateway& gateway, const GatewayState& state) {
  (void)file_.put(key_of(gateway.instance, gateway.name), state);
}

const Gateway* Router::find(const List& list, std::uint32_t instance, std::string_view gateway) const {
  const auto position = list.find_gateway(instance, gateway);
  return position ? &list.gateways()[*position] : nullptr;
}

bool Router::is_out(const Gateway& gateway, Time now) const {
  const auto found = states_.find({gateway.instance, gateway.name});
  return found != states_.end() && now < found->second.out_until;
}

std::vector<std::uint16_t> Router::order(const List& list, std::uint32_t instance, std::string_view user, std::string_view caller,
                                         std::string_view request, Time now, Random& random) const {
  struct Candidate {
    List::Match match;
    std::uint64_t chance = 0;
  };
  std::vector<Candidate> candidates;
  {
    const auto matches = list.match(instance, user, caller, request);
    const std::scoped_lock lock(mutex_);
    for (const auto& match : matches)
      if (states_.empty() || !is_out(list.gateways()[match.target.gateway], now)) candidates.push_back({match, 0});
  }
  // As in Kamailio, a weight multiplies a random number; the largest product comes first.
  for (auto& one : candidates) one.chance = one.match.target.weight * (random.next() >> 8);
  std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
    if (a.match.prefix_length != b.match.prefix_length) return a.match.prefix_length > b.match.prefix_length;
    if (a.match.target.priority != b.match.target.priority) return a.match.target.priority < b.match.target.priority;
    return a.chance > b.chance;
  });
  std::vector<std::uint16_t> order;
  for (const auto& one : candidates) order.push_back(one.match.target.gateway);
  return order;
}

bool Router::put_out_of_work(std::uint32_t instance, std::string_view name, Time until) {
  const auto list = this->list();
  const Gateway* gateway = find(*list, instance, name);
  if (!gateway) return false;
  const std::scoped_lock lock(mutex_);
  GatewayState& state = states_[{gateway->instance, gateway->name}];
  state.out_until = until;
  keep(*gateway, state);
  return true;
}

bool Router::count_failure(std::uint32_t instance, std::string_view name, Time now) {
  const auto list = this->list();
  const Gateway* gateway = find(*list, instance, name);
  if (!gateway) return false;
  const std::scoped_lock lock(mutex_);
  GatewayState& state = states_[{gateway->instance, gateway->name}];
  if (now < state.out_until) return true;  // calls that were on their way
  if (++state.failures >= options_.inactivate_threshold) {
    state.failures = 0;
    state.out_until = now + options_.inactive_time;
  }
  keep(*gateway, state);
  return true;
}

GatewayState Router::state(const Gateway& gateway, Time now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = states_.find({gateway.instance, gateway.name});
  if (found == states_.end()) return {};
  GatewayState state = found->second;
  if (state.out_until <= now) state.out_until = Time{};
  return state;
}

}  // namespace perdure::lcr

#include "lcr/router.hpp"

#include <algorithm>

namespace perdure::lcr {

void Router::replace(List list) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(states_, [&](const auto& one) { return !list.find_gateway(one.first.first, one.first.second); });
  list_.store(std::make_shared<const List>(std::move(list)), std::memory_order_release);
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
  states_[{gateway->instance, gateway->name}].out_until = until;
  return true;
}

bool Router::count_failure(std::uint32_t instance, std::string_view name, Time now) {
  const auto list = this->list();
  const Gateway* gateway = find(*list, instance, name);
  if (!gateway) return false;
  const std::scoped_lock lock(mutex_);
  GatewayState& state = states_[{gateway->instance, gateway->name}];
  if (now < state.out_until) return true;  // calls that were on their way
  if (++state.failures < options_.inactivate_threshold) return true;
  state.failures = 0;
  state.out_until = now + options_.inactive_time;
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

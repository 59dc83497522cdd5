#include "lcr/list.hpp"

#include <algorithm>

namespace perdure::lcr {

std::optional<std::uint16_t> List::find_gateway(std::uint32_t instance, std::string_view name) const {
  std::optional<std::uint16_t> of_all;
  for (std::size_t i = 0; i < gateways_.size(); ++i) {
    if (gateways_[i].name != name) continue;
    if (gateways_[i].instance == instance) return static_cast<std::uint16_t>(i);
    if (gateways_[i].instance == 0) of_all = static_cast<std::uint16_t>(i);
  }
  return of_all;
}

std::vector<std::uint32_t> List::instances() const {
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, instance] : instances_) numbers.push_back(number);
  return numbers;
}

bool List::allows(const Rule& rule, std::string_view caller, std::string_view request) const {
  if (rule.from_regex && !expressions_[rule.from_regex - 1].regex.matches(caller)) return false;
  return !rule.request_regex || expressions_[rule.request_regex - 1].regex.matches(request);
}

std::vector<List::Match> List::match(std::uint32_t number, std::string_view user, std::string_view caller, std::string_view request) const {
  std::vector<Match> matches;
  const auto found = instances_.find(number);
  if (found == instances_.end()) return matches;
  const Instance& instance = found->second;
  bool stopped = false;
  for (std::uint32_t prefix = instance.prefixes.longest(user); prefix != prefix::Index::none && !stopped;
       prefix = instance.prefixes.shorter(prefix)) {
    for (std::uint32_t i = instance.first_rule[prefix]; i < instance.first_rule[prefix + 1]; ++i) {
      const Rule& rule = instance.rules[i];
      if (!allows(rule, caller, request)) continue;
      stopped = stopped || rule.stop;
      for (std::uint32_t j = 0; j < rule.target_count && matches.size() < matches_max; ++j) {
        const Target& target = targets_[rule.first_target + j];
        if (std::ranges::none_of(matches, [&](const Match& one) { return one.target.gateway == target.gateway; }))
          matches.push_back({target, static_cast<std::uint8_t>(instance.prefixes.text(prefix).size())});
      }
    }
  }
  return matches;
}

std::optional<std::uint16_t> List::gateway_at(std::uint32_t number, const SocketAddress& address) const {
  const auto found = instances_.find(number);
  if (found == instances_.end() || !found->second.all_numeric) return std::nullopt;
  const auto [first, last] = found->second.by_ip.equal_range(address.ip);
  for (auto one = first; one != last; ++one) {
    const auto& gateway = *gateways_[one->second].address;
    if (gateway.family == address.family && (address.port == 0 || gateway.port == 0 || address.port == gateway.port)) return one->second;
  }
  return std::nullopt;
}

std::vector<RuleView> List::rules(std::size_t limit) const {
  std::vector<RuleView> views;
  for (const auto& [number, instance] : instances_)
    for (std::uint32_t prefix = 0; prefix < instance.prefixes.size(); ++prefix)
      for (std::uint32_t i = instance.first_rule[prefix]; i < instance.first_rule[prefix + 1]; ++i) {
        if (views.size() == limit) return views;
        const Rule& rule = instance.rules[i];
        const auto text = [&](std::uint32_t position) {
          return position ? std::string_view(expressions_[position - 1].text) : std::string_view{};
        };
        const auto first = targets_.begin() + rule.first_target;
        views.push_back({number, instance.prefixes.text(prefix), text(rule.from_regex), text(rule.request_regex), rule.stop,
                         std::vector<Target>(first, first + rule.target_count)});
      }
  return views;
}

std::size_t List::memory_bytes() const {
  std::size_t bytes = gateways_.capacity() * sizeof(Gateway) + targets_.capacity() * sizeof(Target);
  for (const auto& [number, instance] : instances_)
    bytes += instance.prefixes.memory_bytes() + instance.first_rule.capacity() * sizeof(std::uint32_t) +
             instance.rules.capacity() * sizeof(Rule);
  return bytes;
}

}  // namespace perdure::lcr

// Gateways and rules of any text are refused with file and line, or each number gets gateways of its instance, each once and in order.
#include <algorithm>
#include <string>

#include "fuzz/list_error.hpp"
#include "lcr/router.hpp"

namespace {

using namespace perdure;
using namespace perdure::lcr;
using fuzz::expect;

constexpr std::string_view file = "lcr.list";

bool belongs(const Gateway& gateway, std::uint32_t instance) {
  return gateway.instance == instance || gateway.instance == 0;
}

void check_gateways(const List& list) {
  expect(list.gateways().size() <= gateways_max, "more gateways than there may be");
  for (std::size_t i = 0; i < list.gateways().size(); ++i) {
    const Gateway& gateway = list.gateways()[i];
    expect(list.find_gateway(gateway.instance, gateway.name) == i, "a gateway is not found by its name");
    for (const auto instance : list.instances()) {
      if (!gateway.address) continue;
      const auto found = list.gateway_at(instance, *gateway.address);
      expect(!found || (list.gateways()[*found].address && list.gateways()[*found].address->same_ip(*gateway.address) &&
                        belongs(list.gateways()[*found], instance)),
             "another gateway is found by its address");
    }
  }
}

void check_rules(const List& list) {
  const auto rules = list.rules(SIZE_MAX);
  expect(rules.size() == list.rule_count(), "another number of rules");
  for (const RuleView& rule : rules) {
    expect(list.has_instance(rule.instance) && !rule.targets.empty() && rule.targets.size() <= targets_max, "a rule without a target");
    for (const Target& target : rule.targets)
      expect(target.gateway < list.gateways().size() && belongs(list.gateways()[target.gateway], rule.instance),
             "a target of another instance");
  }
}

// One rule after the other, without the index.
bool may_have(const List& list, std::uint32_t instance, std::string_view user, std::uint16_t gateway) {
  return std::ranges::any_of(list.rules(SIZE_MAX), [&](const RuleView& rule) {
    return rule.instance == instance && user.starts_with(rule.prefix) &&
           std::ranges::any_of(rule.targets, [&](const Target& target) { return target.gateway == gateway; });
  });
}

void check_number(const Router& router, std::uint32_t instance, std::string_view user, Random& random) {
  const auto list = router.list();
  const auto matches = list->match(instance, user, user, user);
  expect(matches.size() <= matches_max, "more gateways for a call than there may be");
  std::vector<std::uint16_t> expected;
  for (const auto& match : matches) {
    expect(may_have(*list, instance, user, match.target.gateway), "a gateway that no rule gives");
    expected.push_back(match.target.gateway);
  }
  auto order = router.order(*list, instance, user, user, user, Time{}, random);
  std::ranges::sort(order);
  std::ranges::sort(expected);
  expect(std::ranges::adjacent_find(order) == order.end(), "a gateway twice");
  expect(order == expected, "others are tried than match");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  auto list = List::parse(fuzz::next_text(rest), file);
  if (!list) {
    fuzz::expect_file_and_line(list.error().message, file);
    return 0;
  }
  check_gateways(*list);
  check_rules(*list);
  const auto instances = list->instances();
  Router router{Options{}};
  router.replace(std::move(*list));
  Random random(1);
  while (!rest.empty()) {
    const std::string_view user = fuzz::next_text(rest);
    for (const auto instance : instances) check_number(router, instance, user, random);
  }
  return 0;
}

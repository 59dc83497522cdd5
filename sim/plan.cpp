#include "sim/plan.hpp"

#include <charconv>

namespace perdure::sim {

std::string CallPlan::user() const {
  std::string text(fork == Fork::Serial ? "s" : "p");
  for (const std::size_t gateway : gateways) text += "." + std::to_string(gateway);
  return text;
}

CallPlan CallPlan::from_user(std::string_view user) {
  CallPlan plan;
  if (user.size() < 3 || (user[0] != 's' && user[0] != 'p')) return plan;
  plan.fork = user[0] == 's' ? Fork::Serial : Fork::Parallel;
  for (user.remove_prefix(1); !user.empty() && user[0] == '.';) {
    std::size_t gateway = 0;
    const char* const end = user.data() + user.size();
    const auto [rest, error] = std::from_chars(user.data() + 1, end, gateway);
    if (error != std::errc{}) return {};
    plan.gateways.push_back(gateway);
    user = {rest, end};
  }
  if (!user.empty()) plan.gateways.clear();
  return plan;
}

const std::vector<GatewayKind>& gateway_kinds() {
  static const std::vector<GatewayKind> kinds = {
      {"answers", {{20ms, 180}, {300ms, 200}}},
      {"answers at once", {{5ms, 200}}},
      {"answers with 180 and 200 side by side", {{10ms, 180}, {1ms, 200}}},
      {"answers late", {{1500ms, 180}, {4s, 200}}},
      {"answers after early media", {{20ms, 180}, {100ms, 183}, {600ms, 200}}},
      {"crosses a CANCEL", {{20ms, 180}, {400ms, 200}}, true},
      {"is busy", {{20ms, 486}}},
      {"rings, then fails", {{20ms, 180}, {200ms, 503}}},
      {"fails", {{10ms, 500}}},
      {"declines everywhere", {{50ms, 180}, {100ms, 603}}},
      {"rings", {{20ms, 180}}},
      {"is silent", {}},
      {"answers when it has been given up", {{40s, 200}}},
  };
  return kinds;
}

CallPlan choose_plan(Random& random, std::size_t gateways, Duration length) {
  CallPlan plan;
  plan.starts = Duration(static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(length.count())));
  plan.fork = random.next() % 4 == 0 ? Fork::Parallel : Fork::Serial;
  const std::size_t count = 1 + (plan.fork == Fork::Parallel ? 1 + random.next() % 2 : random.next() % 3);
  const std::size_t kinds = gateway_kinds().size();
  bool rings = false;
  while (plan.gateways.size() < count) {
    const std::size_t gateway = random.next() % gateways;
    const auto& kind = gateway_kinds()[gateway % kinds];
    // One that says nothing costs half a minute of simulated time, so it is rare.
    if (kind.is_given_up() && random.next() % 4 != 0) continue;
    rings = rings || kind.only_rings();
    plan.gateways.push_back(gateway);
  }
  // Who may meet a gateway that rings for ever hangs up at some time; of the others every third.
  if (rings || random.next() % 3 == 0) plan.cancel_after = std::chrono::milliseconds(random.next() % 1000);
  return plan;
}

}  // namespace perdure::sim

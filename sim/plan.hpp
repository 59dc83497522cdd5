#pragma once
// What one simulated call is to be: chosen by the seed, written into the user part of its Request-URI, so that routes need no table.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "sim/user_agents.hpp"

namespace perdure::sim {

enum class Fork : std::uint8_t { Serial, Parallel };

struct CallPlan {
  Fork fork = Fork::Serial;
  std::vector<std::size_t> gateways;       // in the order in which they are tried
  Duration cancel_after = never - Time{};  // from the first ringing; none: the caller waits
  Duration starts = {};                    // from the begin of the run

  // "s.3.12": gateway 3, after its failure gateway 12. "p.3.12": both at once.
  [[nodiscard]] std::string user() const;
  // The inverse, for routes; an empty list: no such plan.
  static CallPlan from_user(std::string_view user);
};

// How a gateway treats every call.
struct GatewayKind {
  std::string_view name;
  std::vector<std::pair<Duration, std::uint16_t>> answers;
  bool answer_crosses_cancel = false;
  [[nodiscard]] bool is_silent() const { return answers.empty(); }
  // Nothing comes from it before Timer B.
  [[nodiscard]] bool is_given_up() const { return answers.empty() || answers.front().first > 64 * t1; }
  [[nodiscard]] bool only_rings() const { return !answers.empty() && answers.back().second < 200; }
};
[[nodiscard]] const std::vector<GatewayKind>& gateway_kinds();

[[nodiscard]] CallPlan choose_plan(Random& random, std::size_t gateways, Duration length);

}  // namespace perdure::sim

#pragma once
// The routing of the simulated calls (CallPlan) without a script; scripts/routes.lua is the same with one.
#include <string>

#include "proxy/route_runner.hpp"
#include "sim/plan.hpp"

namespace perdure::sim {

[[nodiscard]] SocketAddress gateway_address(std::size_t index);

class PlanRoutes final : public proxy::RouteRunner {
 public:
  bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override;
  void save_variables(proxy::RoutingContext&) override {}
};

}  // namespace perdure::sim

#include "sim/routes.hpp"

#include "proxy/routing_context.hpp"
#include "sip/uri.hpp"

namespace perdure::sim {
namespace {

constexpr std::string_view next_gateway = "next_gateway";

std::string gateway_uri(std::size_t index) {
  return "sip:gateway@" + gateway_address(index).text();
}

void relay_to(proxy::RoutingContext& context, const CallPlan& plan, std::size_t index) {
  context.target.uri = gateway_uri(plan.gateways[index]);
  if (plan.fork == Fork::Serial && index + 1 < plan.gateways.size()) {
    context.armed.failure = next_gateway;
    context.variables = std::to_string(index + 1);
    context.variables_changed = true;
  }
  context.relay();
}

bool on_request(proxy::RoutingContext& context) {
  const auto& request = *context.message;
  if (request.method() == sip::Method::Cancel) {
    context.relay();
    return true;
  }
  if (!request.to()->tag.empty()) {
    if (context.loose_route() > 0)
      context.relay();
    else if (request.method() != sip::Method::Ack)
      context.send_reply(404, "Not Here");
    return true;
  }
  const auto plan = CallPlan::from_user(request.uri()->user);
  if (request.method() == sip::Method::Ack) return true;  // it belongs to no dialog
  if (plan.gateways.empty()) {
    context.send_reply(404, "Not Found");
    return true;
  }
  // Every second call makes its transaction first, as scripts do that want to answer themselves.
  if (request.call_id().back() % 2 == 1 && context.new_transaction() != 1) return true;
  context.record_route = true;
  if (plan.fork == Fork::Parallel)
    for (std::size_t i = 1; i < plan.gateways.size(); ++i) {
      proxy::Target target;
      target.uri = gateway_uri(plan.gateways[i]);
      context.more_targets.push_back(target);
    }
  relay_to(context, plan, 0);
  return true;
}

bool on_failure(proxy::RoutingContext& context, std::string_view name) {
  if (name != next_gateway || context.is_canceled() || context.status >= 600) return true;
  const auto plan = CallPlan::from_user(context.message->uri()->user);
  const std::size_t index = std::stoul(context.variables);
  if (index < plan.gateways.size()) relay_to(context, plan, index);
  return true;
}

}  // namespace

SocketAddress gateway_address(std::size_t index) {
  return *SocketAddress::parse("10.2." + std::to_string(index / 250) + "." + std::to_string(index % 250 + 1), 5060);
}

bool PlanRoutes::run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) {
  switch (kind) {
    case proxy::RouteKind::Request:
      return on_request(context);
    case proxy::RouteKind::Failure:
      return on_failure(context, name);
    default:
      return true;
  }
}

}  // namespace perdure::sim

#pragma once
// A routing script as bits of a fuzz input choose it: forks, failover, callbacks, and mistakes.
#include <string>
#include <string_view>

#include "fuzz/proxy/world.hpp"
#include "proxy/routing_context.hpp"

namespace perdure::fuzz {

class Script : public proxy::RouteRunner {
 public:
  enum class Fork : std::uint8_t { None, Parallel, ByQ, Failover };
  Fork fork = Fork::None;
  bool record_route = false, drops_a_branch = false, drops_provisionals = false, makes_transaction_first = false, is_stateless = false,
       refuses = false, answers_failures = false, fails = false;

  bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override {
    switch (kind) {
      case proxy::RouteKind::Request:
        request(context);
        return !fails;
      case proxy::RouteKind::Branch:
        context.drop = drops_a_branch && context.branch == 1;
        if (context.edits) context.edits->append("X-Branch: " + std::to_string(context.branch) + "\r\n");
        return true;
      case proxy::RouteKind::OnReply:
        context.drop = drops_provisionals && context.status < 200;
        return true;
      case proxy::RouteKind::Failure:
        failure(context, name);
        return !fails;
      case proxy::RouteKind::Reply:
      case proxy::RouteKind::BranchFailure:
      case proxy::RouteKind::Local:
      case proxy::RouteKind::Event:
        return !fails;
    }
    return true;
  }
  void save_variables(proxy::RoutingContext&) override {}

 private:
  static constexpr int gateways = 3;
  static std::string gateway_uri(int index) { return "sip:bob@" + local_address(gateway_port + index).text(); }

  void request(proxy::RoutingContext& context) const {
    const auto method = context.message->method();
    if (method == sip::Method::Cancel) return void(context.relay_cancel() > 0 && context.relay());
    if (!context.message->to()->tag.empty() && context.loose_route() > 0) return void(context.relay());
    context.target.uri = gateway_uri(0);
    if (method == sip::Method::Ack) return void(context.relay());
    if (refuses) return void(context.send_reply(404, "Not Here"));
    if (is_stateless) return void(context.forward());
    if (makes_transaction_first && context.new_transaction() <= 0) return;
    context.record_route = record_route;
    context.armed.branch = "branch";
    context.armed.reply = "reply";
    if (fork == Fork::Failover || answers_failures) context.armed.failure = "1";
    if (fork == Fork::Parallel || fork == Fork::ByQ)
      for (int i = 1; i < gateways; ++i) {
        proxy::Target target;
        target.uri = gateway_uri(i);
        if (fork == Fork::ByQ) target.q = static_cast<std::uint16_t>(1000 - 100 * i);
        context.more_targets.push_back(target);
      }
    context.relay();
  }

  void failure(proxy::RoutingContext& context, std::string_view name) const {
    if (context.is_canceled()) return;
    const int index = name.front() - '0';
    if (fork == Fork::Failover && index < gateways) {
      context.target.uri = gateway_uri(index);
      context.armed.failure = std::to_string(index + 1);
      context.relay();
    } else if (answers_failures) {
      context.reply(480, "Nobody Here");
    }
  }
};

}  // namespace perdure::fuzz

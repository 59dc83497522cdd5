#pragma once
// Call flows of each kind on the simulated network, and what must be true at their end whatever happened to the proxy.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "locate/fake_names.hpp"
#include "proxy/routing_context.hpp"
#include "sim/proxy_node.hpp"
#include "sim/user_agents.hpp"

namespace perdure::proxy {

inline SocketAddress address(int port) {
  return *SocketAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port));
}
inline constexpr int proxy_port = 5060, proxy_tcp_port = 5062, caller_port = 6000, gateway_port = 7001;

// Routes as plain C++: to a list of gateways, in parallel or one after the other on failure.
class TestRoutes : public RouteRunner {
 public:
  enum class Fork { Parallel, Serial, ByQ, Replacing };  // Replacing: two in parallel, and for each that fails the next
  Fork fork = Fork::Serial;
  int gateways = 1;
  Transport transport = Transport::Udp;                 // towards them
  bool early_transaction = false;                       // t_newtran before t_relay
  bool waits = false;                                   // both routes wait a while before they relay
  std::uint32_t ringing_ms = 0;                         // t_set_fr: how long a gateway may ring; 0: as configured
  enum class By : std::uint8_t { Address, Name, Set };  // Set: one name for all gateways, which the core tries in order
  By by = By::Address;
  std::vector<int> failure_statuses;

  bool run(RoutingContext& context, RouteKind kind, std::string_view name) override {
    switch (kind) {
      case RouteKind::Request:
        if (waits && context.message->method() == sip::Method::Invite && context.begin_wait(context.now + 50ms)) return true;
        return request(context);
      case RouteKind::BranchFailure:
        return failure(context, name);
      case RouteKind::Failure:
        if (waits && context.begin_wait(context.now + 30ms)) return true;
        return failure(context, name);
      default:
        return true;
    }
  }
  void save_variables(RoutingContext&) override {}
  bool resume(RoutingContext& context, bool) override {
    return context.kind == RouteKind::Request ? request(context) : failure(context, "next");
  }

 private:
  [[nodiscard]] std::string gateway_uri(int index) const {
    const std::string host = by == By::Address ? address(gateway_port + index).text()
                             : by == By::Name  ? "gateway.example.test:" + std::to_string(gateway_port + index)
                                               : "gateways.example.test";
    return "sip:bob@" + host + (is_reliable(transport) ? ";transport=tcp" : "");
  }

  bool request(RoutingContext& context) {
    const auto method = context.message->method();
    if (method == sip::Method::Cancel) {
      context.relay();
      return true;
    }
    if (context.message->to()->tag.size()) {
      if (context.loose_route() > 0)
        context.relay();
      else if (method != sip::Method::Ack)
        context.send_reply(404, "Not Here");
      return true;
    }
    if (early_transaction && context.new_transaction() != 1) return true;
    context.record_route = true;
    if (ringing_ms) (void)context.set_final_response_timers(ringing_ms, 0);
    context.target.uri = gateway_uri(0);
    if (fork == Fork::Replacing) {
      context.armed.branch_failure = "next";
      context.variables = "2";
      context.variables_changed = true;
    }
    if (fork != Fork::Serial)
      for (int i = 1; i < (fork == Fork::Replacing ? 2 : gateways); ++i) {
        Target target;
        target.uri = gateway_uri(i);
        if (fork == Fork::ByQ) target.q = static_cast<std::uint16_t>(1000 - 100 * i);
        context.more_targets.push_back(target);
      }
    else if (gateways > 1) {
      context.armed.failure = "next";
      context.variables = "1";
      context.variables_changed = true;
    }
    context.relay();
    return true;
  }

  bool failure(RoutingContext& context, std::string_view name) {
    if (name != "next" || context.is_canceled()) return true;
    failure_statuses.push_back(context.status);
    const int index = std::stoi(context.variables);
    if (index >= gateways) return true;
    context.target.uri = gateway_uri(index);
    context.variables = std::to_string(index + 1);
    context.variables_changed = true;
    (context.kind == RouteKind::Failure ? context.armed.failure : context.armed.branch_failure) = "next";
    context.relay();
    return true;
  }
};

struct Flow {
  std::string name;
  TestRoutes::Fork fork = TestRoutes::Fork::Serial;
  Duration cancel_after = never - Time{};
  std::vector<sim::GatewayOptions> gateways;
  std::set<std::uint16_t> finals;  // what the caller may see at the end, exactly
  std::size_t dialogs = 0;         // 2xx with different To tags
  bool early_transaction = false, waits = false;
  std::uint32_t ringing_ms = 0;
  Transport caller_transport = Transport::Udp, gateway_transport = Transport::Udp;
  TestRoutes::By by = TestRoutes::By::Address;
};

// Answers after a while, and remembers nothing.
class SlowNames final : public locate::FakeNames {
 public:
  SlowNames(sim::Network& network, std::size_t gateways) : network_(network) {
    add_address("gateway.example.test", "127.0.0.1");
    for (const std::string transport : {"_sip._udp.", "_sip._tcp."})
      for (std::size_t i = 0; i < gateways; ++i)
        add_service(transport + "gateways.example.test", static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(gateway_port + i),
                    "gateway.example.test");
  }
  bool search(Search search) override {
    const bool begun = FakeNames::search(std::move(search));
    network_.after(15ms, [this] { answer(false); });
    return begun;
  }

 private:
  sim::Network& network_;
};

struct Outcome {
  std::vector<std::string> violations;
  std::uint64_t writes = 0, outputs = 0, starts = 0;
  std::string ladder;
};

inline ProxyOptions proxy_options() {
  ProxyOptions options;
  LocalSocket socket;
  socket.address = address(proxy_port);
  socket.advertised_host = "127.0.0.1";
  socket.advertised_port = proxy_port;
  options.sockets = {socket};
  socket.transport = Transport::Tcp;
  socket.address = address(proxy_tcp_port);
  socket.advertised_port = proxy_tcp_port;
  options.sockets.push_back(socket);
  options.secret = 42;
  return options;
}

inline std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\r'));
}

inline Outcome run_flow(const Flow& flow, sim::CrashPlan plan, sim::NetworkOptions network_options = {}, std::uint64_t seed = 1,
                        Persist persist = Persist::Full) {
  sim::Network network(seed, network_options);
  TestRoutes routes;
  routes.fork = flow.fork;
  routes.by = flow.by;
  routes.gateways = flow.by == TestRoutes::By::Set ? 1 : static_cast<int>(flow.gateways.size());
  SlowNames names(network, flow.gateways.size());
  ProxyOptions options = proxy_options();
  options.locating.names = &names;
  routes.early_transaction = flow.early_transaction;
  routes.waits = flow.waits;
  routes.transport = flow.gateway_transport;
  routes.ringing_ms = flow.ringing_ms;
  sim::ProxyNode proxy(network, std::move(options), routes, plan, persist);
  std::vector<std::unique_ptr<sim::Gateway>> gateways;
  for (std::size_t i = 0; i < flow.gateways.size(); ++i) {
    auto gateway = flow.gateways[i];
    gateway.address = address(gateway_port + static_cast<int>(i));
    gateway.transport = flow.gateway_transport;
    gateways.push_back(std::make_unique<sim::Gateway>(network, gateway));
  }
  sim::CallerOptions caller_options;
  caller_options.address = address(caller_port);
  caller_options.transport = flow.caller_transport;
  caller_options.proxy = address(is_reliable(flow.caller_transport) ? proxy_tcp_port : proxy_port);
  caller_options.cancel_after = flow.cancel_after;
  sim::Caller caller(network, caller_options);
  caller.start();

  Outcome outcome;
  const auto fail = [&](std::string text) { outcome.violations.push_back(std::move(text)); };
  if (!network.run(network.now() + 10min)) fail("something still happens after ten minutes");
  outcome.writes = proxy.writes();
  outcome.outputs = proxy.outputs();
  outcome.starts = proxy.starts();
  const auto& seen = caller.seen();
  std::string finals;
  for (const auto status : seen.finals) finals += std::to_string(status) + " ";
  if (seen.finals != flow.finals) fail("the caller saw finals: " + finals);
  if (seen.timed_out) fail("the caller's INVITE timed out");
  if (seen.answered.size() != flow.dialogs) fail("dialogs: " + std::to_string(seen.answered.size()));
  for (const auto& [tag, status] : seen.answered)
    if (status != 200) fail("a BYE ended with " + std::to_string(status));
  if (seen.cancel_sent && seen.cancel_status != 200) fail("the CANCEL ended with " + std::to_string(seen.cancel_status));
  for (std::size_t i = 0; i < gateways.size(); ++i) {
    const auto& gateway = *gateways[i];
    const std::string who = "gateway " + std::to_string(i) + ": ";
    for (const auto& violation : gateway.violations()) fail(who + violation);
    if (gateway.transactions().size() > 1) fail(who + "the INVITE came on two branches");
    for (const auto& [branch, transaction] : gateway.transactions()) {
      if (transaction.last_status < 200 && !flow.gateways[i].answers.empty()) fail(who + "rings on");
      if (transaction.last_status >= 200 && !transaction.acked) fail(who + "its final response was never acknowledged");
    }
  }
  if (proxy.proxy().open_transactions() != 0) fail("transactions are left: " + std::to_string(proxy.proxy().open_transactions()));
  if (proxy.used_bytes() != 0) fail("bytes are left in the store: " + std::to_string(proxy.used_bytes()));
  for (const auto& packet : network.trace())
    outcome.ladder += std::to_string(packet.at.time_since_epoch().count() / 1000) + " " + packet.from.text() + " -> " + packet.to.text() +
                      "  " + first_line(packet.bytes) + "\n";
  return outcome;
}

inline std::vector<Flow> flows() {
  using namespace std::chrono_literals;
  using Fork = TestRoutes::Fork;
  sim::GatewayOptions answers{{}, {{20ms, 180}, {300ms, 200}}, false};
  sim::GatewayOptions rings{{}, {{20ms, 180}}, false};
  sim::GatewayOptions rings_long{{}, {{20ms, 180}, {5s, 200}}, false};
  sim::GatewayOptions crosses{{}, {{20ms, 180}, {400ms, 200}}, true};
  sim::GatewayOptions busy{{}, {{20ms, 486}}, false};
  sim::GatewayOptions fails{{}, {{20ms, 180}, {200ms, 503}}, false};
  sim::GatewayOptions at_once{{}, {{10ms, 180}, {1ms, 200}}, false};
  sim::GatewayOptions slow_ring{{}, {{1500ms, 180}, {5s, 200}}, false};
  return {
      {"answered", Fork::Serial, never - Time{}, {answers}, {200}, 1},
      {"cancelled", Fork::Serial, 300ms, {rings}, {487}, 0},
      {"busy", Fork::Serial, never - Time{}, {busy}, {486}, 0},
      {"200 crosses CANCEL", Fork::Serial, 379ms, {crosses}, {200}, 1},
      {"serial failover", Fork::Serial, never - Time{}, {fails, answers}, {200}, 1},
      {"serial failover of three, the last one fails too", Fork::Serial, never - Time{}, {fails, fails, fails}, {500}, 0},
      {"cancelled after failover", Fork::Serial, 600ms, {fails, rings_long}, {487}, 0},
      {"parallel fork, two 2xx", Fork::Parallel, never - Time{}, {at_once, at_once}, {200}, 2},
      {"parallel fork, one answers, the other is cancelled", Fork::Parallel, never - Time{}, {answers, rings_long}, {200}, 1},
      {"parallel fork, cancelled, one rings late", Fork::Parallel, 300ms, {rings, slow_ring}, {487}, 0},
      {"forking by q", Fork::ByQ, never - Time{}, {busy, busy, answers}, {200}, 1},
      {"transaction before the relay", Fork::Serial, never - Time{}, {fails, answers}, {200}, 1, true},
      {"transaction before the relay, cancelled", Fork::Serial, 300ms, {rings}, {487}, 0, true},
      {"routes that wait", Fork::Serial, never - Time{}, {fails, answers}, {200}, 1, false, true},
      {"routes that wait, three times", Fork::Serial, never - Time{}, {fails, fails, fails}, {500}, 0, false, true},
      {"routes that wait, cancelled", Fork::Serial, 300ms, {rings}, {487}, 0, false, true},
      {"a failed branch is replaced while another rings", Fork::Replacing, never - Time{}, {fails, rings_long, answers}, {200}, 1},
      {"failed branches are replaced until none is left", Fork::Replacing, never - Time{}, {fails, busy, busy, fails}, {486}, 0},
      {"the first rings too long for the script", Fork::Serial, never - Time{}, {rings, answers}, {200}, 1, false, false, 1000},
      {"both ring too long, and the routes wait", Fork::Serial, never - Time{}, {rings, rings}, {408}, 0, false, true, 1000},
  };
}

// The same with one side or both on connections, which lose nothing: peers repeat nothing either.
inline std::vector<Flow> reliable_flows() {
  std::vector<Flow> all;
  for (const auto& [caller, gateway] :
       {std::pair(Transport::Tcp, Transport::Tcp), std::pair(Transport::Udp, Transport::Tcp), std::pair(Transport::Tcp, Transport::Udp)})
    for (Flow flow : flows()) {
      flow.name += std::string(", ") + std::string(name(caller)) + " to " + std::string(name(gateway));
      flow.caller_transport = caller;
      flow.gateway_transport = gateway;
      all.push_back(flow);
    }
  return all;
}

// The same with gateways that have names, and with one name whose servers take over from each other.
inline std::vector<Flow> named_flows() {
  std::vector<Flow> all = flows();
  for (Flow& flow : all) {
    flow.name += ", by name";
    flow.by = TestRoutes::By::Name;
  }
  using Fork = TestRoutes::Fork;
  sim::GatewayOptions answers{{}, {{20ms, 180}, {300ms, 200}}, false};
  sim::GatewayOptions rings{{}, {{20ms, 180}}, false};
  sim::GatewayOptions fails{{}, {{20ms, 180}, {200ms, 503}}, false};
  sim::GatewayOptions silent{};
  const std::vector<Flow> sets = {
      {"the servers of a name take over", Fork::Serial, never - Time{}, {fails, fails, answers}, {200}, 1},
      {"all servers of a name fail", Fork::Serial, never - Time{}, {fails, fails}, {500}, 0},
      {"cancelled at the second server of a name", Fork::Serial, 600ms, {fails, rings}, {487}, 0},
      {"the first server of a name is silent", Fork::Serial, never - Time{}, {silent, answers}, {200}, 1},
  };
  for (Flow flow : sets) {
    flow.by = TestRoutes::By::Set;
    all.push_back(flow);
    if (flow.gateways.front().answers.empty()) continue;  // that is for datagrams to be lost
    flow.name += ", over connections";
    flow.caller_transport = flow.gateway_transport = Transport::Tcp;
    all.push_back(flow);
  }
  return all;
}

}  // namespace perdure::proxy

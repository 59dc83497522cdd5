#include "sim/proxy_node.hpp"

#include <gmock/gmock.h>

#include "sim/routes.hpp"
#include "sim/user_agents.hpp"

namespace perdure::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NodeOptions node_options(unsigned workers = 1) {
  NodeOptions options;
  proxy::LocalSocket socket;
  socket.address = *SocketAddress::parse("10.0.0.1", 5060);
  socket.advertised_host = "10.0.0.1";
  socket.advertised_port = 5060;
  options.proxy.sockets = {socket};
  options.proxy.secret = 42;
  options.workers = workers;
  return options;
}

ProxyNode::RunnerFactory plan_routes() {
  return [](unsigned) { return std::make_unique<PlanRoutes>(); };
}

// Some callers, one gateway, and the proxy between them.
struct Calls {
  Network network;
  ProxyNode node;
  Gateway gateway;
  std::vector<std::unique_ptr<Caller>> callers;

  explicit Calls(const NodeOptions& options, std::uint64_t seed = 1, Duration rings = 300ms, NetworkOptions network_options = {})
      : network(seed, network_options),
        node(network, options, plan_routes()),
        gateway(network, {gateway_address(0), {{20ms, 180}, {rings, 200}}, false}) {}

  Caller& add(Duration starts = {}) {
    CallerOptions caller;
    caller.address = *SocketAddress::parse("10.1.0.1", static_cast<std::uint16_t>(6000 + callers.size()));
    caller.proxy = node.address();
    caller.call_id = "call-" + std::to_string(callers.size());
    caller.user = "s.0";
    callers.push_back(std::make_unique<Caller>(network, caller));
    network.after(starts, [agent = callers.back().get()] { agent->start(); });
    return *callers.back();
  }
  void run() { EXPECT_TRUE(network.run(network.now() + 10min)) << "something still happens after ten minutes"; }
  // Every call was answered once, its BYE too, and nothing is left of it.
  void expect_answered() {
    for (const auto& caller : callers) {
      const auto& seen = caller->seen();
      EXPECT_THAT(seen.finals, ElementsAre(200)) << caller->call_id();
      EXPECT_FALSE(seen.timed_out) << caller->call_id();
      ASSERT_EQ(seen.answered.size(), 1U) << caller->call_id();
      EXPECT_EQ(seen.answered.begin()->second, 200) << caller->call_id();
    }
    EXPECT_THAT(gateway.violations(), IsEmpty());
    EXPECT_EQ(gateway.transactions().size(), callers.size());
    EXPECT_EQ(node.open_transactions(), 0U);
    EXPECT_EQ(node.used_bytes(), 0U);
  }
};

TEST(ProxyNode, WorkersShareTheCallsByPartition) {
  Calls calls(node_options(3));
  for (int i = 0; i < 40; ++i) calls.add();
  calls.run();
  calls.expect_answered();
  EXPECT_EQ(calls.node.workers(), 3U);
  for (unsigned i = 0; i < 3; ++i) EXPECT_GT(calls.node.proxy(i).counters().transactions_created, 0U) << i;
}

// By the number of workers before and after.
class Restart : public testing::TestWithParam<std::pair<unsigned, unsigned>> {};

TEST_P(Restart, KeepsCallsThatRing) {
  const auto [before, after] = GetParam();
  Calls calls(node_options(before), 1, 2s);
  for (int i = 0; i < 20; ++i) calls.add();
  EXPECT_FALSE(calls.network.run(calls.network.now() + 500ms));
  for (const auto& caller : calls.callers) {
    ASSERT_THAT(caller->seen().provisionals, testing::Contains(180));
    ASSERT_THAT(caller->seen().finals, IsEmpty());
  }
  const auto invites = calls.gateway.transactions().begin()->second.invites;
  calls.node.restart(after);
  EXPECT_TRUE(calls.node.is_down());
  calls.run();
  calls.expect_answered();
  EXPECT_EQ(calls.node.workers(), after);
  EXPECT_EQ(calls.node.starts(), 2U);
  EXPECT_EQ(calls.node.crashes(), 0U);
  EXPECT_EQ(calls.gateway.transactions().begin()->second.invites, invites) << "a gateway that rings is not invited again";
}

INSTANTIATE_TEST_SUITE_P(Workers, Restart, testing::Values(std::pair(1U, 4U), std::pair(4U, 1U), std::pair(2U, 3U), std::pair(2U, 2U)));

class ByChance : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ByChance, DeathsLoseNothingOfSimpleCalls) {
  auto options = node_options(2);
  options.seed = GetParam();
  options.crashes = {.write_chance = 400, .output_chance = 100, .crashes_max = 60};
  Calls calls(options, GetParam());
  for (int i = 0; i < 100; ++i) calls.add(std::chrono::milliseconds(37 * i));
  calls.run();
  calls.expect_answered();
  EXPECT_GT(calls.node.crashes(), 20U);
  EXPECT_LE(calls.node.crashes(), 60U);
  EXPECT_EQ(calls.node.starts(), 1 + calls.node.crashes());
}

INSTANTIATE_TEST_SUITE_P(Seeds, ByChance, testing::Range<std::uint64_t>(1, 11));

std::uint64_t digest_of(std::uint64_t seed, std::uint64_t node_seed) {
  auto options = node_options(2);
  options.seed = node_seed;
  options.crashes = {.write_chance = 400, .output_chance = 100};
  Calls calls(options, seed, 300ms, {.jitter = 5ms, .lost = 20, .doubled = 20, .delayed = 20, .delay = 100ms});
  for (int i = 0; i < 30; ++i) calls.add(std::chrono::milliseconds(41 * i));
  calls.run();
  return calls.network.digest();
}

TEST(ProxyNode, TheSameSeedsGiveTheSameRunWithDeathsAndLoss) {
  EXPECT_EQ(digest_of(1, 1), digest_of(1, 1));
  EXPECT_NE(digest_of(1, 1), digest_of(2, 1));
  EXPECT_NE(digest_of(1, 1), digest_of(1, 2));
}

TEST(ProxyNode, PacketsWaitForTheNextProcessUpToALimit) {
  auto options = node_options();
  Calls calls(options);
  constexpr std::size_t sent = ProxyNode::inbox_max + 10;
  calls.node.restart();
  for (std::size_t i = 0; i < sent; ++i) calls.add();
  const Time begin = calls.network.now();
  EXPECT_FALSE(calls.network.run(begin + 10ms));
  EXPECT_TRUE(calls.node.is_down());
  EXPECT_EQ(calls.node.inbox_lost(), sent - ProxyNode::inbox_max);
  EXPECT_THAT(calls.gateway.transactions(), IsEmpty());
  EXPECT_FALSE(calls.network.run(begin + 30ms));
  EXPECT_FALSE(calls.node.is_down());
  EXPECT_EQ(calls.gateway.transactions().size(), ProxyNode::inbox_max);
  calls.run();
  calls.expect_answered();  // those that were lost were sent again
}

struct Log : ProxyNode::Observer {
  std::vector<std::string> events;
  std::uint64_t idle = 0;
  void on_output(Time, const SocketAddress& to, std::string_view bytes, std::uint16_t socket) override {
    events.push_back(std::to_string(socket) + " " + to.ip_text() + " " + std::string(bytes.substr(0, 11)));
  }
  void on_restart(Time, bool crashed) override { events.push_back(crashed ? "crash" : "restart"); }
  void on_idle(Time) override { ++idle; }
};

TEST(ProxyNode, ObserverSeesOutputsAndRestarts) {
  auto options = node_options();
  options.crashes.at_output = 1;
  Calls calls(options);
  Log log;
  calls.node.set_observer(&log);
  calls.add();
  EXPECT_FALSE(calls.network.run(calls.network.now() + 100ms));
  calls.node.restart();
  calls.run();
  calls.expect_answered();
  ASSERT_GE(log.events.size(), 4U);
  const auto after_death = std::ranges::find(log.events, "crash");
  EXPECT_EQ(after_death - log.events.begin(), 1) << "it dies after the first output";
  EXPECT_EQ(std::ranges::count(log.events, "crash"), 1);
  EXPECT_EQ(std::ranges::count(log.events, "restart"), 1);
  EXPECT_THAT(log.events, testing::Contains("0 10.2.0.1 INVITE sip:"));
  EXPECT_THAT(log.events, testing::Contains("0 10.1.0.1 SIP/2.0 200"));
  EXPECT_GT(log.idle, 3U);
}

TEST(ProxyNode, FilterChangesDivertsAndSwallows) {
  Calls calls(node_options());
  const auto elsewhere = *SocketAddress::parse("10.3.0.1", 5060);
  std::vector<std::string> diverted;
  calls.network.attach(elsewhere, [&](const Packet& packet) { diverted.push_back(packet.bytes); });
  calls.node.set_filter([&](std::string& bytes, SocketAddress& to) {
    if (bytes.starts_with("SIP/2.0 180")) return false;
    if (!bytes.starts_with("INVITE")) return true;
    to = elsewhere;
    bytes = "changed";
    return true;
  });
  calls.add();
  EXPECT_FALSE(calls.network.run(calls.network.now() + 100ms));
  EXPECT_THAT(diverted, ElementsAre("changed"));
  EXPECT_THAT(calls.gateway.transactions(), IsEmpty());
}

TEST(ProxyNode, FilterCanSwallowWhatRings) {
  Calls calls(node_options());
  calls.node.set_filter([](std::string& bytes) { return !bytes.starts_with("SIP/2.0 180"); });
  const auto& caller = calls.add();
  calls.run();
  calls.expect_answered();
  EXPECT_THAT(caller.seen().provisionals, testing::Each(100));
}

// What the store's time gains over the network's by a jump of the wall clock of an hour before a restart.
Duration gained(store::ClockPolicy policy, Duration jump) {
  auto options = node_options();
  options.clock = policy;
  Calls calls(options);
  const auto ahead = [&] { return calls.node.store().now(0).time_since_epoch(); };
  const Duration before = ahead();
  calls.node.jump_wall_clock(jump);
  EXPECT_EQ(ahead(), before) << "a jump means nothing to a process that runs";
  // The old process saw the new time, so there is nothing to make good; the jump while nobody runs is what counts.
  calls.node.restart();
  calls.node.jump_wall_clock(jump);
  calls.run();
  return ahead() - before;
}

TEST(ProxyNode, WallClockCountsWhileNoProcessRunsIfTimeElapses) {
  EXPECT_EQ(gained(store::ClockPolicy::Elapsed, 1h), Duration(1h));
  EXPECT_EQ(gained(store::ClockPolicy::Elapsed, -1h), -Duration(20ms)) << "set back: the time of the gap is not known";
  EXPECT_EQ(gained(store::ClockPolicy::Elapsed, {}), Duration{});
  EXPECT_EQ(gained(store::ClockPolicy::Frozen, 1h), -Duration(20ms));
}

}  // namespace
}  // namespace perdure::sim

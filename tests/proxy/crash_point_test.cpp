// Every call flow is cut at every write to the store and after every datagram that leaves; the next process must end it right.
#include "proxy/crash_cuts.hpp"

namespace perdure::proxy {
namespace {

TEST(CallFlow, EndsRightWithoutACrash) {
  for (const Flow& flow : flows()) {
    const auto outcome = run_flow(flow, {});
    EXPECT_TRUE(outcome.violations.empty()) << flow.name << ":\n" << text_of(outcome);
    EXPECT_EQ(outcome.starts, 1U);
  }
}

TEST(CrashPoint, EveryFlowSurvivesADeathAtEveryWrite) {
  const auto cuts = cut_at_writes(flows(), 1);
  RecordProperty("cuts", std::to_string(cuts));
  EXPECT_GT(cuts, 1000U);
}

TEST(CrashPoint, EveryFlowSurvivesADeathAfterEveryOutput) {
  cut_after_outputs(flows());
}

TEST(CallFlow, EndsRightOverConnections) {
  for (const Flow& flow : reliable_flows()) {
    const auto outcome = run_flow(flow, {});
    EXPECT_TRUE(outcome.violations.empty()) << flow.name << ":\n" << text_of(outcome);
  }
}

TEST(CrashPoint, EveryFlowOverConnectionsSurvivesADeath) {
  (void)cut_at_writes(reliable_flows(), 7);
  cut_after_outputs(reliable_flows());
}

// What persist = "routes" promises whatever happens to the rest: CANCEL and ACK are right, nothing rings on after a CANCEL.
std::vector<std::string> broken_route_promises(const Flow& flow, const Outcome& outcome) {
  std::vector<std::string> broken;
  const bool cancels = flow.cancel_after != never - Time{};
  for (const auto& violation : outcome.violations) {
    const bool ends_differently = violation.starts_with("the caller saw finals") || violation.starts_with("dialogs") ||
                                  violation.starts_with("the caller's INVITE timed out") || violation.ends_with("rings on");
    // Failover is not promised: the first gateway's failure may be the end of the call.
    if (violation.starts_with("the caller saw finals: 500 ") && flow.fork == TestRoutes::Fork::Serial && flow.gateways.size() > 1) continue;
    if (cancels ? !violation.starts_with("dialogs") : !ends_differently) broken.push_back(violation);
  }
  return broken;
}

TEST(Routes, FlowsAreTheSameWithoutACrash) {
  for (const Flow& flow : flows()) {
    const auto outcome = run_flow(flow, {}, {}, 1, Persist::Routes);
    EXPECT_TRUE(outcome.violations.empty()) << flow.name << ":\n" << text_of(outcome);
  }
}

TEST(Routes, CancelAndAckAreRightAfterADeathAtEveryWriteAndOutput) {
  for (const Flow& flow : flows()) {
    const auto whole = run_flow(flow, {}, {}, 1, Persist::Routes);
    for (std::uint64_t at = 0; at < whole.writes; ++at) {
      const auto outcome = run_flow(flow, {.at_write = at}, {}, 1, Persist::Routes);
      const auto broken = broken_route_promises(flow, outcome);
      ASSERT_TRUE(broken.empty()) << flow.name << ", cut at write " << at << ": " << broken.front() << "\n" << text_of(outcome);
      ASSERT_EQ(outcome.starts, 2U);
    }
    for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
      const auto outcome = run_flow(flow, {.at_output = at}, {}, 1, Persist::Routes);
      const auto broken = broken_route_promises(flow, outcome);
      ASSERT_TRUE(broken.empty()) << flow.name << ", cut after output " << at << ": " << broken.front() << "\n" << text_of(outcome);
    }
  }
}

TEST(Routes, CancelAndAckAreRightOverConnections) {
  for (const Flow& flow : reliable_flows()) {
    const auto whole = run_flow(flow, {}, {}, 1, Persist::Routes);
    EXPECT_TRUE(whole.violations.empty()) << flow.name << ":\n" << text_of(whole);
    for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
      const auto outcome = run_flow(flow, {.at_output = at}, {}, 1, Persist::Routes);
      const auto broken = broken_route_promises(flow, outcome);
      ASSERT_TRUE(broken.empty()) << flow.name << ", cut after output " << at << ": " << broken.front() << "\n" << text_of(outcome);
    }
  }
}

TEST(Off, AProxyThatForgetsLosesCancels) {
  // The control: the same checks must fail when nothing survives.
  std::size_t broken = 0;
  for (const Flow& flow : flows())
    for (std::uint64_t at = 1; at <= run_flow(flow, {}).outputs; ++at)
      broken += !run_flow(flow, {.at_output = at}, {}, 1, Persist::Off).violations.empty();
  EXPECT_GT(broken, 20U);
}

TEST(CallFlow, SurvivesALossyNetwork) {
  // 5 % lost, 5 % doubled, reordering: retransmissions must mend it all; only timing may differ.
  for (const Flow& flow : flows())
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      Flow relaxed = flow;
      const auto outcome = run_flow(relaxed, {}, {.latency = 1ms, .jitter = 3ms, .lost = 50, .doubled = 50}, seed);
      for (const auto& violation : outcome.violations) {
        // A CANCEL, or the end of the time that the script allows, may be overtaken or come late: the flow then ends as the race decides.
        const bool race =
            flow.cancel_after != never - Time{} || flow.ringing_ms != 0 || flow.dialogs > 1 || violation.starts_with("dialogs");
        const bool decided_by_race = violation.starts_with("the caller saw finals") || violation.starts_with("dialogs");
        EXPECT_TRUE(race && decided_by_race) << flow.name << ", seed " << seed << ": " << violation << "\n" << outcome.ladder;
      }
    }
}

}  // namespace
}  // namespace perdure::proxy

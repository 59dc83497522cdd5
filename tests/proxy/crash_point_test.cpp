// Every call flow is cut at every write to the store and after every datagram that leaves; the next process must end it right.
#include <gtest/gtest.h>

#include "proxy/call_flows.hpp"

namespace perdure::proxy {
namespace {

std::string text_of(const Outcome& outcome) {
  std::string text;
  for (const auto& violation : outcome.violations) text += violation + "\n";
  return text + outcome.ladder;
}

TEST(CallFlow, EndsRightWithoutACrash) {
  for (const Flow& flow : flows()) {
    const auto outcome = run_flow(flow, {});
    EXPECT_TRUE(outcome.violations.empty()) << flow.name << ":\n" << text_of(outcome);
    EXPECT_EQ(outcome.starts, 1U);
  }
}

TEST(CrashPoint, EveryFlowSurvivesADeathAtEveryWrite) {
  std::uint64_t cuts = 0;
  for (const Flow& flow : flows()) {
    const auto whole = run_flow(flow, {});
    for (std::uint64_t at = 0; at < whole.writes; ++at) {
      const auto outcome = run_flow(flow, {.at_write = at});
      ASSERT_TRUE(outcome.violations.empty()) << flow.name << ", cut at write " << at << ":\n" << text_of(outcome);
      ASSERT_EQ(outcome.starts, 2U) << flow.name << ", write " << at;
      ++cuts;
    }
  }
  RecordProperty("cuts", std::to_string(cuts));
  EXPECT_GT(cuts, 1000U);
}

TEST(CrashPoint, EveryFlowSurvivesADeathAfterEveryOutput) {
  for (const Flow& flow : flows()) {
    const auto whole = run_flow(flow, {});
    for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
      const auto outcome = run_flow(flow, {.at_output = at});
      ASSERT_TRUE(outcome.violations.empty()) << flow.name << ", cut after output " << at << ":\n" << text_of(outcome);
    }
  }
}

TEST(CallFlow, SurvivesALossyNetwork) {
  // 5 % lost, 5 % doubled, reordering: retransmissions must mend it all; only timing may differ.
  for (const Flow& flow : flows())
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      Flow relaxed = flow;
      const auto outcome = run_flow(relaxed, {}, {.latency = 1ms, .jitter = 3ms, .lost = 50, .doubled = 50}, seed);
      for (const auto& violation : outcome.violations) {
        // A CANCEL may be overtaken or come late: the flow then ends as the race decides.
        const bool race = flow.cancel_after != never - Time{} || flow.dialogs > 1 || violation.starts_with("dialogs");
        const bool decided_by_race = violation.starts_with("the caller saw finals") || violation.starts_with("dialogs");
        EXPECT_TRUE(race && decided_by_race) << flow.name << ", seed " << seed << ": " << violation << "\n" << outcome.ladder;
      }
    }
}

}  // namespace
}  // namespace perdure::proxy

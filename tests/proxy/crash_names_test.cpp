// Calls to host names, cut at writes to the store and after every datagram: while they wait for name servers, and while the servers of
// a name take over from each other.
#include <gtest/gtest.h>

#include "proxy/call_flows.hpp"

namespace perdure::proxy {
namespace {

std::string text_of(const Outcome& outcome) {
  std::string text;
  for (const auto& violation : outcome.violations) text += violation + "\n";
  return text + outcome.ladder;
}

TEST(CallByName, EndsRightWithoutACrash) {
  for (const Flow& flow : named_flows())
    for (const Persist persist : {Persist::Full, Persist::Routes}) {
      const auto outcome = run_flow(flow, {}, {}, 1, persist);
      EXPECT_TRUE(outcome.violations.empty()) << flow.name << ":\n" << text_of(outcome);
    }
}

// At every third write, of each flow at others.
TEST(CallByName, SurvivesADeathAtAWrite) {
  std::uint64_t first = 0;
  for (const Flow& flow : named_flows()) {
    const auto whole = run_flow(flow, {});
    first = (first + 1) % 3;
    for (std::uint64_t at = first; at < whole.writes; at += 3) {
      const auto outcome = run_flow(flow, {.at_write = at});
      ASSERT_TRUE(outcome.violations.empty()) << flow.name << ", cut at write " << at << ":\n" << text_of(outcome);
      ASSERT_EQ(outcome.starts, 2U) << flow.name << ", write " << at;
    }
  }
}

TEST(CallByName, SurvivesADeathAfterEveryOutput) {
  for (const Flow& flow : named_flows()) {
    const auto whole = run_flow(flow, {});
    for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
      const auto outcome = run_flow(flow, {.at_output = at});
      ASSERT_TRUE(outcome.violations.empty()) << flow.name << ", cut after output " << at << ":\n" << text_of(outcome);
    }
  }
}

}  // namespace
}  // namespace perdure::proxy

#pragma once
// Flows that are cut by deaths: what all of them have in common.
#include <gtest/gtest.h>

#include "proxy/call_flows.hpp"

namespace perdure::proxy {

inline std::string text_of(const Outcome& outcome) {
  std::string text;
  for (const auto& violation : outcome.violations) text += violation + "\n";
  return text + outcome.ladder;
}

// The process dies at every `step`-th write to the store, of each flow at others, and the next one must end the call right. Returns how
// many deaths there were.
inline std::uint64_t cut_at_writes(const std::vector<Flow>& flows, std::uint64_t step) {
  std::uint64_t first = 0, cuts = 0;
  for (const Flow& flow : flows) {
    const auto whole = run_flow(flow, {});
    first = (first + 1) % step;
    for (std::uint64_t at = first; at < whole.writes; at += step, ++cuts) {
      const auto outcome = run_flow(flow, {.at_write = at});
      EXPECT_TRUE(outcome.violations.empty()) << flow.name << ", cut at write " << at << ":\n" << text_of(outcome);
      EXPECT_EQ(outcome.starts, 2U) << flow.name << ", write " << at;
      if (testing::Test::HasFailure()) return cuts;  // the others would say the same
    }
  }
  return cuts;
}

// The same after every datagram that leaves.
inline void cut_after_outputs(const std::vector<Flow>& flows) {
  for (const Flow& flow : flows) {
    const auto whole = run_flow(flow, {});
    for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
      const auto outcome = run_flow(flow, {.at_output = at});
      ASSERT_TRUE(outcome.violations.empty()) << flow.name << ", cut after output " << at << ":\n" << text_of(outcome);
    }
  }
}

}  // namespace perdure::proxy

// Calls to host names, cut at writes to the store and after every datagram: while they wait for name servers, and while the servers of
// a name take over from each other.
#include "proxy/crash_cuts.hpp"

namespace perdure::proxy {
namespace {

TEST(CallByName, EndsRightWithoutACrash) {
  for (const Flow& flow : named_flows())
    for (const Persist persist : {Persist::Full, Persist::Routes}) {
      const auto outcome = run_flow(flow, {}, {}, 1, persist);
      EXPECT_TRUE(outcome.violations.empty()) << flow.name << ":\n" << text_of(outcome);
    }
}

TEST(CallByName, SurvivesADeathAtAWrite) {
  (void)cut_at_writes(named_flows(), 3);
}

TEST(CallByName, SurvivesADeathAfterEveryOutput) {
  cut_after_outputs(named_flows());
}

}  // namespace
}  // namespace perdure::proxy

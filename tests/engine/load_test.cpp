// What must hold under load with several workers: order, and nothing from the heap.
#include "engine/call_load.hpp"
#include "engine/engine_fixture.hpp"
#include "heap/counting_new.hpp"

namespace perdure::engine {
namespace {

class Load : public EngineTest, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(Load, MessagesOfACallDoNotOvertakeEachOther) {
  open(GetParam());
  start();
  Gateways gateways(5, proxy_address);
  Callers callers(8, proxy_address, gateways);
  EXPECT_TRUE(callers.make(4000, 100));
  EXPECT_EQ(callers.overtaken(), 0U);
  EXPECT_EQ(gateways.overtaken(), 0U);
  const auto counters = engine->counters();
  EXPECT_GE(counters.proxy.transactions_created, 8000U);
  EXPECT_EQ(counters.proxy.script_errors, 0U);
  // Callers and gateways are read by whom the kernel chooses: calls did change hands.
  EXPECT_EQ(counters.handed_over > 0, GetParam() > 1);
}

TEST_P(Load, TakesNothingFromTheHeapInTheSteadyState) {
  open(GetParam());
  options.proxy.t1 = 5ms;  // transactions live 64 times as long: their number is soon steady
  options.proxy.t4 = 5ms;
  start();
  Gateways gateways(2, proxy_address);
  Callers callers(4, proxy_address, gateways);
  const auto spent = [&] {
    std::vector<std::uint64_t> counts(options.workers);
    EXPECT_TRUE(engine->run_on_all([&](std::uint32_t worker, proxy::Proxy&) { counts[worker] = allocations_of_this_thread(); }, 20s));
    std::uint64_t sum = 0;
    for (const auto count : counts) sum += count;
    return sum;
  };
  // How large a batch or a burst can be depends on the moment, so buffers may still grow in one round or the other. What is taken for each
  // message is taken in every round.
  std::uint64_t least = UINT64_MAX;
  ASSERT_TRUE(callers.make(2000, 50));
  EXPECT_GT(spent(), 0U);  // the count sees the workers
  for (int round = 0; round < 20 && least > 0; ++round) {
    const auto before = spent();
    ASSERT_TRUE(callers.make(300, 20));
    least = std::min(least, spent() - before);
  }
  EXPECT_EQ(least, 0U) << "allocations in 300 calls";
}

INSTANTIATE_TEST_SUITE_P(Workers, Load, testing::Values(1U, 2U, 4U));

}  // namespace
}  // namespace perdure::engine

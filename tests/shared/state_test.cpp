#include "shared/state.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace perdure::shared {
namespace {

TEST(SharedState, VariablesAreBounded) {
  State state;
  EXPECT_EQ(state.variable("a"), std::nullopt);
  EXPECT_TRUE(state.set_variable("a", Value::of("x")));
  EXPECT_TRUE(state.set_variable("a", Value::of(std::int64_t{5})));
  EXPECT_EQ(state.variable("a"), Value::of(std::int64_t{5}));
  EXPECT_FALSE(state.set_variable("b", Value::of(std::string(variable_bytes_max + 1, 'x'))));
  EXPECT_FALSE(state.set_variable(std::string(name_bytes_max + 1, 'x'), Value::of("")));
  for (std::size_t i = 1; i < variables_max; ++i) EXPECT_TRUE(state.set_variable(std::to_string(i), Value::of("")));
  EXPECT_FALSE(state.set_variable("one more", Value::of("")));
  EXPECT_TRUE(state.set_variable("a", Value::of("y")));
  EXPECT_EQ(state.variables().size(), variables_max);
}

TEST(SharedState, CountersAreBounded) {
  State state;
  EXPECT_EQ(state.counter("c"), std::nullopt);
  EXPECT_TRUE(state.add("c", 2));
  EXPECT_TRUE(state.add("c", -5));
  EXPECT_EQ(state.counter("c"), -3);
  state.reset("c");
  state.reset("none");
  EXPECT_EQ(state.counter("c"), 0);
  EXPECT_EQ(state.counter("none"), std::nullopt);
  for (std::size_t i = 1; i < counters_max; ++i) EXPECT_TRUE(state.add(std::to_string(i), 1));
  EXPECT_FALSE(state.add("one more", 1));
}

TEST(SharedState, Probability) {
  State state;
  EXPECT_EQ(state.probability(), 10U);
  EXPECT_TRUE(state.set_probability(100));
  EXPECT_FALSE(state.set_probability(101));
  EXPECT_EQ(state.probability(), 100U);
}

// As Kamailio 5.6 computes them.
TEST(SharedState, CoreHashIsThatOfKamailio) {
  EXPECT_EQ(core_hash("a", "b", 1 << 8), 219U);
  EXPECT_EQ(core_hash("hello world", "", 1 << 16), 47481U);
  EXPECT_EQ(core_hash("abcdefgh", "ijkl", 1 << 4), 4U);
  EXPECT_EQ(core_hash("\xc8\xc9\xff\x81z", "q", 1 << 12), 974U);
  EXPECT_EQ(core_hash("sip:alice@example.org", "x", 2), 1U);
}

TEST(NamedLocks, AreTakenAsOftenAsTheyAreGivenBack) {
  NamedLocks locks;
  NamedLocks::Holder first, second;
  EXPECT_EQ(locks.take("a", first, true), NamedLocks::Taken::Yes);
  EXPECT_EQ(locks.take("a", first, true), NamedLocks::Taken::Yes);
  EXPECT_EQ(locks.take("a", second, false), NamedLocks::Taken::Busy);
  EXPECT_EQ(locks.take("b", second, false), NamedLocks::Taken::Yes);
  EXPECT_TRUE(locks.release("a", first));
  EXPECT_EQ(locks.take("a", second, false), NamedLocks::Taken::Busy);
  EXPECT_FALSE(locks.release("a", second));
  EXPECT_TRUE(locks.release("a", first));
  EXPECT_FALSE(locks.release("a", first));
  EXPECT_EQ(locks.take("a", second, false), NamedLocks::Taken::Yes);
}

TEST(NamedLocks, TwoThatWaitForEachOtherGoOn) {
  NamedLocks locks;
  NamedLocks::Holder first, second;
  ASSERT_EQ(locks.take("a", first, true), NamedLocks::Taken::Yes);
  ASSERT_EQ(locks.take("b", second, true), NamedLocks::Taken::Yes);
  auto other = NamedLocks::Taken::Yes;
  std::jthread worker([&] { other = locks.take("a", second, true); });
  const auto own = locks.take("b", first, true);
  worker.join();
  EXPECT_EQ(own, NamedLocks::Taken::Busy);
  EXPECT_EQ(other, NamedLocks::Taken::Busy);
  EXPECT_EQ(locks.timeouts(), 2U);
}

TEST(NamedLocks, AreGivenBackAtTheEnd) {
  NamedLocks locks;
  NamedLocks::Holder other;
  {
    NamedLocks::Holder holder;
    ASSERT_EQ(locks.take("a", holder, true), NamedLocks::Taken::Yes);
    std::size_t taken = 1;
    while (locks.take("many" + std::to_string(taken), holder, false) == NamedLocks::Taken::Yes) ++taken;
    EXPECT_EQ(taken, NamedLocks::held_max);
    EXPECT_EQ(locks.take("too many", holder, false), NamedLocks::Taken::TooMany);
  }
  EXPECT_EQ(locks.take("a", other, false), NamedLocks::Taken::Yes);
  EXPECT_EQ(locks.take("many1", other, false), NamedLocks::Taken::Yes);
}

TEST(NamedLocks, KeepWorkersApart) {
  NamedLocks locks;
  int counter = 0;  // not atomic: the lock guards it
  std::vector<std::jthread> workers;
  for (int worker = 0; worker < 3; ++worker)
    workers.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        NamedLocks::Holder holder;
        while (locks.take("counter", holder, true) != NamedLocks::Taken::Yes) {
        }
        ++counter;
      }
    });
  workers.clear();
  EXPECT_EQ(counter, 6000);
}

}  // namespace
}  // namespace perdure::shared

// One engine at work, one in waiting, whatever happens to them.
#include "edge/supervisor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "edge/fake_engine.hpp"
#include "edge/supervisor_fixture.hpp"

namespace perdure::edge {
namespace {

using testing::HasSubstr;

TEST_F(SupervisorTest, StartsAnEngineAndASpare) {
  ASSERT_TRUE(start());
  EXPECT_TRUE(status().serving);
  EXPECT_EQ(status().engine_starts, 1U);
  EXPECT_NE(supervisor->sockets().addresses().at(0).port, 0);
  ASSERT_TRUE(until_spare());
  EXPECT_EQ(text("engine.pid"), std::to_string(status().engine.pid) + "\n");
  EXPECT_EQ(text("spare.pid"), std::to_string(status().spare.pid) + "\n");
  EXPECT_EQ(text("edge.pid"), std::to_string(getpid()) + "\n");
}

TEST_F(SupervisorTest, TheSpareTakesOverFromAnEngineThatIsKilled) {
  ASSERT_TRUE(start());
  for (std::uint64_t round = 2; round < 7; ++round) {
    ASSERT_TRUE(until_spare());
    const pid_t engine = status().engine.pid, spare = status().spare.pid;
    ASSERT_EQ(kill(engine, SIGKILL), 0);
    ASSERT_TRUE(until([&] { return status().engine_starts == round; }));
    EXPECT_EQ(status().engine.pid, spare);
    EXPECT_EQ(status().last_death, Death::Killed);
    EXPECT_GT(status().last_pause.count(), 0);
    EXPECT_EQ(status().last_attach, R"({"recovered":1})");
  }
  EXPECT_EQ(text("deaths"), "none\nkilled\nkilled\nkilled\nkilled\nkilled\n");
  EXPECT_FALSE(has("two-at-once"));
}

TEST_F(SupervisorTest, AnEngineThatDoesNotTickIsReplaced) {
  set_mode("hang");
  ASSERT_TRUE(start());
  set_mode("normal");
  ASSERT_TRUE(until([&] { return status().engine_starts >= 2; }));
  EXPECT_EQ(status().last_death, Death::Hung);
  EXPECT_FALSE(has("two-at-once"));
}

TEST_F(SupervisorTest, AnEngineThatIsStoppedIsReplaced) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  ASSERT_EQ(kill(status().engine.pid, SIGSTOP), 0);
  ASSERT_TRUE(until([&] { return status().engine_starts == 2; }));
  EXPECT_EQ(status().last_death, Death::Hung);
}

TEST_F(SupervisorTest, ACrashLoopGoesOnWithPauses) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  set_mode("short-lived");
  ASSERT_EQ(kill(status().spare.pid, SIGKILL), 0);  // its successor is of the new kind
  ASSERT_TRUE(until([&] { return status().spare.pid != 0 && has("spare.pid"); }));
  ASSERT_EQ(kill(status().engine.pid, SIGKILL), 0);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(until([&] { return status().engine_starts >= 8; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);  // it does not spin
  set_mode("normal");
  ASSERT_TRUE(until([&] {
    return status().serving && status().last_death == Death::Crashed && kill(status().engine.pid, 0) == 0 && has("spare.pid") &&
           text("mode") == "normal" && status().engine_starts >= 9;
  }));
}

TEST_F(SupervisorTest, ASpareThatCannotInitialiseNeverGetsTheWord) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  const pid_t engine = status().engine.pid;
  set_mode("no-script");
  ASSERT_EQ(kill(status().spare.pid, SIGKILL), 0);
  ASSERT_TRUE(until([&] { return !status().spare_error.empty(); }));
  EXPECT_THAT(status().spare_error, HasSubstr("routes.lua:3"));
  EXPECT_EQ(status().engine.pid, engine);
  EXPECT_TRUE(status().serving);
  set_mode("normal");  // it is tried again
  ASSERT_TRUE(until([&] { return has("spare.pid"); }));
  EXPECT_TRUE(status().spare_error.empty());
}

TEST_F(SupervisorTest, StartFailsWithTheEnginesOwnWords) {
  set_mode("no-script");
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("routes.lua:3: no such function"));
  EXPECT_FALSE(has("engine.pid"));
}

TEST_F(SupervisorTest, StartFailsIfTheStoreCannotBeAttached) {
  set_mode("no-store");
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "the store is damaged");
  EXPECT_FALSE(has("engine.pid"));
}

TEST_F(SupervisorTest, StartGivesUpOnEnginesThatCrashOnWhatTheyFind) {
  set_mode("crash");
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("ended while it attached"));
}

TEST_F(SupervisorTest, CallsAreAnsweredAlsoAcrossASwitch) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  std::string answer;
  const auto keep = [&](Result<std::string> result) { answer = result ? *result : result.error().message; };
  supervisor->call_engine("{}", keep);
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, std::to_string(status().engine.pid));
  // It is stopped before it reads the request, then killed: the next one answers.
  answer.clear();
  ASSERT_EQ(kill(status().engine.pid, SIGSTOP), 0);
  supervisor->call_engine("{}", keep);
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(status().engine_starts, 2U);
  EXPECT_EQ(answer, std::to_string(status().engine.pid));
}

TEST_F(SupervisorTest, AReloadReplacesTheSpare) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  const pid_t spare = status().spare.pid, engine = status().engine.pid;
  bool done = false;
  supervisor->reload("{}", [&](const Result<>& result) {
    EXPECT_TRUE(result);
    done = true;
  });
  ASSERT_TRUE(until([&] { return done && status().spare.pid != 0 && status().spare.pid != spare && has("spare.pid"); }));
  EXPECT_EQ(status().engine.pid, engine);
  EXPECT_EQ(status().engine_starts, 1U);
}

TEST_F(SupervisorTest, StopsInAnOrderlyWay) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  const pid_t engine = status().engine.pid, spare = status().spare.pid;
  std::optional<bool> orderly;
  supervisor->stop([&](bool so) { orderly = so; });
  ASSERT_TRUE(until([&] { return orderly.has_value(); }));
  EXPECT_TRUE(*orderly);
  EXPECT_FALSE(has("engine.pid"));
  EXPECT_FALSE(has("edge.pid"));
  EXPECT_NE(kill(engine, 0), 0);
  supervisor.reset();
  EXPECT_NE(kill(spare, 0), 0);
}

TEST_F(SupervisorTest, AnEngineThatDoesNotStopIsKilled) {
  set_mode("deaf");
  ASSERT_TRUE(start());
  std::optional<bool> orderly;
  supervisor->stop([&](bool so) { orderly = so; });
  ASSERT_TRUE(until([&] { return orderly.has_value(); }));
  EXPECT_FALSE(*orderly);
}

}  // namespace
}  // namespace perdure::edge

int main(int argc, char** argv) {
  if (const auto code = perdure::edge::run_fake_engine(argc, argv)) return *code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

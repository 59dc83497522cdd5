// The engine is replaced by one of another program, or everything stays as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <optional>

#include "edge/supervisor_fixture.hpp"

namespace perdure::edge {
namespace {

using testing::HasSubstr;

class SupervisorUpgradeTest : public SupervisorTest {
 protected:
  SupervisorUpgradeTest() {
    request.binary = "/proc/self/exe";
    request.patience = 5s;
    request.probation = 100ms;
  }
  void begin() {
    supervisor->upgrade(request, [this](Result<UpgradeReport> report) { result = std::move(report); });
  }
  // An upgrade from a server that runs, to an engine of `mode`, to its end.
  void upgrade_to(const char* mode) {
    ASSERT_TRUE(start());
    ASSERT_TRUE(until_spare());
    before = status();
    set_mode(mode);
    begin();
    ASSERT_TRUE(until([&] { return result.has_value(); }));
    set_mode("normal");
  }
  [[nodiscard]] std::string error() const { return !result ? "no result" : *result ? "done" : result->error().message; }
  // Nothing but a candidate has come and gone.
  void expect_untouched() {
    EXPECT_EQ(status().engine.pid, before.engine.pid);
    EXPECT_EQ(status().spare.pid, before.spare.pid);
    EXPECT_EQ(status().engine_starts, 1U);
    EXPECT_TRUE(status().serving);
    EXPECT_FALSE(status().upgrading);
    EXPECT_FALSE(has("two-at-once"));
  }
  // One of the new program has had the store, and the spare of the one before has it now.
  void expect_brought_back() {
    EXPECT_EQ(status().engine.pid, before.spare.pid);
    EXPECT_EQ(status().engine.binary, before.engine.binary);
    EXPECT_TRUE(status().serving);
    EXPECT_FALSE(has("two-at-once"));
    ASSERT_TRUE(until_spare());
    EXPECT_EQ(status().spare.binary, before.engine.binary);
  }

  UpgradeRequest request;
  SupervisorStatus before;
  std::optional<Result<UpgradeReport>> result;
};

TEST_F(SupervisorUpgradeTest, TheNewOneTakesOverAndTheSpareFollows) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("normal"));
  ASSERT_TRUE(*result) << error();
  EXPECT_EQ((*result)->binary, "/proc/self/exe");
  EXPECT_EQ((*result)->version, "1");
  EXPECT_GT((*result)->pause.count(), 0);
  EXPECT_EQ(status().engine.binary, "/proc/self/exe");
  EXPECT_NE(status().engine.pid, before.engine.pid);
  EXPECT_EQ(status().engine_starts, 2U);
  EXPECT_EQ(status().last_death, Death::Planned);
  EXPECT_EQ(status().longest_pause, (*result)->pause);
  EXPECT_EQ(text("engine.pid"), std::to_string(status().engine.pid) + "\n");
  ASSERT_TRUE(
      until([&] { return status().spare.pid != before.spare.pid && status().spare.binary == "/proc/self/exe" && has("spare.pid"); }));
  EXPECT_EQ(text("deaths"), "none\nplanned\n");
  EXPECT_FALSE(has("two-at-once"));
  EXPECT_NE(kill(before.engine.pid, 0), 0);
}

TEST_F(SupervisorUpgradeTest, TheSpareStaysWhatItWasDuringTheProbation) {
  request.probation = 60s;
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  before = status();
  begin();
  ASSERT_TRUE(until([&] { return status().engine_starts == 2; }));
  EXPECT_EQ(status().spare.pid, before.spare.pid);
  EXPECT_TRUE(status().upgrading);
  // Whoever kills the new engine now gets the old one.
  ASSERT_EQ(kill(status().engine.pid, SIGKILL), 0);
  ASSERT_TRUE(until([&] { return result.has_value(); }));
  EXPECT_THAT(error(), HasSubstr("it was killed"));
  EXPECT_THAT(error(), HasSubstr("serves again"));
  expect_brought_back();
}

TEST_F(SupervisorUpgradeTest, OneThatCrashesAtItsStartChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("crash-at-start"));
  EXPECT_THAT(error(), HasSubstr("it ended while it initialised (signal 6)"));
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, OneThatHangsAtItsStartChangesNothing) {
  request.patience = 200ms;
  ASSERT_NO_FATAL_FAILURE(upgrade_to("mute"));
  EXPECT_THAT(error(), HasSubstr("it has not initialised within 0.2 s"));
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, OneThatCannotInitialiseSaysWhy) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("no-script"));
  EXPECT_THAT(error(), HasSubstr("routes.lua:3: no such function"));
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, OneThatDoesNotKnowTheLayoutIsNotGivenTheStore) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("other-layout"));
  EXPECT_THAT(error(),
              HasSubstr("it does not know the layout of the store: records of kind call have layout 1, and it reads only 8 and 9"));
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, OneThatSaysNothingOfLayoutsIsNotGivenTheStore) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("no-manifest"));
  EXPECT_THAT(error(), HasSubstr("it does not say which layouts of the store it reads"));
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, WithoutAWayBackItIsAskedFor) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("newer"));
  EXPECT_THAT(error(), HasSubstr("there would be no way back to version 1, for which records of kind call have layout 2"));
  EXPECT_THAT(error(), HasSubstr("--one-way"));
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, OneWayIsDoneIfItIsWanted) {
  request.one_way = true;
  ASSERT_NO_FATAL_FAILURE(upgrade_to("newer"));
  ASSERT_TRUE(*result) << error();
  EXPECT_EQ(status().engine.version, "2");
}

TEST_F(SupervisorUpgradeTest, OneThatCannotAttachIsReplacedByTheOneBefore) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("no-store"));
  EXPECT_THAT(error(), HasSubstr("the store is damaged"));
  expect_brought_back();
  EXPECT_EQ(text("deaths"), "none\nplanned\n");  // nobody is blamed
}

TEST_F(SupervisorUpgradeTest, OneThatCrashesWhileItAttachesIsReplacedByTheOneBefore) {
  ASSERT_NO_FATAL_FAILURE(upgrade_to("crash"));
  EXPECT_THAT(error(), HasSubstr("it ended while it attached (signal 6)"));
  expect_brought_back();
}

TEST_F(SupervisorUpgradeTest, OneThatDiesSoonIsReplacedByTheOneBefore) {
  request.probation = 10s;
  ASSERT_NO_FATAL_FAILURE(upgrade_to("short-lived"));
  EXPECT_THAT(error(), HasSubstr("it crashed"));
  EXPECT_THAT(error(), HasSubstr("exit code 3"));
  expect_brought_back();
}

TEST_F(SupervisorUpgradeTest, OneThatHangsSoonIsReplacedByTheOneBefore) {
  request.probation = 10s;
  ASSERT_NO_FATAL_FAILURE(upgrade_to("hang"));
  EXPECT_THAT(error(), HasSubstr("it hung"));
  expect_brought_back();
}

TEST_F(SupervisorUpgradeTest, AnEngineThatDiesMeanwhileIsReplacedAndTheUpgradeGoesOn) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  ASSERT_EQ(kill(status().engine.pid, SIGKILL), 0);
  begin();
  ASSERT_TRUE(until([&] { return result.has_value(); }));
  ASSERT_TRUE(*result) << error();
  EXPECT_EQ(text("deaths"), "none\nkilled\nplanned\n");
  EXPECT_FALSE(has("two-at-once"));
}

TEST_F(SupervisorUpgradeTest, AnEngineThatDiesOfTheWordToStopIsReplacedByTheNewOne) {
  set_mode("crash-at-stop");
  ASSERT_NO_FATAL_FAILURE(upgrade_to("normal"));
  ASSERT_TRUE(*result) << error();
  EXPECT_EQ(text("deaths"), "none\ncrashed\n");
  EXPECT_EQ(status().engine.binary, "/proc/self/exe");
}

TEST_F(SupervisorUpgradeTest, WhatIsNoProgramIsRefused) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  before = status();
  for (const auto& [path, why] :
       {std::pair("/nonexistent", "No such file"), {"/etc/passwd", "may not be executed"}, {"/tmp", "not a program"}}) {
    request.binary = path;
    result.reset();
    begin();
    ASSERT_TRUE(result.has_value());
    EXPECT_THAT(error(), HasSubstr(why));
  }
  expect_untouched();
}

TEST_F(SupervisorUpgradeTest, OneAtATime) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  request.probation = 60s;
  begin();
  std::string second, reload;
  supervisor->upgrade(request, [&](const Result<UpgradeReport>& report) { second = report ? "done" : report.error().message; });
  supervisor->reload("{}", [&](const Result<>& done) { reload = done ? "done" : done.error().message; });
  EXPECT_EQ(second, "an upgrade is in progress");
  EXPECT_EQ(reload, "an upgrade is in progress");
  // A stop does not wait for it.
  ASSERT_TRUE(until([&] { return status().engine_starts == 2; }));
  std::optional<bool> orderly;
  supervisor->stop([&](bool so) { orderly = so; });
  EXPECT_EQ(error(), "the server is stopping");
  ASSERT_TRUE(until([&] { return orderly.has_value(); }));
  EXPECT_TRUE(*orderly);
}

TEST_F(SupervisorUpgradeTest, TheStoreCanBeReleasedAndTakenBack) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  before = status();
  ASSERT_TRUE(supervisor->reserve());
  EXPECT_FALSE(supervisor->reserve());
  bool settled = false;
  supervisor->when_settled([&] { settled = true; });
  EXPECT_TRUE(settled);
  std::optional<Death> released;
  supervisor->release([&](Death death) { released = death; });
  ASSERT_TRUE(until([&] { return released.has_value(); }));
  EXPECT_EQ(*released, Death::Planned);
  EXPECT_FALSE(status().serving);
  EXPECT_EQ(status().spare.pid, before.spare.pid);
  bool serving = false;
  supervisor->take_back(Death::Killed, [&] { serving = true; });
  ASSERT_TRUE(until([&] { return serving; }));
  EXPECT_EQ(status().engine.pid, before.spare.pid);
  EXPECT_EQ(text("deaths"), "none\nkilled\n");
}

TEST_F(SupervisorUpgradeTest, AStopInTheMiddleOfTheSwitchIsOrderly) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  ASSERT_EQ(kill(status().engine.pid, SIGSTOP), 0);  // so that the switch waits
  begin();
  const auto steps = [&] { return supervisor->upgrade_steps().size(); };
  ASSERT_TRUE(until([&] { return steps() >= 2; }));
  const pid_t engine = status().engine.pid;
  std::optional<bool> orderly;
  supervisor->stop([&](bool so) { orderly = so; });
  ASSERT_EQ(kill(engine, SIGCONT), 0);
  ASSERT_TRUE(until([&] { return orderly.has_value(); }));
  EXPECT_TRUE(*orderly);
}

}  // namespace
}  // namespace perdure::edge

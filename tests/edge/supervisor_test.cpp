// One engine at work, one in waiting, whatever happens to them.
#include "edge/supervisor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "edge/fake_engine.hpp"
#include "net/udp_socket.hpp"

namespace perdure::edge {
namespace {

using testing::HasSubstr;

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    char name[] = "/tmp/perdure-supervisor-XXXXXX";
    folder = mkdtemp(name);
    set_mode("normal");
    options.binary = "/proc/self/exe";
    options.engine_arguments = {"--fake-engine", folder};
    options.udp = {*SocketAddress::parse("127.0.0.1", 0)};
    options.pid_directory = folder;
    options.watchdog = 300ms;
  }
  ~SupervisorTest() override {
    supervisor.reset();
    std::filesystem::remove_all(folder);
  }
  void set_mode(const char* mode) { std::ofstream(folder + "/mode") << mode; }
  [[nodiscard]] bool has(const char* file) const { return std::filesystem::exists(folder + "/" + file); }
  [[nodiscard]] std::string text(const char* file) const {
    std::ifstream in(folder + "/" + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Result<> start() {
    supervisor = std::make_unique<Supervisor>(context, options);
    return supervisor->start();
  }
  // Runs the edge until it is so, or ten seconds have gone.
  bool until(const std::function<bool()>& so) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!so() && std::chrono::steady_clock::now() < deadline) context.run_one_for(20ms);
    return so();
  }
  bool until_spare() {
    return until([&] { return has("spare.pid"); });
  }
  SupervisorStatus status() { return supervisor->status(); }

  std::string folder;
  boost::asio::io_context context;
  SupervisorOptions options;
  std::unique_ptr<Supervisor> supervisor;
};

TEST_F(SupervisorTest, StartsAnEngineAndASpare) {
  ASSERT_TRUE(start());
  EXPECT_TRUE(status().serving);
  EXPECT_EQ(status().engine_starts, 1U);
  EXPECT_NE(supervisor->addresses().at(0).port, 0);
  ASSERT_TRUE(until_spare());
  EXPECT_EQ(text("engine.pid"), std::to_string(status().engine) + "\n");
  EXPECT_EQ(text("spare.pid"), std::to_string(status().spare) + "\n");
  EXPECT_EQ(text("edge.pid"), std::to_string(getpid()) + "\n");
}

TEST_F(SupervisorTest, TheSpareTakesOverFromAnEngineThatIsKilled) {
  ASSERT_TRUE(start());
  for (std::uint64_t round = 2; round < 7; ++round) {
    ASSERT_TRUE(until_spare());
    const pid_t engine = status().engine, spare = status().spare;
    ASSERT_EQ(kill(engine, SIGKILL), 0);
    ASSERT_TRUE(until([&] { return status().engine_starts == round; }));
    EXPECT_EQ(status().engine, spare);
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
  ASSERT_EQ(kill(status().engine, SIGSTOP), 0);
  ASSERT_TRUE(until([&] { return status().engine_starts == 2; }));
  EXPECT_EQ(status().last_death, Death::Hung);
}

TEST_F(SupervisorTest, ACrashLoopGoesOnWithPauses) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  set_mode("short-lived");
  ASSERT_EQ(kill(status().spare, SIGKILL), 0);  // its successor is of the new kind
  ASSERT_TRUE(until([&] { return status().spare != 0 && has("spare.pid"); }));
  ASSERT_EQ(kill(status().engine, SIGKILL), 0);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(until([&] { return status().engine_starts >= 8; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);  // it does not spin
  set_mode("normal");
  ASSERT_TRUE(until([&] {
    return status().serving && status().last_death == Death::Crashed && kill(status().engine, 0) == 0 && has("spare.pid") &&
           text("mode") == "normal" && status().engine_starts >= 9;
  }));
}

TEST_F(SupervisorTest, ASpareThatCannotInitialiseNeverGetsTheWord) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  const pid_t engine = status().engine;
  set_mode("no-script");
  ASSERT_EQ(kill(status().spare, SIGKILL), 0);
  ASSERT_TRUE(until([&] { return !status().spare_error.empty(); }));
  EXPECT_THAT(status().spare_error, HasSubstr("routes.lua:3"));
  EXPECT_EQ(status().engine, engine);
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

TEST_F(SupervisorTest, StartFailsOnAnAddressInUse) {
  const auto taken = net::open_udp_socket(options.udp[0], 1 << 16, true);
  ASSERT_TRUE(taken);
  options.udp[0] = net::local_address(*taken);
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("already in use"));
  close(*taken);
}

TEST_F(SupervisorTest, CallsAreAnsweredAlsoAcrossASwitch) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  std::string answer;
  const auto keep = [&](Result<std::string> result) { answer = result ? *result : result.error().message; };
  supervisor->call_engine("{}", keep);
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, std::to_string(status().engine));
  // It is stopped before it reads the request, then killed: the next one answers.
  answer.clear();
  ASSERT_EQ(kill(status().engine, SIGSTOP), 0);
  supervisor->call_engine("{}", keep);
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(status().engine_starts, 2U);
  EXPECT_EQ(answer, std::to_string(status().engine));
}

TEST_F(SupervisorTest, AReloadReplacesTheSpare) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  const pid_t spare = status().spare, engine = status().engine;
  bool done = false;
  supervisor->reload("{}", [&](const Result<>& result) {
    EXPECT_TRUE(result);
    done = true;
  });
  ASSERT_TRUE(until([&] { return done && status().spare != 0 && status().spare != spare && has("spare.pid"); }));
  EXPECT_EQ(status().engine, engine);
  EXPECT_EQ(status().engine_starts, 1U);
}

TEST_F(SupervisorTest, StopsInAnOrderlyWay) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_spare());
  const pid_t engine = status().engine, spare = status().spare;
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

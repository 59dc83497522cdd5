// Everything that can be wrong at the start: exit code 1, an error that says what and where, and nothing left running.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "app/server_process.hpp"

namespace perdure::app {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// Starts the server, which must fail with `error` in its last line.
void expect_refused(Sandbox& sandbox, const std::string& error) {
  ASSERT_FALSE(sandbox.start());
  const auto finished = sandbox.finish();
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr(error));
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(sandbox.leftovers(), "");
}

TEST(Startup, OccupiedPort) {
  const Peer other;
  Sandbox sandbox;
  sandbox.write("perdure.toml", "listen = [\"udp:127.0.0.1:" + std::to_string(other.port()) + "\"]\n[state]\ndirectory = \"state\"\n");
  expect_refused(sandbox, "udp:127.0.0.1:" + std::to_string(other.port()) + " is already in use\n");
}

TEST(Startup, AddressOfAnotherMachine) {
  Sandbox sandbox;
  sandbox.write("perdure.toml", "listen = [\"udp:192.0.2.1:5060\"]\n[state]\ndirectory = \"state\"\n");
  expect_refused(sandbox, "udp:192.0.2.1:5060 cannot be listened on: Cannot assign requested address\n");
}

TEST(Startup, MissingConfiguration) {
  const auto finished = run_perdure({"run", "-c", "/nowhere/perdure.toml"});
  EXPECT_EQ(finished.code, 1);
  EXPECT_EQ(finished.err, "perdure: /nowhere/perdure.toml: No such file or directory\n");
}

TEST(Startup, UnknownKey) {
  Sandbox sandbox;
  sandbox.configure("worker = 2");
  expect_refused(sandbox, sandbox.config() + ":3: unknown key 'worker'; is 'workers' meant?\n");
  const auto checked = sandbox.command({"check"});
  EXPECT_EQ(checked.code, 1);
  EXPECT_EQ(checked.err, "perdure: " + sandbox.config() + ":3: unknown key 'worker'; is 'workers' meant?\n");
}

TEST(Startup, MissingScript) {
  Sandbox sandbox;
  sandbox.configure("script = \"missing.lua\"");
  expect_refused(sandbox, sandbox.path("missing.lua") + ": ");
  const auto checked = sandbox.command({"check"});
  EXPECT_EQ(checked.code, 1);
  EXPECT_THAT(checked.err, HasSubstr(sandbox.path("missing.lua")));
}

TEST(Startup, ScriptWithAnError) {
  Sandbox sandbox;
  sandbox.write("routes.lua", "function ksr_request_route()\n  KSR.tm.t_relay(\nend\n");
  sandbox.configure("script = \"routes.lua\"");
  expect_refused(sandbox, "routes.lua:3: ");
  const auto checked = sandbox.command({"check"});
  EXPECT_EQ(checked.code, 1);
  EXPECT_THAT(checked.err, HasSubstr("routes.lua:3: "));
}

TEST(Startup, ScriptWithoutMainRoute) {
  Sandbox sandbox;
  sandbox.write("routes.lua", "local x = 1\n");
  sandbox.configure("script = \"routes.lua\"");
  expect_refused(sandbox, "ksr_request_route");
}

TEST(Startup, DestinationListWithAnError) {
  Sandbox sandbox;
  sandbox.write("dispatcher.list", "1 sip:127.0.0.1:5070\nx sip:127.0.0.1\n");
  sandbox.configure("", "[dispatcher]\nlist = \"dispatcher.list\"");
  expect_refused(sandbox, sandbox.path("dispatcher.list") + ":2: ");
  EXPECT_THAT(sandbox.command({"check"}).err, HasSubstr(sandbox.path("dispatcher.list") + ":2: "));
}

TEST(Startup, SecondInstance) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const auto second = sandbox.command({"run"});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, EndsWith("state.directory " + sandbox.path("state") + ": another server is using it (process " +
                                   std::to_string(sandbox.edge()) + ")\n"));
  EXPECT_EQ(sandbox.status()["pids"]["edge"], sandbox.edge());
}

TEST(Startup, ForeignSnapshotIsLeftAsItIs) {
  Sandbox sandbox;
  std::filesystem::create_directories(sandbox.path("state"));
  std::filesystem::permissions(sandbox.path("state"), std::filesystem::perms::owner_all);
  const std::string foreign(10'000, 'x');
  sandbox.write("state/snapshot", foreign);
  expect_refused(sandbox, sandbox.path("state/snapshot") + ": not a store");
  EXPECT_EQ(sandbox.read("state/snapshot"), foreign);
}

TEST(Startup, ForeignLiveFileIsLeftAsItIs) {
  Sandbox sandbox;
  sandbox.configure("", "durability = \"host\"");
  std::filesystem::create_directories(sandbox.path("state"));
  std::filesystem::permissions(sandbox.path("state"), std::filesystem::perms::owner_all);
  const std::string foreign(10'000, 'x');
  sandbox.write("state/live.store", foreign);
  expect_refused(sandbox, sandbox.path("state/live.store") + ": not a store");
  EXPECT_EQ(sandbox.read("state/live.store"), foreign);
}

TEST(Startup, DamagedLiveFileIsLeftAsItIs) {
  Sandbox sandbox;
  sandbox.configure("", "durability = \"host\"");
  ASSERT_TRUE(sandbox.start());
  sandbox.send_signal(SIGTERM);
  ASSERT_EQ(sandbox.finish().code, 0);
  auto bytes = sandbox.read("state/live.store");
  ASSERT_GT(bytes.size(), 64u);
  bytes[24] = static_cast<char>(bytes[24] ^ 1);  // in the superblock
  sandbox.write("state/live.store", bytes);
  expect_refused(sandbox, sandbox.path("state/live.store") + ": damaged: ");
  EXPECT_EQ(sandbox.read("state/live.store"), bytes);
}

TEST(Startup, FileInPlaceOfTheControlSocket) {
  Sandbox sandbox;
  std::filesystem::create_directories(sandbox.path("state/control.sock"));
  std::filesystem::permissions(sandbox.path("state"), std::filesystem::perms::owner_all);
  ASSERT_FALSE(sandbox.start());
  const auto finished = sandbox.finish();
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr(sandbox.path("state/control.sock") + ": there is a file that is no socket\n"));
}

TEST(Startup, CommandsWithoutAServerSaySo) {
  Sandbox sandbox;
  for (const char* name : {"status", "calls", "gateways", "reload", "stop"}) {
    const auto finished = sandbox.command({name});
    EXPECT_EQ(finished.code, 1) << name;
    EXPECT_EQ(finished.err, "perdure: no server at " + sandbox.path("state/control.sock") + "; is it running?\n") << name;
    EXPECT_EQ(finished.out, "") << name;
  }
}

TEST(Startup, UsageErrorsHaveTheirOwnExitCode) {
  EXPECT_EQ(run_perdure({}).code, 2);
  EXPECT_EQ(run_perdure({"dance"}).code, 2);
  EXPECT_EQ(run_perdure({"calls", "--limit", "0"}).code, 2);
  EXPECT_EQ(run_perdure({"check"}).code, 2);
  EXPECT_EQ(run_perdure({"--help"}).code, 0);
  EXPECT_EQ(run_perdure({"--version"}).out, "perdure " PERDURE_VERSION "\n");
}

TEST(Startup, CheckOfGoodFiles) {
  Sandbox sandbox;
  sandbox.write("dispatcher.list", "1 sip:127.0.0.1:5070\n");
  sandbox.configure("", "[dispatcher]\nlist = \"dispatcher.list\"");
  const auto checked = sandbox.command({"check"});
  EXPECT_EQ(checked.code, 0);
  EXPECT_EQ(checked.out, "configuration " + sandbox.config() + ", script (embedded), 1 destinations: good\n");
  EXPECT_EQ(sandbox.leftovers(), "");
}

}  // namespace
}  // namespace perdure::app

// The real server: calls across the death of its processes, its stop and start, and the commands.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "app/server_process.hpp"

namespace perdure::app {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string invite(const Peer& caller, const Peer& callee, std::string_view call_id) {
  return fmt::format(
      "INVITE sip:bob@127.0.0.1:{1} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{0};branch=z9hG4bK{2};rport\r\nMax-Forwards: 70\r\n"
      "From: <sip:alice@example.org>;tag=a{2}\r\nTo: <sip:bob@example.org>\r\nCall-ID: {2}\r\nCSeq: 1 INVITE\r\n"
      "Contact: <sip:alice@127.0.0.1:{0}>\r\nContent-Length: 0\r\n\r\n",
      caller.port(), callee.port(), call_id);
}

std::string cancel(const Peer& caller, const Peer& callee, std::string_view call_id) {
  return fmt::format(
      "CANCEL sip:bob@127.0.0.1:{1} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{0};branch=z9hG4bK{2};rport\r\nMax-Forwards: 70\r\n"
      "From: <sip:alice@example.org>;tag=a{2}\r\nTo: <sip:bob@example.org>\r\nCall-ID: {2}\r\nCSeq: 1 CANCEL\r\n"
      "Content-Length: 0\r\n\r\n",
      caller.port(), callee.port(), call_id);
}

// Until the caller hears that it rings; gives the INVITE as the callee has it.
std::string ring(const Sandbox& sandbox, const Peer& caller, const Peer& callee, std::string_view call_id) {
  caller.send(sandbox.port(), invite(caller, callee, call_id));
  auto request = callee.receive("INVITE ");
  EXPECT_NE(request, "");
  callee.send(sandbox.port(), respond(request, "180 Ringing", "b"));
  EXPECT_NE(caller.receive("SIP/2.0 180 "), "");
  return request;
}

TEST(Server, ServesAndStopsOnCommand) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const json status = sandbox.status();
  EXPECT_EQ(status["pids"]["edge"], sandbox.edge());
  EXPECT_GT(status["pids"]["engine"].get<int>(), 0);
  EXPECT_EQ(std::stoi(sandbox.read("state/edge.pid")), sandbox.edge());
  EXPECT_EQ(std::stoi(sandbox.read("state/engine.pid")), status["pids"]["engine"].get<int>());
  EXPECT_EQ(status["engine_starts"], 1);
  EXPECT_EQ(status["last_start"]["reason"], "none");
  for (const char* key : {"recovered", "dropped", "attach_us", "pause_us"}) EXPECT_TRUE(status["last_start"].contains(key)) << key;
  EXPECT_EQ(status["transactions"], 0);
  EXPECT_EQ(status["workers"], 2);
  EXPECT_EQ(status["listen"], json::array({fmt::format("udp:127.0.0.1:{}", sandbox.port())}));
  for (const char* key : {"used_bytes", "claimed_bytes", "max_bytes"}) EXPECT_TRUE(status["store"].contains(key)) << key;
  EXPECT_TRUE(status["counters"].contains("requests"));
  EXPECT_TRUE(status.contains("uptime_s"));
  const auto stopped = sandbox.command({"stop"});
  EXPECT_EQ(stopped.code, 0);
  EXPECT_EQ(stopped.out, "stopped\n");
  EXPECT_EQ(sandbox.finish().code, 0);
  EXPECT_EQ(sandbox.leftovers(), "");
}

TEST(Server, CallGoesOnWhenTheEngineIsKilled) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  const auto request = ring(sandbox, caller, callee, "killed");
  const auto engine = sandbox.status()["pids"]["engine"].get<pid_t>();
  ASSERT_EQ(kill(engine, SIGKILL), 0);
  callee.send(sandbox.port(), respond(request, "200 OK", "b"));
  EXPECT_NE(caller.receive("SIP/2.0 200 "), "");
  const json status = sandbox.status();
  EXPECT_EQ(status["engine_starts"], 2);
  EXPECT_EQ(status["last_start"]["recovered"], 1);
  EXPECT_EQ(status["last_start"]["reason"], "killed");
  EXPECT_GT(status["last_start"]["pause_us"].get<int>(), 0);
  EXPECT_NE(status["pids"]["engine"], engine);
}

TEST(Server, CallGoesOnAfterStopAndStart) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  const auto request = ring(sandbox, caller, callee, "stopped");
  sandbox.send_signal(SIGTERM);
  const auto first = sandbox.finish();
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(std::filesystem::exists(sandbox.path("state/snapshot")));
  EXPECT_EQ(sandbox.leftovers(), "");
  ASSERT_TRUE(sandbox.start());
  EXPECT_FALSE(std::filesystem::exists(sandbox.path("state/snapshot")));
  EXPECT_EQ(sandbox.status()["last_start"]["recovered"], 1);
  caller.send(sandbox.port(), cancel(caller, callee, "stopped"));
  EXPECT_NE(caller.receive("SIP/2.0 200 "), "");
  const auto cancelled = callee.receive("CANCEL ");
  EXPECT_EQ(header_lines(cancelled, "Via"), header_lines(request, "Via").substr(0, header_lines(cancelled, "Via").size()));
  callee.send(sandbox.port(), respond(cancelled, "200 OK", "b"));
  callee.send(sandbox.port(), respond(request, "487 Request Terminated", "b"));
  EXPECT_NE(caller.receive("SIP/2.0 487 "), "");
  EXPECT_NE(callee.receive("ACK "), "");
}

TEST(Server, CallGoesOnAfterTheEdgeIsKilled) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  const auto request = ring(sandbox, caller, callee, "edge");
  sandbox.send_signal(SIGKILL);
  EXPECT_EQ(sandbox.finish().code, -SIGKILL);
  ASSERT_TRUE(sandbox.start()) << sandbox.finish().err;
  EXPECT_EQ(sandbox.status()["last_start"]["recovered"], 1);
  callee.send(sandbox.port(), respond(request, "200 OK", "b"));
  EXPECT_NE(caller.receive("SIP/2.0 200 "), "");
}

TEST(Server, InterruptOfTheWholeGroupIsAnOrderlyStop) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  ASSERT_EQ(kill(-sandbox.edge(), SIGINT), 0);
  const auto finished = sandbox.finish();
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_TRUE(std::filesystem::exists(sandbox.path("state/snapshot")));
  EXPECT_EQ(sandbox.leftovers(), "");
}

TEST(Server, StopWhileItStartsLeavesNothing) {
  // The signal comes at another moment of the start each time; every one of them must end in order.
  for (int delay_us = 0; delay_us < 40'000; delay_us += 4'000) {
    Sandbox sandbox;
    ASSERT_TRUE(sandbox.start_and_stop(std::chrono::microseconds(delay_us)));
    EXPECT_EQ(sandbox.leftovers(), "") << delay_us;
  }
}

TEST(Server, PersistOffForgets) {
  Sandbox sandbox;
  sandbox.configure("", "persist = \"off\"");
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  (void)ring(sandbox, caller, callee, "off");
  ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
  ASSERT_TRUE(sandbox.wait_for_status([](const json& status) { return status["engine_starts"] == 2; }));
  EXPECT_EQ(sandbox.status()["last_start"]["recovered"], 0);
  sandbox.send_signal(SIGTERM);
  EXPECT_EQ(sandbox.finish().code, 0);
  EXPECT_FALSE(std::filesystem::exists(sandbox.path("state/snapshot")));
}

TEST(Server, CallsShowsWhatRings) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(sandbox.command({"calls"}).out, "no calls in progress\n");
  const Peer caller, callee;
  (void)ring(sandbox, caller, callee, "shown-here");
  const auto table = sandbox.command({"calls"}).out;
  EXPECT_THAT(table, HasSubstr("shown-here"));
  EXPECT_THAT(table, HasSubstr(fmt::format("127.0.0.1:{} Proceeding 180", callee.port())));
  const auto list = json::parse(sandbox.command({"calls", "--limit", "1", "--json"}).out);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["call_id"], "shown-here");
  EXPECT_EQ(list[0]["branches"][0]["status"], 180);
  EXPECT_EQ(json::parse(sandbox.command({"rpc", "tm.stats"}).out)["current"], 1);
}

TEST(Server, ReloadTakesAGoodScriptAndRefusesABadOne) {
  const auto script = [](int code) {
    return fmt::format("function ksr_request_route()\n  KSR.sl.send_reply({}, \"From the script\")\nend\n", code);
  };
  Sandbox sandbox;
  sandbox.write("routes.lua", script(480));
  sandbox.configure("script = \"routes.lua\"");
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  const auto answer = [&](std::string_view call_id) {
    caller.send(sandbox.port(), invite(caller, callee, call_id));
    return caller.receive("SIP/2.0 4").substr(0, 11);
  };
  EXPECT_EQ(answer("one"), "SIP/2.0 480");
  sandbox.write("routes.lua", "function ksr_request_route(\n");
  const auto refused = sandbox.command({"reload"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("routes.lua:2: "));
  EXPECT_EQ(answer("two"), "SIP/2.0 480");
  sandbox.write("routes.lua", script(486));
  ASSERT_TRUE(sandbox.wait_for_status([](const json& status) { return status["pids"]["spare"] != 0; }));
  const auto spare = sandbox.status()["pids"]["spare"];
  const auto reloaded = sandbox.command({"reload"});
  EXPECT_EQ(reloaded.out, "reloaded\n") << reloaded.err;
  EXPECT_EQ(answer("three"), "SIP/2.0 486");
  // The next engine has the new script, too.
  ASSERT_TRUE(
      sandbox.wait_for_status([&](const json& status) { return status["pids"]["spare"] != 0 && status["pids"]["spare"] != spare; }));
  ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
  ASSERT_TRUE(sandbox.wait_for_status([](const json& status) { return status["engine_starts"] == 2; }));
  EXPECT_EQ(answer("four"), "SIP/2.0 486");
}

TEST(Server, ReloadKeepsTheFunctionsThatOpenCallsNeed) {
  const std::string begin = "function ksr_request_route()\n  KSR.tm.t_on_failure(\"on_failure\")\n  KSR.tm.t_relay()\nend\n";
  Sandbox sandbox;
  sandbox.write("routes.lua", begin + "function on_failure() end\nfunction unused() end\n");
  sandbox.configure("script = \"routes.lua\"");
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  (void)ring(sandbox, caller, callee, "rings");
  sandbox.write("routes.lua", begin + "function on_failure() end\n");
  EXPECT_EQ(sandbox.command({"reload"}).out, "reloaded\n") << "nobody needs the other one";
  sandbox.write("routes.lua", begin);
  const auto refused = sandbox.command({"reload"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("routes.lua: functions that open transactions will call are not there any more: on_failure (1 open"));
  EXPECT_EQ(sandbox.status()["script"]["reloads"], 1);
  EXPECT_EQ(sandbox.command({"rpc", "app_lua.reload", "nonsense"}).code, 1);
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.reload"}).code, 0) << "the script is not read for this";
  EXPECT_EQ(sandbox.command({"reload", "--force"}).out, "reloaded\n");
  EXPECT_EQ(sandbox.status()["script"]["reloads"], 2);
}

TEST(Server, HangupReloads) {
  Sandbox sandbox;
  sandbox.write("routes.lua", "function ksr_request_route() end\n");
  sandbox.configure("script = \"routes.lua\"");
  ASSERT_TRUE(sandbox.start());
  sandbox.send_signal(SIGHUP);
  EXPECT_TRUE(sandbox.wait_for_status([](const json& status) { return status["script"]["reloads"] == 1; }));
}

TEST(Server, GatewaysKeepTheirStateOverTheEngineAndTheServer) {
  Sandbox sandbox;
  sandbox.write("dispatcher.list", "1 sip:127.0.0.1:5070 0 10\n1 sip:127.0.0.1:5071 0 5 weight=50\n2 sip:127.0.0.1:5072\n");
  sandbox.configure("", "[dispatcher]\nlist = \"dispatcher.list\"");
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(sandbox.command({"gateways"}).out,
            "SET  STATE  PRIORITY  FAILURES  LOAD  URI                 ATTRIBUTES\n"
            "1    AX     10        0         0     sip:127.0.0.1:5070\n"
            "1    AX     5         0         0     sip:127.0.0.1:5071  weight=50\n"
            "2    AX     0         0         0     sip:127.0.0.1:5072\n");
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.set_state", "ip", "1", "sip:127.0.0.1:5071"}).code, 0);
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.set_state", "d", "2", "all"}).code, 0);
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.set_state", "z", "2", "all"}).code, 1);
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.set_state", "a", "3", "all"}).code, 1);
  const auto states = [&] {
    std::string out;
    const auto list = json::parse(sandbox.command({"gateways", "--json"}).out);
    for (const auto& record : list["RECORDS"])
      for (const auto& target : record["SET"]["TARGETS"]) out += target["DEST"]["FLAGS"].get<std::string>() + " ";
    return out;
  };
  EXPECT_EQ(states(), "AX IP DX ");
  ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
  ASSERT_TRUE(sandbox.wait_for_status([](const json& status) { return status["engine_starts"] == 2; }));
  EXPECT_EQ(states(), "AX IP DX ");
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(states(), "AX IP DX ");
}

TEST(Server, PingsOfGatewaysAreSwitchedOffAndOn) {
  Sandbox sandbox;
  const Peer gateway;
  sandbox.write("dispatcher.list", fmt::format("1 sip:127.0.0.1:{}\n", gateway.port()));
  sandbox.configure("", "[dispatcher]\nlist = \"dispatcher.list\"\nprobing_interval = \"100ms\"\nprobing_mode = \"all\"");
  ASSERT_TRUE(sandbox.start());
  const auto answer_ping = [&] {
    const auto ping = gateway.receive("OPTIONS ");
    if (!ping.empty()) gateway.send(sandbox.port(), respond(ping, "200 OK", "g"));
    return !ping.empty();
  };
  const auto ping_active = [&](std::vector<std::string> state) {
    state.insert(state.begin(), {"rpc", "dispatcher.ping_active"});
    return json::parse(sandbox.command(state).out, nullptr, false);
  };
  const auto sent = [&] { return sandbox.status()["counters"]["datagrams_sent"].get<int>(); };
  EXPECT_TRUE(answer_ping());
  EXPECT_EQ(ping_active({}), (json{{"OldPingState", 1}}));
  EXPECT_EQ(ping_active({"0"}), (json{{"NewPingState", 0}, {"OldPingState", 1}}));
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.ping_active", "2"}).code, 1);

  ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
  ASSERT_TRUE(sandbox.wait_for_status([](const json& status) { return status["engine_starts"] == 2 && status.contains("counters"); }));
  EXPECT_EQ(ping_active({}), (json{{"OldPingState", 0}})) << "the next engine knows";
  const int turns = sandbox.status()["counters"]["turns"];
  ASSERT_TRUE(sandbox.wait_for_status([&](const json& status) { return status["counters"]["turns"] >= turns + 40; }));
  EXPECT_EQ(sent(), 0);
  EXPECT_EQ(ping_active({"1"}), (json{{"NewPingState", 1}, {"OldPingState", 0}}));
  EXPECT_TRUE(sandbox.wait_for_status([&](const json& status) { return status["counters"]["datagrams_sent"] > 0; }));
  EXPECT_TRUE(answer_ping());
}

TEST(Server, EveryListedMethodExists) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const auto names = json::parse(sandbox.command({"rpc", "system.listMethods"}).out);
  EXPECT_GT(names.size(), 10u);
  for (const auto& name : names) {
    EXPECT_EQ(sandbox.command({"rpc", "system.methodHelp", name}).code, 0) << name;
    if (name == "stop") continue;
    EXPECT_THAT(sandbox.command({"rpc", name}).err, testing::Not(HasSubstr("there is no method"))) << name;
  }
  const auto unknown = sandbox.command({"rpc", "no.such", "--json"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_EQ(unknown.err, "perdure: there is no method 'no.such'\n");
  EXPECT_EQ(json::parse(unknown.out)["error"]["code"], -32601);
}

TEST(Server, StatisticsByGroupAndName) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const Peer caller, callee;
  (void)ring(sandbox, caller, callee, "counted");
  const auto group = json::parse(sandbox.command({"rpc", "stats.get_statistics", "proxy:"}).out);
  EXPECT_THAT(group.get<std::vector<std::string>>(), testing::Contains("proxy:requests = 1"));
  EXPECT_EQ(json::parse(sandbox.command({"rpc", "stats.get_statistics", "requests", "responses"}).out),
            json::array({"proxy:requests = 1", "proxy:responses = 1"}));
  EXPECT_EQ(sandbox.command({"rpc", "stats.get_statistics", "nothing"}).code, 1);
}

TEST(Server, CommandsFindItByItsSocket) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  const auto finished = run_perdure({"status", "--socket", sandbox.path("state/control.sock"), "--json"});
  EXPECT_EQ(json::parse(finished.out)["pids"]["edge"], sandbox.edge());
}

TEST(Server, FilesAreForTheOwnerOnly) {
  namespace fs = std::filesystem;
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(fs::status(sandbox.path("state")).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(sandbox.live_folder()).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(sandbox.live_folder() + "/live.store").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace
}  // namespace perdure::app

// Events, timers and accounting of the real server.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "server_process.hpp"

namespace perdure::app {
namespace {

constexpr const char* script = R"(
function ksr_request_route()
  KSR.setflag(1)
  KSR.tm.t_reply(200, "OK")
end
function started(event)
  if event == "htable:mod-init" then KSR.htable.sht_seti("seen", "init", KSR.htable.sht_get("seen", "first")) end
  if event == "core:worker-one-init" then KSR.htable.sht_sets("seen", "core", event) end
end
function changed(event) KSR.htable.sht_sets("seen", event, KSR.pv.get("$du")) end
function turn(event) KSR.htable.sht_inc("seen", event) end
)";

std::string value(const Sandbox& sandbox, const char* key) {
  const auto got = sandbox.command({"rpc", "htable.get", "seen", key});
  const auto json = nlohmann::json::parse(got.out, nullptr, false);
  return json.is_object() && json.contains("item") ? json["item"]["value"].dump() : "none";
}

template <class Condition>
bool wait_until(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end)
    if (condition()) return true;
  return false;
}

std::string options_request(std::uint16_t port, const std::string& id) {
  const auto from = "127.0.0.1:" + std::to_string(port);
  return "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + from + ";branch=z9hG4bK" + id + "\r\nFrom: <sip:a@" + from +
         ">;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: " + id +
         "\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nUser-Agent: phone\r\nContent-Length: 0\r\n\r\n";
}

TEST(Server, TellsTheScriptOfEventsAndTimers) {
  Sandbox sandbox;
  sandbox.write("routes.lua", script);
  sandbox.write("seen.list", "first i:7\nrtimer i:0\n");
  sandbox.write("dispatcher.list", "1 sip:127.0.0.1:9\n");
  sandbox.configure("script = \"routes.lua\"",
                    "[htable.seen]\nload = \"seen.list\"\n[dispatcher]\nlist = \"dispatcher.list\"\n[event_callback]\ncore = \"started\"\n"
                    "htable = \"started\"\ndispatcher = \"changed\"\n[timer.often]\ninterval = \"100ms\"\nroute = \"turn\"\n");
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(value(sandbox, "init"), "7") << "the table was loaded before";
  EXPECT_EQ(value(sandbox, "core"), "\"core:worker-one-init\"");
  EXPECT_TRUE(wait_until([&] { return value(sandbox, "rtimer") != "0"; }));
  EXPECT_EQ(value(sandbox, "dispatcher:dst-down"), "none");
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.set_state", "i", "1", "sip:127.0.0.1:9"}).code, 0);
  EXPECT_TRUE(wait_until([&] { return value(sandbox, "dispatcher:dst-down") == "\"sip:127.0.0.1:9\""; }));
  EXPECT_EQ(sandbox.command({"rpc", "dispatcher.set_state", "a", "1", "sip:127.0.0.1:9"}).code, 0);
  EXPECT_TRUE(wait_until([&] { return value(sandbox, "dispatcher:dst-up") == "\"sip:127.0.0.1:9\""; }));
  // The next engine begins anew.
  const auto engine = sandbox.status()["pids"]["engine"].get<pid_t>();
  ASSERT_EQ(kill(engine, SIGKILL), 0);
  EXPECT_TRUE(
      sandbox.wait_for_status([&](const auto& status) { return status.contains("counters") && status["pids"]["engine"] != engine; }));
  EXPECT_EQ(value(sandbox, "init"), "7");
  EXPECT_EQ(sandbox.status()["script"]["errors"], 0);
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

TEST(Server, AccountsIntoAFile) {
  Sandbox sandbox;
  sandbox.write("routes.lua", script);
  sandbox.configure("script = \"routes.lua\"", "[acc]\nlog_flag = 1\nlog_extra = [\"ua=$ua\"]\nlog_file = \"acc.log\"\n");
  ASSERT_TRUE(sandbox.start());
  Peer peer;
  for (const char* id : {"one", "two"}) {
    peer.send(sandbox.port(), options_request(peer.port(), id));
    EXPECT_NE(peer.receive("SIP/2.0 200"), "");
    if (id == std::string("one")) {
      ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
    }
  }
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
  const auto log = sandbox.read("acc.log");
  for (const char* id : {"one", "two"})
    EXPECT_NE(log.find(std::string(";call_id=") + id + ";code=200;reason=OK;"), std::string::npos) << log;
  EXPECT_NE(log.find(";ua=phone\n"), std::string::npos) << log;
}

TEST(Startup, CallbackThatIsNotThere) {
  Sandbox sandbox;
  sandbox.write("routes.lua", "function ksr_request_route() end\n");
  sandbox.configure("script = \"routes.lua\"", "[timer.t]\nroute = \"tick\"\n");
  const auto checked = sandbox.command({"check"});
  EXPECT_NE(checked.code, 0);
  EXPECT_NE((checked.out + checked.err).find("routes.lua: there is no function tick, which timer.t.route names"), std::string::npos)
      << checked.out << checked.err;
}

}  // namespace
}  // namespace perdure::app

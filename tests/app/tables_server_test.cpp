// Hash tables of the real server over the death of its engine and over a restart.
#include <gtest/gtest.h>
#include <signal.h>

#include "server_process.hpp"

namespace perdure::app {
namespace {

constexpr const char* script = R"(
function ksr_request_route()
  local count = KSR.htable.sht_inc("kept", "messages")
  KSR.htable.sht_sets("lost", "last", KSR.pv.get("$ci"))
  KSR.sl.send_reply(200, "Count " .. count)
end
)";

std::string options_request(std::uint16_t port, const std::string& id) {
  const auto from = "127.0.0.1:" + std::to_string(port);
  return "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + from + ";branch=z9hG4bK" + id + "\r\nFrom: <sip:a@" + from +
         ">;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: " + id + "\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
}

std::string value(const Sandbox& sandbox, const char* table, const char* key) {
  const auto got = sandbox.command({"rpc", "htable.get", table, key});
  const auto json = nlohmann::json::parse(got.out, nullptr, false);
  return json.is_object() && json.contains("item") ? json["item"]["value"].dump() : "none";
}

TEST(Server, PersistentTablesCountOn) {
  Sandbox sandbox;
  sandbox.write("routes.lua", script);
  sandbox.write("kept.list", "first i:1\n");
  sandbox.configure("script = \"routes.lua\"", "[htable.kept]\npersist = true\ninitval = 0\nload = \"kept.list\"\n[htable.lost]\n");
  ASSERT_TRUE(sandbox.start());
  Peer peer;
  const auto send = [&](const std::string& id, const std::string& expected) {
    peer.send(sandbox.port(), options_request(peer.port(), id));
    const auto answer = peer.receive("SIP/2.0 200");
    EXPECT_NE(answer.find("200 Count " + expected + "\r\n"), std::string::npos) << answer;
  };
  send("one", "1");
  send("two", "2");
  EXPECT_EQ(value(sandbox, "kept", "messages"), "2");
  EXPECT_EQ(value(sandbox, "kept", "first"), "1");
  EXPECT_EQ(value(sandbox, "lost", "last"), "\"two\"");
  EXPECT_EQ(sandbox.command({"rpc", "htable.delete", "kept", "first"}).code, 0);

  ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
  send("three", "3");
  EXPECT_EQ(value(sandbox, "kept", "first"), "none") << "the file is read by an empty table only";
  EXPECT_EQ(value(sandbox, "lost", "last"), "\"three\"");

  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
  EXPECT_EQ(sandbox.leftovers(), "");
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(value(sandbox, "lost", "last"), "none");
  send("four", "4");
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

TEST(Server, TablesAreSeenAndChangedByCommand) {
  Sandbox sandbox;
  sandbox.write("t.list", "a i:1\nb s:text\n");
  sandbox.configure("shv = [\"x=i:5\"]", "[htable.t]\nload = \"t.list\"\nmax_entries = 3\n");
  ASSERT_TRUE(sandbox.start());
  const auto rpc = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "rpc");
    return nlohmann::json::parse(sandbox.command(arguments).out, nullptr, false);
  };
  EXPECT_EQ(rpc({"htable.listTables"})[0]["name"], "t");
  EXPECT_EQ(rpc({"htable.stats"})[0]["all"], 2);
  EXPECT_EQ(sandbox.command({"rpc", "htable.seti", "t", "a", "7"}).code, 0);
  EXPECT_EQ(sandbox.command({"rpc", "htable.sets", "t", "c", "new"}).code, 0);
  EXPECT_NE(sandbox.command({"rpc", "htable.sets", "t", "d", "one more"}).code, 0) << "full";
  EXPECT_EQ(value(sandbox, "t", "a"), "7");
  std::size_t entries = 0;
  for (const auto& part : rpc({"htable.dump", "t"})) entries += part["slot"].size();
  EXPECT_EQ(entries, 3U);
  EXPECT_EQ(sandbox.command({"rpc", "htable.reload", "t"}).code, 0);
  EXPECT_EQ(value(sandbox, "t", "a"), "1");
  EXPECT_EQ(value(sandbox, "t", "c"), "none");
  sandbox.write("t.list", "a i:x\n");
  const auto bad = sandbox.command({"rpc", "htable.reload", "t"});
  EXPECT_NE(bad.err.find("t.list:1: 'x' is not a number"), std::string::npos) << bad.err;
  EXPECT_EQ(value(sandbox, "t", "a"), "1");
  EXPECT_NE(sandbox.command({"rpc", "htable.get", "none", "a"}).code, 0);

  EXPECT_EQ(rpc({"pv.shvGet", "x"})["value"], 5);
  EXPECT_EQ(sandbox.command({"rpc", "pv.shvSet", "x", "str", "text"}).code, 0);
  EXPECT_EQ(rpc({"pv.shvGet"})[0]["value"], "text");
  EXPECT_NE(sandbox.command({"rpc", "pv.shvSet", "x", "int", "text"}).code, 0);
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

TEST(Startup, TableFileWithAnError) {
  Sandbox sandbox;
  sandbox.write("t.list", "a i:1\nbroken\n");
  sandbox.configure("", "[htable.t]\nload = \"t.list\"\n");
  EXPECT_FALSE(sandbox.start());
  EXPECT_NE(sandbox.finish().err.find("t.list:2: "), std::string::npos);
}

}  // namespace
}  // namespace perdure::app

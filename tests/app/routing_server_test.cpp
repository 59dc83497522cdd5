// Dialplans, prefixes and gateways of the real server: what its methods show, and that their lists are read again.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "server_process.hpp"

namespace perdure::app {
namespace {

TEST(Server, RoutingListsAreShownAndReadAgain) {
  Sandbox sandbox;
  sandbox.write("dialplan.list", "1 1 regex ^00 0 ^00(.*)$ +\\1 -\n");
  sandbox.write("places.list", "49 germany\n4930 berlin\n");
  sandbox.write("lcr.list", "gateway 1 a sip:192.0.2.1\ngateway 1 b sip:192.0.2.2\nrule 1 49 a/1,b/2\n");
  sandbox.configure("", "[dialplan]\nlist = \"dialplan.list\"\n[mtree.places]\nfile = \"places.list\"\n[lcr]\nlist = \"lcr.list\"\n");
  ASSERT_TRUE(sandbox.start());
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "rpc");
    return nlohmann::json::parse(sandbox.command(words).out, nullptr, false);
  };
  EXPECT_EQ(ask({"dialplan.translate", "1", "0049"})["output"], "+49");
  EXPECT_EQ(ask({"dialplan.dump"}).size(), 1U);
  EXPECT_EQ(ask({"mtree.match", "places", "49301"})["tvalue"], "berlin");
  EXPECT_EQ(ask({"mtree.list", "places", "1"}).size(), 1U);
  EXPECT_EQ(ask({"mtree.summary"})[0]["items"], 2);
  EXPECT_EQ(ask({"lcr.load_gws", "1", "4930"}), nlohmann::json::array({"a", "b"}));
  EXPECT_EQ(ask({"lcr.dump_rules"})[0]["gateways"][1]["gateway"], "b");
  EXPECT_EQ(sandbox.command({"rpc", "lcr.defunct_gw", "1", "a", "60"}).code, 0);
  EXPECT_EQ(ask({"lcr.load_gws", "1", "4930"}), nlohmann::json::array({"b"}));
  EXPECT_GT(ask({"lcr.dump_gws"})[0]["out_of_work_seconds"], 0);
  for (const auto& words : {std::vector<std::string>{"rpc", "lcr.defunct_gw", "1", "x", "60"},
                            {"rpc", "lcr.load_gws", "9", "1"},
                            {"rpc", "mtree.match", "none", "1"},
                            {"rpc", "mtree.match", "places", "5"},
                            {"rpc", "dialplan.translate", "1", "5"}})
    EXPECT_EQ(sandbox.command(words).code, 1) << words[1];

  sandbox.write("places.list", "49\n");
  const auto refused = sandbox.command({"rpc", "mtree.reload"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("places.list:1: a line is a prefix and a value"), std::string::npos) << refused.err;
  sandbox.write("places.list", "49 hamburg\n");
  sandbox.write("lcr.list", "gateway 1 a sip:192.0.2.1\ngateway 1 c sip:192.0.2.3\nrule 1 49 a/1,c/2\n");
  sandbox.write("dialplan.list", "1 1 regex ^00 0 ^00(.*)$ 011\\1 -\n");
  EXPECT_EQ(sandbox.command({"rpc", "lcr.reload"}).code, 0);
  EXPECT_EQ(ask({"mtree.match", "places", "49301"})["tvalue"], "hamburg");
  EXPECT_EQ(ask({"lcr.load_gws", "1", "4930"}), nlohmann::json::array({"c"})) << "a is out of work still";
  EXPECT_EQ(ask({"dialplan.translate", "1", "0049"})["output"], "01149");
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

TEST(Server, GatewaysOutOfWorkStaySoInTheNextEngineAndAfterAStop) {
  Sandbox sandbox;
  sandbox.write("lcr.list", "gateway 1 a sip:192.0.2.1\ngateway 1 b sip:192.0.2.2\nrule 1 49 a/1,b/2\n");
  sandbox.configure("", "[lcr]\nlist = \"lcr.list\"\n");
  ASSERT_TRUE(sandbox.start());
  const auto gateways = [&] { return nlohmann::json::parse(sandbox.command({"rpc", "lcr.load_gws", "1", "4930"}).out, nullptr, false); };
  EXPECT_EQ(sandbox.command({"rpc", "lcr.defunct_gw", "1", "a", "600"}).code, 0);
  const auto before = sandbox.status()["pids"]["engine"].get<pid_t>();
  ASSERT_EQ(kill(before, SIGKILL), 0);
  for (int i = 0; i < 500 && sandbox.status()["pids"]["engine"].get<pid_t>() == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(gateways(), nlohmann::json::array({"b"}));
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
  ASSERT_TRUE(sandbox.start());
  EXPECT_EQ(gateways(), nlohmann::json::array({"b"}));
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

}  // namespace
}  // namespace perdure::app

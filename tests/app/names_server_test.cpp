// Names and the real server, without any name server.
#include <gtest/gtest.h>

#include "server_process.hpp"

namespace perdure::app {
namespace {

TEST(Server, SaysWhatItKnowsOfNames) {
  Sandbox sandbox;
  sandbox.write("hosts", "127.0.0.9 gateway.test\n");
  // Nobody listens on port 1: the kernel says so at once.
  sandbox.configure("", "[dns]\nservers = [\"127.0.0.1:1\"]\nhosts_file = \"hosts\"\ntimeout = \"100ms\"\ntries = 1\n");
  ASSERT_TRUE(sandbox.start());
  const auto rpc = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "rpc");
    return nlohmann::json::parse(sandbox.command(arguments).out, nullptr, false);
  };
  EXPECT_EQ(rpc({"dns.lookup", "A", "Gateway.test."})["records"][0]["ip"], "127.0.0.9");
  EXPECT_EQ(rpc({"dns.lookup", "AAAA", "gateway.test"})["answer"], "none");
  EXPECT_EQ(rpc({"dns.lookup", "SRV", "_sip._udp.nowhere.test"})["answer"], "failed");
  EXPECT_EQ(rpc({"dns.view"}).size(), 3U);
  EXPECT_EQ(rpc({"dns.stats"})["answers_failed"], 1);
  EXPECT_EQ(sandbox.command({"rpc", "dns.delete_all"}).code, 0);
  EXPECT_EQ(rpc({"dns.view"}).size(), 2U) << "what stands in the file stays";
  EXPECT_EQ(sandbox.command({"rpc", "dns.lookup", "MX", "gateway.test"}).code, 1);
  EXPECT_EQ(sandbox.command({"rpc", "dns.lookup", "A", "not a name"}).code, 1);
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

}  // namespace
}  // namespace perdure::app

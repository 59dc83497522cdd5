// The address list of the real server, and the sources that it counts.
#include <gtest/gtest.h>

#include "server_process.hpp"

namespace perdure::app {
namespace {

TEST(Server, AddressListIsReadAgain) {
  Sandbox sandbox;
  sandbox.write("address.list", "1 192.0.2.1 32 0 first\n");
  sandbox.configure("", "[permissions]\naddress_file = \"address.list\"\n");
  ASSERT_TRUE(sandbox.start());
  const auto dump = [&] { return nlohmann::json::parse(sandbox.command({"rpc", "permissions.addressDump"}).out, nullptr, false); };
  ASSERT_EQ(dump().size(), 1U);
  EXPECT_EQ(dump()[0]["tag"], "first");
  sandbox.write("address.list", "1 192.0.2.1\n1 nonsense\n");
  for (const auto& command : {std::vector<std::string>{"reload"}, {"rpc", "permissions.addressReload"}}) {
    const auto refused = sandbox.command(command);
    EXPECT_NE(refused.code, 0);
    EXPECT_NE(refused.err.find("address.list:2: 'nonsense' is not a numeric address"), std::string::npos) << refused.err;
    EXPECT_EQ(dump().size(), 1U) << "an error changes nothing";
  }
  sandbox.write("address.list", "1 192.0.2.1\n2 192.0.2.0/24\n");
  EXPECT_EQ(sandbox.command({"rpc", "permissions.addressReload"}).code, 0);
  EXPECT_EQ(dump().size(), 2U);
  EXPECT_EQ(sandbox.command({"rpc", "pl.set_pipe", "none", "RED", "5"}).code, 1);
  EXPECT_EQ(sandbox.command({"stop"}).code, 0);
  EXPECT_EQ(sandbox.finish().code, 0);
}

TEST(Server, BusySourcesAreShown) {
  Sandbox sandbox;
  sandbox.write("routes.lua",
                "function ksr_request_route()\nKSR.sl.send_reply(KSR.pike.pike_check_req() < 0 and 403 or 200, 'Done')\nend\n");
  sandbox.configure("script = \"routes.lua\"", "[pike]\nsampling_time_unit = \"1h\"\nreqs_density_per_unit = 4\n");
  ASSERT_TRUE(sandbox.start());
  const Peer peer;
  const auto top = [&](std::vector<std::string> filter) {
    filter.insert(filter.begin(), {"rpc", "pike.top"});
    return nlohmann::json::parse(sandbox.command(filter).out, nullptr, false);
  };
  EXPECT_EQ(top({"ALL"}), (nlohmann::json{{"max_hits", 4}, {"list", nlohmann::json::array()}, {"number_of_rows", 0}}));
  for (int i = 1; i <= 5; ++i) {
    peer.send(sandbox.port(), "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:" + std::to_string(peer.port()) +
                                  ";branch=z9hG4bKp" + std::to_string(i) +
                                  "\r\nFrom: <sip:a@x.test>;tag=1\r\nTo: <sip:b@x.test>\r\nCall-ID: pike\r\nCSeq: " + std::to_string(i) +
                                  " OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
    EXPECT_NE(peer.receive(i <= 4 ? "SIP/2.0 200" : "SIP/2.0 403"), "");
    if (i != 4) continue;
    EXPECT_EQ(top({})["number_of_rows"], 0) << "HOT is what stands over the limit";
    EXPECT_EQ(top({"WARM"})["list"][0]["status"], "WARM");
  }
  const auto hot = top({});
  ASSERT_EQ(hot["number_of_rows"], 1) << hot;
  const auto row = hot["list"][0];
  EXPECT_EQ(row["ip_addr"], "127.0.0.1");
  EXPECT_EQ(row["leaf_hits_curr"].get<int>() + row["leaf_hits_prev"].get<int>(), 5);
  EXPECT_EQ(row["status"], "HOT");
  EXPECT_GT(row["expires"], 0);
  EXPECT_EQ(sandbox.command({"rpc", "pike.top", "COLD"}).code, 1);
}

}  // namespace
}  // namespace perdure::app

// The address list of the real server.
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

}  // namespace
}  // namespace perdure::app

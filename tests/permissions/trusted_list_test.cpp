#include "permissions/trusted_list.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace perdure::permissions {
namespace {

using testing::HasSubstr;

std::string tag(const TrustedList& list, std::string_view source, Transport transport = Transport::Udp, const std::string& from = "sip:a@x",
                const std::string& uri = "sip:b@y") {
  const auto* row = list.find(source, transport, from, uri);
  return row ? row->tag : "none";
}

TEST(TrustedList, AsksForSourceTransportAndPatterns) {
  const auto list = TrustedList::make({{"192.0.2.1", "udp", "", "", "plain"},
                                       {"192.0.2.2", "any", "^sip:alice@", "", "alice"},
                                       {"192.0.2.2", "any", "^sip:.*@x", "^sip:9", "nine"},
                                       {"192.0.2.3", "none", "", "", "unused"},
                                       {"2001:db8:0::1", "tls", "", "", "six"}},
                                      "table trusted");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(tag(*list, "192.0.2.1"), "plain");
  EXPECT_EQ(tag(*list, "192.0.2.1", Transport::Tcp), "none");
  EXPECT_EQ(tag(*list, "192.0.2.2"), "none");
  EXPECT_EQ(tag(*list, "192.0.2.2", Transport::Ws, "sip:alice@x"), "alice");
  EXPECT_EQ(tag(*list, "192.0.2.2", Transport::Udp, "sip:a@x", "sip:900@y"), "nine");
  EXPECT_EQ(tag(*list, "192.0.2.3"), "none");
  EXPECT_EQ(tag(*list, "2001:db8::1", Transport::Tls), "six");
  EXPECT_EQ(list->rows().size(), 4U);
}

TEST(TrustedList, TheHighestPriorityComesFirst) {
  const auto list = TrustedList::make(
      {{"192.0.2.1", "any", "", "", "low", 1}, {"192.0.2.1", "any", "", "", "high", 9}, {"192.0.2.1", "any", "", "", "later", 9}}, "t");
  EXPECT_EQ(tag(*list, "192.0.2.1"), "high");
}

TEST(TrustedList, ErrorsSayWhere) {
  const auto error = [](TrustedRow row) {
    return TrustedList::make({{"192.0.2.1", "udp", "", "", ""}, std::move(row)}, "table t").error().message;
  };
  EXPECT_EQ(error({"gw.example", "udp", "", "", ""}), "table t: row 2: 'gw.example' is not a numeric address");
  EXPECT_EQ(error({"192.0.2.1", "x", "", "", ""}), "table t: row 2: 'x' is no transport, any or none");
  EXPECT_EQ(error({"192.0.2.1", "udp", "[", "", ""}), "table t: row 2: '[' is no regular expression");
}

TEST(TrustedList, AFileHasALineForEachRow) {
  char name[] = "/tmp/perdure-trusted-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string path = std::string(name) + "/trusted.list";
  const auto write = [&](const char* text) { std::ofstream(path) << text; };
  write("# trunks\n192.0.2.1 any\n192.0.2.1 udp - ^sip:9 nine 5\n");
  const auto list = TrustedList::load(path);
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(tag(*list, "192.0.2.1", Transport::Udp, "sip:a@x", "sip:9@y"), "nine");
  EXPECT_EQ(tag(*list, "192.0.2.1"), "");
  write("192.0.2.1 any\n192.0.2.1 quic\n");
  EXPECT_THAT(TrustedList::load(path).error().message, HasSubstr("trusted.list:2: 'quic' is no transport"));
  write("192.0.2.1 any - - tag 1 more\n");
  EXPECT_THAT(TrustedList::load(path).error().message, HasSubstr("'more' after the priority"));
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace perdure::permissions

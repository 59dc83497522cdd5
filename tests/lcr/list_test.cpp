#include "lcr/list.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perdure::lcr {
namespace {

constexpr std::string_view text =
    "gateway 0 all sip:192.0.2.9\n"
    "gateway 1 a sip:192.0.2.1:5070;transport=udp strip=2 prefix=00 tag=cheap flags=5\n"
    "gateway 1 b sip:192.0.2.2 host=carrier.example\n"
    "gateway 2 named sip:gateway.example\n"
    "rule 1 - all/9\n"
    "rule 1 49 a/1,b/2/7 from=^sip:premium@\n"
    "rule 1 49 b/3\n"
    "rule 1 4930 a stop request=\\.example$\n"
    "rule 2 1 named\n";

std::string matched(const List& list, std::uint32_t instance, std::string_view user, std::string_view caller = {},
                    std::string_view request = {}) {
  std::string out;
  for (const auto& match : list.match(instance, user, caller, request))
    out += list.gateways()[match.target.gateway].name + "/" + std::to_string(match.target.priority) + "@" +
           std::to_string(match.prefix_length) + " ";
  return out;
}

TEST(LcrList, MatchesPrefixesAndPatterns) {
  const auto list = List::parse(text, "lcr.list");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->rule_count(), 5U);
  EXPECT_EQ(matched(*list, 1, "4989"), "b/3@2 all/9@0 ");
  EXPECT_EQ(matched(*list, 1, "4989", "sip:premium@x"), "a/1@2 b/2@2 all/9@0 ");
  EXPECT_EQ(matched(*list, 1, "49301"), "b/3@2 all/9@0 ");
  EXPECT_EQ(matched(*list, 1, "49301", {}, "sip:49301@x.example"), "a/0@4 ");  // it stops
  EXPECT_EQ(matched(*list, 1, "7"), "all/9@0 ");
  EXPECT_EQ(matched(*list, 1, ""), "all/9@0 ");
  EXPECT_EQ(matched(*list, 2, "7"), "");
  EXPECT_EQ(matched(*list, 9, "7"), "");
}

TEST(LcrList, ReadsGateways) {
  const auto list = List::parse(text, "lcr.list");
  ASSERT_TRUE(list) << list.error().message;
  const auto& a = list->gateways()[*list->find_gateway(1, "a")];
  EXPECT_EQ(a.strip, 2U);
  EXPECT_EQ(a.prefix, "00");
  EXPECT_EQ(a.tag, "cheap");
  EXPECT_EQ(a.flags, 5U);
  EXPECT_EQ(a.address, SocketAddress::parse("192.0.2.1", 5070));
  EXPECT_EQ(list->gateways()[*list->find_gateway(1, "b")].host, "carrier.example");
  EXPECT_TRUE(list->find_gateway(1, "all"));
  EXPECT_FALSE(list->find_gateway(2, "a"));
  EXPECT_EQ(list->instances(), (std::vector<std::uint32_t>{1, 2}));
}

TEST(LcrList, FindsGatewaysByAddress) {
  const auto list = List::parse(text, "lcr.list");
  ASSERT_TRUE(list) << list.error().message;
  const auto at = [&](std::uint32_t instance, const char* ip, std::uint16_t port) {
    const auto found = list->gateway_at(instance, *SocketAddress::parse(ip, port));
    return found ? list->gateways()[*found].name : std::string("none");
  };
  EXPECT_EQ(at(1, "192.0.2.1", 0), "a");
  EXPECT_EQ(at(1, "192.0.2.1", 5070), "a");
  EXPECT_EQ(at(1, "192.0.2.1", 5060), "none");
  EXPECT_EQ(at(1, "192.0.2.9", 5999), "all");  // its URI has no port
  EXPECT_EQ(at(1, "192.0.2.7", 0), "none");
  EXPECT_EQ(at(2, "192.0.2.9", 0), "none");  // one of its gateways has a name
}

TEST(LcrList, ShowsRulesAsTheyWereWritten) {
  const auto list = List::parse(text, "lcr.list");
  ASSERT_TRUE(list) << list.error().message;
  const auto rules = list->rules(100);
  ASSERT_EQ(rules.size(), 5U);
  EXPECT_EQ(rules[0].prefix, "");
  EXPECT_EQ(rules[1].from, "^sip:premium@");
  EXPECT_EQ(rules[1].targets.size(), 2U);
  EXPECT_EQ(rules[1].targets[1].weight, 7);
  EXPECT_TRUE(rules[3].stop);
  EXPECT_EQ(list->rules(2).size(), 2U);
}

TEST(LcrList, SaysWhatIsWrongAndWhere) {
  const auto error = [](std::string_view lines) {
    const auto list = List::parse(lines, "l");
    return list ? std::string("none") : list.error().message;
  };
  EXPECT_EQ(error("route 1\n"), "l:1: 'route' is not one of gateway, rule");
  EXPECT_EQ(error("gateway 2000 a sip:192.0.2.1\n"), "l:1: '2000' is not an instance from 0 to 1024");
  EXPECT_EQ(error("gateway 1 a sip:u@192.0.2.1\n"), "l:1: 'sip:u@192.0.2.1' is not a sip URI without a user and headers");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1 strip=x\n"), "l:1: 'x' is not a number for strip, at most 64");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1 prefix=a@b\n"), "l:1: 'prefix=a@b' is not one of strip=, prefix=, tag=, flags=, host=");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1\ngateway 1 a sip:192.0.2.2\n"), "l:2: the instance has a gateway 'a' already");
  EXPECT_EQ(error("rule 1 49 a\n"), "l:1: there is no gateway 'a' above this line");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1\nrule 0 49 a\n"), "l:2: '0' is not an instance from 1 to 1024");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1\nrule 1 49 a/300\n"), "l:2: '300' is not a number for the priority, at most 255");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1\nrule 1 49 a/1/0\n"), "l:2: a weight is 1 at least");
  EXPECT_EQ(error("gateway 1 a sip:192.0.2.1\nrule 1 49\n"), "l:2: a rule needs a gateway");
}

}  // namespace
}  // namespace perdure::lcr

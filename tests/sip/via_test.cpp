// RFC 3261 20.42 and 25.1, RFC 3581.
#include "sip/via.hpp"

#include <gtest/gtest.h>

#include "sip/chars.hpp"

namespace perdure::sip {
namespace {

TEST(ViaTest, ReadsAllItsParts) {
  const auto via =
      Via::parse("SIP/2.0/UDP pc33.example.com:5062;branch=z9hG4bK776;ttl=16;maddr=224.2.0.1;received=192.0.2.4;rport=40000;x=y");
  ASSERT_TRUE(via.has_value());
  EXPECT_EQ(via->protocol, "SIP/2.0");
  EXPECT_EQ(via->transport, "UDP");
  EXPECT_EQ(via->host, "pc33.example.com");
  EXPECT_EQ(via->port, 5062);
  EXPECT_EQ(via->branch, "z9hG4bK776");
  EXPECT_EQ(via->ttl, 16);
  EXPECT_EQ(via->maddr, "224.2.0.1");
  EXPECT_EQ(via->received, "192.0.2.4");
  EXPECT_EQ(via->rport, "40000");
  EXPECT_TRUE(via->has_rport);
  EXPECT_TRUE(via->params.starts_with(";branch"));
  EXPECT_TRUE(via->params.ends_with(";x=y"));
}

TEST(ViaTest, RportWithoutValueIsARequestForIt) {
  auto via = Via::parse("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1");
  ASSERT_TRUE(via.has_value());
  EXPECT_TRUE(via->has_rport);
  EXPECT_EQ(via->rport, "");
  via = Via::parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
  EXPECT_FALSE(via->has_rport);
  EXPECT_EQ(via->port, 0);
  EXPECT_EQ(via->ttl, std::nullopt);
  EXPECT_TRUE(Via::parse("SIP/2.0/UDP 192.0.2.1;RPort=;Branch=z9hG4bK1")->has_rport);
}

TEST(ViaTest, HostsOfEachKind) {
  struct Row {
    std::string_view text, host;
    std::uint16_t port;
  };
  for (const Row& row : {Row{"SIP/2.0/TCP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111", "[2001:db8::9:1]", 6050},
                         Row{"SIP/2.0/TCP [2001:db8::9:1]", "[2001:db8::9:1]", 0},
                         Row{"SIP/2.0/TLS [::ffff:192.0.2.10] : 5061 ; branch=z9hG4bK1", "[::ffff:192.0.2.10]", 5061},
                         Row{"SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK1", "df7jal23ls0d.invalid", 0},
                         Row{"SIP/2.0/UDP under_score.example.com.:65535", "under_score.example.com.", 65535}}) {
    const auto via = Via::parse(row.text);
    ASSERT_TRUE(via.has_value()) << row.text;
    EXPECT_EQ(via->host, row.host);
    EXPECT_EQ(via->port, row.port);
  }
}

TEST(ViaTest, WhitespaceAndFoldsWhereTheGrammarHasThem) {
  const auto via = Via::parse(" SIP  / 2.0\r\n /  TCP \t  spindle.example.com\r\n  :  5066 ;\r\n  branch  =   z9hG4bK9ikj8  ");
  ASSERT_TRUE(via.has_value());
  EXPECT_EQ(via->transport, "TCP");
  EXPECT_EQ(via->host, "spindle.example.com");
  EXPECT_EQ(via->port, 5066);
  EXPECT_EQ(via->branch, "z9hG4bK9ikj8");
}

TEST(ViaTest, ReceivedWithAndWithoutBrackets) {  // RFC 5118 4.5
  EXPECT_EQ(Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bK1")->received, "[2001:db8::9:255]");
  EXPECT_EQ(Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bK1")->received, "2001:db8::9:255");
}

TEST(ViaTest, MalformedValues) {
  for (const std::string_view text : {"",
                                      " ",
                                      "SIP",
                                      "SIP/2.0",
                                      "SIP/2.0/",
                                      "SIP/2.0/UDP",
                                      "SIP/2.0/UDP ",
                                      "SIP/2.0 UDP host",
                                      "SIP/2.0/UDPhost",
                                      "/2.0/UDP host",
                                      "SIP//UDP host",
                                      "SIP/2.0/UDP host:",
                                      "SIP/2.0/UDP host:0",
                                      "SIP/2.0/UDP host:65536",
                                      "SIP/2.0/UDP host:5o60",
                                      "SIP/2.0/UDP host:-1",
                                      "SIP/2.0/UDP host port",
                                      "SIP/2.0/UDP host;",
                                      "SIP/2.0/UDP host;;branch=z9hG4bK1",
                                      "SIP/2.0/UDP host;branch",
                                      "SIP/2.0/UDP host;branch=",
                                      "SIP/2.0/UDP host;branch=\"z9hG4bK1\"",
                                      "SIP/2.0/UDP host;branch=a[b",
                                      "SIP/2.0/UDP host;ttl=256",
                                      "SIP/2.0/UDP host;ttl",
                                      "SIP/2.0/UDP host;rport=65536",
                                      "SIP/2.0/UDP host;rport=x",
                                      "SIP/2.0/UDP [2001:db8::1",
                                      "SIP/2.0/UDP []",
                                      "SIP/2.0/UDP [x]",
                                      "SIP/2.0/UDP 2001:db8::1",
                                      "SIP/2.0/UDP host;x=\"unbalanced",
                                      "SIP/2.0/UDP host,SIP/2.0/UDP other"})
    EXPECT_FALSE(Via::parse(text).has_value()) << text;
}

TEST(Chars, NumbersAreDigitsOnlyAndBounded) {
  EXPECT_EQ(chars::number<std::uint8_t>("255"), 255);
  EXPECT_EQ(chars::number<std::uint8_t>("000255"), 255);
  for (const std::string_view text : {"", "256", "-1", "+1", " 1", "1 ", "0x1", "1.0", "99999999999999999999"})
    EXPECT_EQ(chars::number<std::uint8_t>(text), std::nullopt) << text;
}

TEST(Chars, QuotedStringsEndAtTheFirstQuoteThatIsNotEscaped) {
  EXPECT_EQ(chars::quoted_string(R"("")"), 2U);
  EXPECT_EQ(chars::quoted_string(R"("a\"b" rest")"), 6U);
  EXPECT_EQ(chars::quoted_string(R"("a\\" rest")"), 5U);
  EXPECT_EQ(chars::quoted_string(R"("a\")"), 0U);
  EXPECT_EQ(chars::quoted_string(R"("a\)"), 0U);
  EXPECT_EQ(chars::quoted_string("\""), 0U);
}

TEST(Chars, EscapesAreAPercentAndTwoHexadecimalDigits) {
  for (const std::string_view good : {"", "abc", "%00", "%aF%Fa", "x%20y"}) EXPECT_TRUE(chars::escapes_valid(good)) << good;
  for (const std::string_view bad : {"%", "%a", "a%", "%g0", "%0g", "%%20", "%2%20"}) EXPECT_FALSE(chars::escapes_valid(bad)) << bad;
}

}  // namespace
}  // namespace perdure::sip

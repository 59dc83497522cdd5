// RFC 3261 19.1, RFC 3966, RFC 5954.
#include "sip/uri.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perdure::sip {
namespace {

TEST(UriTest, ReadsAllItsParts) {
  const auto uri = Uri::parse("sips:alice:se%63ret@[2001:db8::1]:5061;transport=tcp;lr;maddr=[::1]?subject=project%20x&priority=urgent");
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->scheme, Scheme::Sips);
  EXPECT_EQ(uri->user, "alice");
  EXPECT_EQ(uri->password, "se%63ret");
  EXPECT_EQ(uri->host, "[2001:db8::1]");
  EXPECT_EQ(uri->host_without_brackets(), "2001:db8::1");
  EXPECT_EQ(uri->port, 5061);
  EXPECT_EQ(uri->param("transport"), "tcp");
  EXPECT_EQ(uri->param("LR"), "");
  EXPECT_EQ(uri->param("maddr"), "[::1]");
  EXPECT_EQ(uri->param("ttl"), std::nullopt);
  EXPECT_TRUE(uri->has_headers);
  EXPECT_EQ(uri->headers, "subject=project%20x&priority=urgent");
}

// The examples of RFC 3261 19.1.3.
TEST(UriTest, ExamplesOfRfc3261) {
  for (const std::string_view text : {"sip:alice@atlanta.com", "sip:alice:secretword@atlanta.com;transport=tcp",
                                      "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
                                      "sip:+1-212-555-1212:1234@gateway.com;user=phone", "sips:1212@gateway.com", "sip:alice@192.0.2.4",
                                      "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", "sip:alice;day=tuesday@atlanta.com"})
    EXPECT_TRUE(Uri::parse(text).has_value()) << text;
  EXPECT_EQ(Uri::parse("sip:alice;day=tuesday@atlanta.com")->user, "alice;day=tuesday");
  EXPECT_EQ(Uri::parse("SIP:atlanta.com")->scheme, Scheme::Sip);
  EXPECT_FALSE(Uri::parse("sip:atlanta.com")->has_user);
  EXPECT_EQ(Uri::parse("sip:a@b?")->has_headers, true);
  EXPECT_EQ(Uri::parse("sip:a@host.example.com")->host_without_brackets(), "host.example.com");
}

TEST(UriTest, ParameterNamesMayBeEscaped) {
  EXPECT_EQ(Uri::parse("sip:h;%6C%72;n%61me=v%61lue")->param("lr"), "");
  EXPECT_EQ(Uri::parse("sip:h;%6C%72;n%61me=v%61lue")->param("name"), "v%61lue");
}

TEST(UriTest, TelephoneNumbers) {
  const auto uri = Uri::parse("tel:+1-201-555-0123;phone-context=example.com");
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->scheme, Scheme::Tel);
  EXPECT_EQ(uri->user, "+1-201-555-0123");
  EXPECT_TRUE(uri->has_user);
  EXPECT_EQ(uri->param("phone-context"), "example.com");
  EXPECT_TRUE(Uri::parse("tel:*31#(0)7042;phone-context=+4989").has_value());
  for (const std::string_view text : {"tel:", "tel:+", "tel:-", "tel:alice", "tel:+1+2", "tel:12;", "tel:12;a b"})
    EXPECT_FALSE(Uri::parse(text).has_value()) << text;
}

TEST(UriTest, UnknownSchemesAreKept) {
  const auto uri = Uri::parse("soap.beep://192.0.2.103:3002");
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->scheme, Scheme::Other);
  EXPECT_EQ(uri->opaque, "//192.0.2.103:3002");
  EXPECT_TRUE(Uri::parse("urn:service:sos").has_value());
}

TEST(UriTest, MalformedUris) {
  for (const std::string_view text : {"",
                                      "sip",
                                      "sip:",
                                      ":a@b",
                                      "1sip:a@b",
                                      "sip:@b",
                                      "sip:a@",
                                      "sip:a@b:",
                                      "sip:a@b:0",
                                      "sip:a@b:65536",
                                      "sip:a@b:x",
                                      "sip:a@b;",
                                      "sip:a@b;;lr",
                                      "sip:a@b; lr",
                                      "sip:a b@c",
                                      "sip:a@b@c",
                                      "sip:%@b",
                                      "sip:%4@b",
                                      "sip:%zz@b",
                                      "sip:a:%zz@b",
                                      "sip:a@b;x=%z0",
                                      "sip:a@b?x=%z0",
                                      "sip:a@b?x<y",
                                      "sip:a@[::1",
                                      "sip:a@[]",
                                      "sip:a@[]x",
                                      "sip:a@[g::1]",
                                      "sip:2001:db8::10",
                                      "sip:a\"b@c",
                                      "<sip:a@b>",
                                      "sip:a@b\r\n",
                                      "sip:a@b\tc",
                                      "http:a b",
                                      "http:<x>",
                                      "sip:a@b;x=\"y\"",
                                      "sip:a@b/c"})
    EXPECT_FALSE(Uri::parse(text).has_value()) << text;
  EXPECT_FALSE(Uri::parse(std::string_view("sip:a\0b@c", 9)).has_value());
}

bool same(std::string_view a, std::string_view b) {
  const auto first = Uri::parse(a), second = Uri::parse(b);
  EXPECT_TRUE(first && second) << a << " " << b;
  const bool forth = equivalent(*first, *second);
  EXPECT_EQ(forth, equivalent(*second, *first)) << a << " " << b;
  EXPECT_TRUE(equivalent(*first, *first)) << a;
  EXPECT_TRUE(equivalent(*second, *second)) << b;
  return forth;
}

// The lists of RFC 3261 19.1.4.
TEST(UriComparison, EquivalentByRfc3261) {
  EXPECT_TRUE(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
  EXPECT_TRUE(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
  EXPECT_TRUE(same("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"));
  EXPECT_TRUE(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
  EXPECT_TRUE(same("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                   "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
  EXPECT_TRUE(
      same("sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
}

TEST(UriComparison, DifferentByRfc3261) {
  EXPECT_FALSE(same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
  EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
  EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
  EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
  EXPECT_FALSE(same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
  EXPECT_FALSE(same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
  EXPECT_FALSE(same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
}

TEST(UriComparison, RulesOneByOne) {
  EXPECT_FALSE(same("sip:a@b", "sips:a@b"));
  EXPECT_FALSE(same("sip:a@b", "sip:b"));
  EXPECT_FALSE(same("sip:a:x@b", "sip:a:X@b"));
  EXPECT_FALSE(same("sip:a@b;maddr=c", "sip:a@b"));
  EXPECT_FALSE(same("sip:a%3Bx@b", "sip:a;x@b"));  // an escaped reserved character is another one
  EXPECT_FALSE(same("sip:a@b?x=1&x=1", "sip:a@b?x=1"));
  EXPECT_FALSE(same("sip:a@b?x=1&y=2", "sip:a@b?x=1&z=2"));
  EXPECT_FALSE(same("sip:ab@c", "sip:a@c"));
}

TEST(UriComparison, Ipv6AddressesByValue) {  // RFC 5954 4.2
  EXPECT_TRUE(same("sip:a@[2001:db8::9:1]", "sip:a@[2001:DB8:0:0:0:0:9:1]"));
  EXPECT_TRUE(same("sip:a@[::ffff:192.0.2.1]", "sip:a@[::FFFF:c000:201]"));
  EXPECT_FALSE(same("sip:a@[2001:db8::9:1]", "sip:a@[2001:db8::9:2]"));
  EXPECT_FALSE(same("sip:a@[2001:db8:::1]", "sip:a@[2001:db8::1]"));
}

TEST(UriComparison, TelephoneNumbers) {  // RFC 3966 4
  EXPECT_TRUE(same("tel:+1-201-555-0123", "tel:+12015550123"));
  EXPECT_TRUE(same("tel:7042;phone-context=example.com", "TEL:70-42;PHONE-CONTEXT=EXAMPLE.com"));
  EXPECT_FALSE(same("tel:+12015550123", "tel:12015550123"));
  EXPECT_FALSE(same("tel:7042;phone-context=example.com", "tel:7042"));
  EXPECT_FALSE(same("tel:7042", "tel:70421"));
  EXPECT_FALSE(same("tel:7042", "tel:7043"));
}

TEST(UriComparison, UnknownSchemesByBytes) {
  EXPECT_TRUE(same("urn:service:sos", "URN:service:sos"));
  EXPECT_FALSE(same("urn:service:sos", "urn:service:SOS"));
  EXPECT_FALSE(same("urn:a", "isbn:a"));
}

TEST(Unescape, ResolvesEscapesOrSaysNo) {
  char buffer[6];
  EXPECT_EQ(unescape("a%20%41b", buffer), "a Ab");
  EXPECT_EQ(unescape("", buffer), "");
  EXPECT_EQ(unescape("abcdef", buffer), "abcdef");
  EXPECT_EQ(unescape("abcdefg", buffer), std::nullopt);
  EXPECT_EQ(unescape("a%2", buffer), std::nullopt);
  EXPECT_EQ(unescape("a%zz", buffer), std::nullopt);
}

}  // namespace
}  // namespace perdure::sip

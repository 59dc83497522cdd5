// RFC 3261 7, 8.1.1, 16.3, 18.3: the one pass over a message, and what a proxy demands of it.
#include "sip/message.hpp"

#include <gmock/gmock.h>

#include <string>

namespace perdure::sip {
namespace {

const std::string invite =
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:alice@example.com>;tag=a\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: 1@example.com\r\n"
    "CSeq: 1 INVITE\r\n"
    "Content-Length: 4\r\n"
    "\r\n"
    "body";

std::string with(std::string text, std::string_view old_text, std::string_view new_text) {
  const std::size_t position = text.find(old_text);
  EXPECT_NE(position, std::string::npos) << old_text;
  return text.replace(position, old_text.size(), new_text);
}

// "" if parse() and check() accept it, else "400 reason".
std::string outcome(std::string_view text) {
  Message message;
  auto result = message.parse(text);
  if (result) result = message.check();
  return result ? std::string{} : std::to_string(result.error().status) + " " + std::string(result.error().reason);
}

TEST(MessageTest, RequestParts) {
  Message message;
  ASSERT_TRUE(message.parse(invite).has_value());
  ASSERT_TRUE(message.check().has_value());
  EXPECT_TRUE(message.is_request());
  EXPECT_FALSE(message.is_response());
  EXPECT_EQ(message.method(), Method::Invite);
  EXPECT_EQ(message.method_name(), "INVITE");
  EXPECT_EQ(message.request_uri(), "sip:bob@example.com");
  EXPECT_EQ(message.version(), "SIP/2.0");
  EXPECT_EQ(message.body(), "body");
  EXPECT_EQ(message.bytes(), invite);
  EXPECT_EQ(message.headers().size(), 7U);
  EXPECT_EQ(message.line(message.headers()[1]), "Max-Forwards: 70\r\n");
  EXPECT_EQ(message.name(message.headers()[1]), "Max-Forwards");
  EXPECT_EQ(message.value(message.headers()[1]), "70");
  EXPECT_EQ(message.headers_begin(), message.headers().front().begin);
  EXPECT_EQ(message.headers_end(), message.headers().back().end);
  EXPECT_EQ(message.bytes().substr(message.headers_end()), "\r\nbody");
}

TEST(MessageTest, ResponseParts) {
  Message message;
  const std::string text = "SIP/2.0 486 Busy Here" + invite.substr(invite.find("\r\n"));
  ASSERT_TRUE(message.parse(text).has_value());
  ASSERT_TRUE(message.check().has_value());
  EXPECT_TRUE(message.is_response());
  EXPECT_EQ(message.status(), 486);
  EXPECT_EQ(message.reason(), "Busy Here");
  EXPECT_EQ(message.request_uri(), "");
  EXPECT_EQ(message.method_name(), "");
}

TEST(MessageTest, IsReusedWithoutATraceOfTheOneBefore) {
  Message message;
  ASSERT_TRUE(message.parse(invite).has_value());
  EXPECT_NE(message.top_via(), nullptr);
  EXPECT_NE(message.cseq(), nullptr);
  EXPECT_NE(message.from(), nullptr);
  EXPECT_NE(message.to(), nullptr);
  EXPECT_NE(message.uri(), nullptr);
  ASSERT_TRUE(message.parse("SIP/2.0 200 OK\r\nX: y\r\n\r\n").has_value());
  EXPECT_EQ(message.top_via(), nullptr);
  EXPECT_EQ(message.cseq(), nullptr);
  EXPECT_EQ(message.from(), nullptr);
  EXPECT_EQ(message.to(), nullptr);
  EXPECT_EQ(message.uri(), nullptr);
  EXPECT_EQ(message.call_id(), "");
  EXPECT_EQ(message.max_forwards(), std::nullopt);
  EXPECT_EQ(message.headers().size(), 1U);
  EXPECT_EQ(message.count(HeaderName::Via), 0U);
}

TEST(MessageTest, LineEnds) {
  std::string bare = invite;
  std::erase(bare, '\r');
  EXPECT_EQ(outcome(bare), "");
  EXPECT_EQ(outcome("\r\n\r\n" + invite), "");  // RFC 3261 7.5: empty lines before the start line
  EXPECT_EQ(outcome(with(invite, "Max-", "\rMax-")), "400 Bad header line");
  EXPECT_EQ(outcome(with(invite, "Max-Forwards: 70", "X: a\rVia: b\r\nMax-Forwards: 70")), "400 Bad header line");
  EXPECT_EQ(outcome(with(invite, "bob@example.com SIP", "bob@exa\rmple.com SIP")), "400 Bad start line");
}

TEST(MessageTest, FoldsBelongToTheirHeader) {
  const std::string text = with(invite, "To: <sip:bob@example.com>", "To:\r\n\t<sip:bob@example.com>\r\n  ;tag=b\r\n \r\nX:y\r\n  z");
  Message message;
  ASSERT_TRUE(message.parse(text).has_value());
  ASSERT_TRUE(message.check().has_value());
  EXPECT_EQ(message.to()->tag, "b");
  EXPECT_EQ(message.value(*message.find(HeaderName::To)), "<sip:bob@example.com>\r\n  ;tag=b");
  EXPECT_EQ(message.value(*message.find("x")), "y\r\n  z");
  EXPECT_EQ(outcome(with(invite, "\r\nVia", "\r\n Via")), "400 Bad header line");  // nothing to continue
}

TEST(MessageTest, HeaderLines) {
  EXPECT_EQ(outcome(with(invite, "Max-Forwards: 70", "Max-Forwards \t : 70")), "");
  EXPECT_EQ(outcome(with(invite, "Max-Forwards: 70", "Max-Forwards:70")), "");
  EXPECT_EQ(outcome(with(invite, "Max-Forwards: 70", "Max-Forwards:")), "400 Bad Max-Forwards header");
  for (const std::string_view line : {"Max-Forwards", ": 70", " ", "Max Forwards: 70", "Max-Forwards; 70", "M\xC3\xA4x: 1", "\x01: 2"})
    EXPECT_EQ(outcome(with(invite, "Via: SIP", std::string(line) + "\r\nVia: SIP")), "400 Bad header line") << line;
}

TEST(MessageTest, FindKnowsAllSpellings) {
  Message message;
  const std::string text = with(with(invite, "Call-ID", "i"), "Max-Forwards", "x-thing: 1\r\nX-Thing: 2\r\nMAX-forwards");
  ASSERT_TRUE(message.parse(text).has_value());
  ASSERT_TRUE(message.check().has_value());
  EXPECT_EQ(message.find("call-id"), message.find(HeaderName::CallId));
  EXPECT_EQ(message.find("I"), message.find(HeaderName::CallId));
  EXPECT_EQ(message.value(*message.find("X-THING")), "1");
  EXPECT_EQ(message.find("X-Other"), nullptr);
  EXPECT_EQ(message.find(HeaderName::Route), nullptr);
  EXPECT_EQ(message.call_id(), "1@example.com");
}

TEST(MessageTest, RequestLines) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"INVITE sip:bob@example.com sip/2.0", ""},  // RFC 3261 7.1: the version is case-insensitive
      {"INVITE sip:bob@example.com SIP/3.0", "505 Version Not Supported"},
      {"INVITE sip:bob@example.com SIP/2.00", "505 Version Not Supported"},
      {"INVITE sip:bob@example.com SIP/2", "400 Bad start line"},
      {"INVITE sip:bob@example.com SIP/.0", "400 Bad start line"},
      {"INVITE sip:bob@example.com SIP/2.", "400 Bad start line"},
      {"INVITE sip:bob@example.com SIP/2.0x", "400 Bad start line"},
      {"INVITE sip:bob@example.com HTTP/1.1", "400 Bad start line"},
      {"INVITE sip:bob@example.com", "400 Bad start line"},
      {"INVITE", "400 Bad start line"},
      {"IN(VITE sip:bob@example.com SIP/2.0", "400 Bad Request-Line"},
      {" INVITE sip:bob@example.com SIP/2.0", "400 Bad Request-Line"},
      {"INVITE\tsip:bob@example.com SIP/2.0", "400 Bad Request-Line"},
      {"INVITE  SIP/2.0", "400 Bad Request-URI"},
      {"INVITE SIP/2.0", "400 Bad Request-Line"},
      {"INVITE bob SIP/2.0", "400 Bad Request-URI"},
      {"INVITE sip:bob@example.com sip:x SIP/2.0", "400 Bad Request-URI"},
      {"INVITE sip:bob@example.com?x=y SIP/2.0", "400 Bad Request-URI"},
      {"invite sip:bob@example.com SIP/2.0", "400 CSeq method does not match"}};
  for (const auto& [line, expected] : rows) EXPECT_EQ(outcome(with(invite, "INVITE sip:bob@example.com SIP/2.0", line)), expected) << line;
}

TEST(MessageTest, StatusLines) {
  const std::pair<std::string_view, std::string_view> rows[] = {{"SIP/2.0 100 Trying", ""},
                                                                {"SIP/2.0 699 ", ""},
                                                                {"SIP/2.0 200", ""},  // the space before an empty phrase is often forgotten
                                                                {"sip/2.0 200 OK", ""},
                                                                {"SIP/3.0 200 OK", "505 Version Not Supported"},
                                                                {"SIP/2.0 99 x", "400 Bad Status-Line"},
                                                                {"SIP/2.0 099 x", "400 Bad Status-Line"},
                                                                {"SIP/2.0 700 x", "400 Bad Status-Line"},
                                                                {"SIP/2.0 2000 x", "400 Bad Status-Line"},
                                                                {"SIP/2.0 200x", "400 Bad Status-Line"},
                                                                {"SIP/2.0  200 x", "400 Bad Status-Line"},
                                                                {"SIP/2.0 -20 x", "400 Bad Status-Line"},
                                                                {"SIP/2.0", "400 Bad start line"},
                                                                {"SIP/x 200 OK", "400 Bad start line"}};
  for (const auto& [line, expected] : rows) EXPECT_EQ(outcome(with(invite, "INVITE sip:bob@example.com SIP/2.0", line)), expected) << line;
}

TEST(MessageTest, MandatoryHeadersOnceEach) {
  for (const std::string_view line :
       {"From: <sip:alice@example.com>;tag=a\r\n", "To: <sip:bob@example.com>\r\n", "Call-ID: 1@example.com\r\n", "CSeq: 1 INVITE\r\n"}) {
    const std::string header(line.substr(0, line.find(':')));
    EXPECT_EQ(outcome(with(invite, line, "")), "400 Missing " + header + " header");
    EXPECT_EQ(outcome(with(invite, line, std::string(line) + std::string(line))), "400 Multiple " + header + " headers");
  }
  EXPECT_EQ(outcome(with(invite, "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n", "")), "400 Missing Via header");
  EXPECT_EQ(outcome(with(invite, "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nMax-Forwards: 70\r\n")), "400 Multiple Max-Forwards headers");
  EXPECT_EQ(outcome(with(invite, "Max-Forwards: 70\r\n", "")), "");  // RFC 2543 did not have it
}

TEST(MessageTest, ValuesOfMandatoryHeaders) {
  EXPECT_EQ(outcome(with(invite, "Via: SIP/2.0/UDP", "Via: SIP/2.0")), "400 Bad Via header");
  EXPECT_EQ(outcome(with(invite, "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "Via: ,")), "400 Bad Via header");
  EXPECT_EQ(outcome(with(invite, "From: <sip:alice@", "From: <sip:@")), "400 Bad From header");
  EXPECT_EQ(outcome(with(invite, "To: <sip:bob@example.com>", "To: sip:")), "400 Bad To header");
  EXPECT_EQ(outcome(with(invite, "1@example.com", "")), "400 Bad Call-ID header");
  EXPECT_EQ(outcome(with(invite, "1@example.com", "1 2@example.com")), "400 Bad Call-ID header");
  EXPECT_EQ(outcome(with(invite, "1@example.com", "1,2")), "400 Bad Call-ID header");
}

TEST(MessageTest, CSeqLimits) {  // RFC 3261 8.1.1.5: less than 2^31
  const std::pair<std::string_view, bool> rows[] = {{"0 INVITE", true},
                                                    {"2147483647 INVITE", true},
                                                    {"2147483648 INVITE", false},
                                                    {"4294967297 INVITE", false},
                                                    {"-1 INVITE", false},
                                                    {"1INVITE", false},
                                                    {"1", false},
                                                    {"INVITE", false},
                                                    {"INVITE 1", false},
                                                    {"1 INVITE x", false},
                                                    {"1\r\n  INVITE", true},
                                                    {"0001 \t INVITE", true},
                                                    {"1 INV ITE", false},
                                                    {"", false}};
  for (const auto& [value, good] : rows) EXPECT_EQ(outcome(with(invite, "1 INVITE", value)), good ? "" : "400 Bad CSeq header") << value;
  Message message;
  const std::string text = with(invite, "1 INVITE", "0002147483647 INVITE");
  ASSERT_TRUE(message.parse(text).has_value());
  EXPECT_EQ(message.cseq()->number, 2147483647U);
}

TEST(MessageTest, MaxForwardsLimits) {  // RFC 3261 20.22: 0 to 255
  for (const std::string_view value : {"0", "255", "0070"})
    EXPECT_EQ(outcome(with(invite, ": 70", ": " + std::string(value))), "") << value;
  for (const std::string_view value : {"256", "-1", "x", "7 0", "70, 70", "99999999999"})
    EXPECT_EQ(outcome(with(invite, ": 70", ": " + std::string(value))), "400 Bad Max-Forwards header") << value;
}

TEST(MessageTest, ContentLengthAgainstTheDatagram) {  // RFC 3261 18.3
  Message message;
  const std::string longer = invite + "more";
  ASSERT_TRUE(message.parse(longer).has_value());
  EXPECT_EQ(message.body(), "body");
  EXPECT_EQ(message.bytes(), invite);
  const std::string shorter = with(invite, "Length: 4", "Length: 3");
  ASSERT_TRUE(message.parse(shorter).has_value());
  EXPECT_EQ(message.body(), "bod");
  const std::string without = with(invite, "Content-Length: 4\r\n", "");
  ASSERT_TRUE(message.parse(without).has_value());
  EXPECT_EQ(message.body(), "body");
  EXPECT_EQ(outcome(with(invite, "Length: 4", "Length: 5")), "400 Content-Length larger than datagram");
  EXPECT_EQ(outcome(with(invite, "Length: 4", "Length: 4294967300")), "400 Bad Content-Length header");
  EXPECT_EQ(outcome(with(invite, "Length: 4", "Length: 4, 4")), "400 Bad Content-Length header");
  EXPECT_EQ(outcome(with(invite, "Length: 4", "Length: 4\r\nl: 4")), "400 Multiple Content-Length headers");
}

TEST(MessageTest, WhatIsRefusedIsStillIndexed) {
  Message message;
  const std::string text = with(invite, "Max-Forwards: 70", "nonsense");
  ASSERT_FALSE(message.parse(text).has_value());
  EXPECT_EQ(message.headers().size(), 6U);
  EXPECT_EQ(message.top_via()->host, "192.0.2.1");
  EXPECT_EQ(message.call_id(), "1@example.com");
  EXPECT_FALSE(message.check().has_value());
  EXPECT_EQ(message.check().error().reason, "Bad header line");
}

TEST(MessageTest, HeadersWithoutTheirEnd) {
  const std::string text = invite.substr(0, invite.find("Content-Length"));
  EXPECT_EQ(outcome(text), "400 Headers do not end with an empty line");
  EXPECT_EQ(outcome(text + "X: y"), "400 Headers do not end with an empty line");
  EXPECT_EQ(outcome(text + "X: y\r\n z"), "400 Headers do not end with an empty line");
  EXPECT_EQ(outcome("INVITE sip:bob@example.com SIP/2.0"), "400 Headers do not end with an empty line");
  EXPECT_EQ(outcome("INVITE sip:bob@example.com SIP/2.0\r\n\r\n"), "400 Missing Via header");
  EXPECT_EQ(outcome(""), "400 Bad start line");
  EXPECT_EQ(outcome("\r\n\r\n"), "400 Bad start line");
}

TEST(MessageTest, BoundedNumberOfHeadersAndSize) {
  std::string lines;
  for (std::size_t i = 7; i < headers_max; ++i) lines += "X: y\r\n";
  EXPECT_EQ(outcome(with(invite, "Max-", lines + "Max-")), "");
  EXPECT_EQ(outcome(with(invite, "Max-", lines + "X: y\r\nMax-")), "513 Too many header fields");
  const std::string large = with(invite, "Content-Length: 4\r\n", "") + std::string(message_size_bytes_max, 'x');
  Message message;
  const auto result = message.parse(large);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().status, 513);
  EXPECT_EQ(message.call_id(), "1@example.com");
}

}  // namespace
}  // namespace perdure::sip

// Messages that a proxy makes itself: RFC 3261 8.2.6, 9.1, 17.1.1.3, 18.2.1, RFC 3581.
#include "sip/builder.hpp"

#include <gmock/gmock.h>

#include <array>
#include <string>

namespace perdure::sip {
namespace {

const std::string invite =
    "INVITE sip:bob@192.0.2.9;transport=udp SIP/2.0\r\n"
    "v: SIP/2.0/UDP p.example.com;branch=z9hG4bK2,\r\n SIP/2.0/TCP mid.example.com;branch=z9hG4bKm\r\n"
    "X: y\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    "Route: <sip:next;lr>\r\n"
    "Route: <sip:after;lr>\r\n"
    "Record-Route: <sip:p1;lr>\r\n"
    "Record-Route: <sip:p2;lr>, <sip:p3;lr>\r\n"
    "Max-Forwards: 9\r\n"
    "f: \"Alice\" <sip:alice@example.com>;tag=a\r\n"
    "t : <sip:bob@example.com>\r\n"
    "i: 1@example.com\r\n"
    "CSeq: 0017 INVITE\r\n"
    "Timestamp: 54.21\r\n"
    "Require: 100rel\r\n"
    "Proxy-Require: foo\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 4\r\n"
    "\r\n"
    "v=0\n";

const std::string echo_vias =
    "v: SIP/2.0/UDP p.example.com;branch=z9hG4bK2,\r\n SIP/2.0/TCP mid.example.com;branch=z9hG4bKm\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n";

class Builder : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(request.parse(invite).has_value()); }

  std::string response(std::uint16_t code, std::string_view to_tag = "t1", std::string_view top_via = {}) {
    std::string out;
    build_response(request, code, {}, to_tag, {}, {}, top_via, out);
    Message parsed;
    EXPECT_TRUE(parsed.parse(out).has_value());
    EXPECT_TRUE(parsed.check().has_value()) << out;
    return out;
  }

  Message request;
};

TEST_F(Builder, ResponseEchoesWhatRfc3261Demands) {
  EXPECT_EQ(response(404), "SIP/2.0 404 Not Found\r\n" + echo_vias +
                               "f: \"Alice\" <sip:alice@example.com>;tag=a\r\n"
                               "t : <sip:bob@example.com>;tag=t1\r\n"
                               "i: 1@example.com\r\n"
                               "CSeq: 0017 INVITE\r\n"
                               "Content-Length: 0\r\n"
                               "\r\n");
}

TEST_F(Builder, HundredHasTheTimestampAndNoTag) {
  EXPECT_EQ(response(100), "SIP/2.0 100 Trying\r\n" + echo_vias +
                               "f: \"Alice\" <sip:alice@example.com>;tag=a\r\n"
                               "t : <sip:bob@example.com>\r\n"
                               "i: 1@example.com\r\n"
                               "CSeq: 0017 INVITE\r\n"
                               "Timestamp: 54.21\r\n"
                               "Content-Length: 0\r\n"
                               "\r\n");
}

TEST_F(Builder, RecordRouteGoesIntoWhatMakesADialog) {
  const std::string routes = "Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>, <sip:p3;lr>\r\n";
  for (const auto code : std::to_array<std::uint16_t>({101, 180, 183, 200, 299}))
    EXPECT_THAT(response(code), testing::HasSubstr(routes)) << code;
  for (const auto code : std::to_array<std::uint16_t>({100, 300, 401, 500, 603}))
    EXPECT_THAT(response(code), testing::Not(testing::HasSubstr("Record-Route"))) << code;
}

TEST_F(Builder, ATagThatIsThereStays) {
  const std::string text = std::string(invite).replace(invite.find("<sip:bob@example.com>"), 21, "<sip:bob@example.com>;tag=b");
  ASSERT_TRUE(request.parse(text).has_value());
  EXPECT_THAT(response(404), testing::HasSubstr("t : <sip:bob@example.com>;tag=b\r\n"));
}

TEST_F(Builder, ResponseWithReasonLinesAndBody) {
  std::string out;
  build_response(request, 480, "Gone fishing", "x", "Retry-After: 5\r\nContent-Type: text/plain\r\n", "later", {}, out);
  EXPECT_THAT(out, testing::StartsWith("SIP/2.0 480 Gone fishing\r\n"));
  EXPECT_THAT(out, testing::EndsWith("\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nlater"));
}

TEST_F(Builder, TopViaIsExchangedInItsPlace) {
  const std::string out = response(404, "t1", "SIP/2.0/UDP p.example.com;branch=z9hG4bK2;received=192.0.2.7");
  EXPECT_THAT(out,
              testing::StartsWith(
                  "SIP/2.0 404 Not Found\r\n"
                  "v: SIP/2.0/UDP p.example.com;branch=z9hG4bK2;received=192.0.2.7,\r\n SIP/2.0/TCP mid.example.com;branch=z9hG4bKm\r\n"
                  "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"));
}

TEST_F(Builder, EmptyViaLinesAboveTheTopValueAreLeftOut) {
  const std::string text = std::string(invite).insert(invite.find("v:"), "Via: ,\r\n");
  ASSERT_TRUE(request.parse(text).has_value());
  const std::string out = response(404, "t1", "SIP/2.0/UDP new");
  EXPECT_THAT(out, testing::StartsWith("SIP/2.0 404 Not Found\r\nv: SIP/2.0/UDP new,"));
}

TEST_F(Builder, RefusedRequestIsAnsweredWithWhatItHas) {
  const std::string text = "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP host\nnonsense\nTo: \"unbalanced <sip:b@c>\nCall-ID: 7";
  ASSERT_FALSE(request.parse(text).has_value());
  std::string out;
  build_response(request, 400, "Bad header line", "t1", {}, {}, {}, out);
  EXPECT_EQ(out, "SIP/2.0 400 Bad header line\r\nVia: SIP/2.0/UDP host\r\nTo: \"unbalanced <sip:b@c>;tag=t1\r\nContent-Length: 0\r\n\r\n");
  // Nothing at all to echo.
  (void)request.parse("garbage");
  out.clear();
  build_response(request, 400, {}, "t1", {}, {}, "SIP/2.0/UDP x", out);
  EXPECT_EQ(out, "SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Builder, CancelFollowsItsInvite) {  // RFC 3261 9.1
  std::string out;
  build_cancel(request, "Reason: SIP;cause=200\r\n", out);
  EXPECT_EQ(out,
            "CANCEL sip:bob@192.0.2.9;transport=udp SIP/2.0\r\n"
            "Via: SIP/2.0/UDP p.example.com;branch=z9hG4bK2\r\n"
            "Max-Forwards: 70\r\n"
            "Route: <sip:next;lr>\r\n"
            "Route: <sip:after;lr>\r\n"
            "f: \"Alice\" <sip:alice@example.com>;tag=a\r\n"
            "t : <sip:bob@example.com>\r\n"
            "i: 1@example.com\r\n"
            "CSeq: 17 CANCEL\r\n"
            "Reason: SIP;cause=200\r\n"
            "Content-Length: 0\r\n"
            "\r\n");
  Message cancel;
  ASSERT_TRUE(cancel.parse(out).has_value());
  EXPECT_TRUE(cancel.check().has_value());
}

TEST_F(Builder, AckHasTheToOfTheResponse) {  // RFC 3261 17.1.1.3
  const std::string answer = response(486, "callee");
  Message parsed;
  ASSERT_TRUE(parsed.parse(answer).has_value());
  std::string out;
  build_ack(request, parsed, out);
  EXPECT_EQ(out,
            "ACK sip:bob@192.0.2.9;transport=udp SIP/2.0\r\n"
            "Via: SIP/2.0/UDP p.example.com;branch=z9hG4bK2\r\n"
            "Max-Forwards: 70\r\n"
            "Route: <sip:next;lr>\r\n"
            "Route: <sip:after;lr>\r\n"
            "f: \"Alice\" <sip:alice@example.com>;tag=a\r\n"
            "t : <sip:bob@example.com>;tag=callee\r\n"
            "i: 1@example.com\r\n"
            "CSeq: 17 ACK\r\n"
            "Content-Length: 0\r\n"
            "\r\n");
}

std::string received(std::string_view via, std::string_view ip, std::uint16_t port, bool force = false) {
  const auto parsed = Via::parse(via);
  EXPECT_TRUE(parsed.has_value()) << via;
  std::string out;
  via_with_received(*parsed, *SocketAddress::parse(ip, port), out, force);
  EXPECT_TRUE(Via::parse(out).has_value()) << out;
  return out;
}

TEST(ViaWithReceived, OnlyWhereTheHostIsAnother) {  // RFC 3261 18.2.1
  EXPECT_EQ(received("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "192.0.2.1", 9), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1");
  EXPECT_EQ(received("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "192.0.2.2", 9), "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.2");
  EXPECT_EQ(received("SIP/2.0/UDP host.example.com", "192.0.2.2", 9), "SIP/2.0/UDP host.example.com;received=192.0.2.2");
  EXPECT_EQ(received("SIP/2.0/UDP [2001:db8:0::1]:5060", "2001:db8::1", 9), "SIP/2.0/UDP [2001:db8:0::1]:5060");
  EXPECT_EQ(received("SIP/2.0/UDP [2001:db8::2]", "2001:db8::1", 9), "SIP/2.0/UDP [2001:db8::2];received=2001:db8::1");
}

TEST(ViaWithReceived, RportIsFilledIn) {  // RFC 3581 4
  EXPECT_EQ(received("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1", "192.0.2.1", 40000),
            "SIP/2.0/UDP 192.0.2.1;rport=40000;branch=z9hG4bK1;received=192.0.2.1");
  EXPECT_EQ(received("SIP/2.0/UDP 10.0.0.1 ; RPORT ; branch = z9hG4bK1", "192.0.2.1", 40000),
            "SIP/2.0/UDP 10.0.0.1 ;rport=40000;branch = z9hG4bK1;received=192.0.2.1");
  EXPECT_EQ(received("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "192.0.2.1", 40000, true),
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport=40000");
}

TEST(ViaWithReceived, WhatTheSenderWroteIsNotBelieved) {
  EXPECT_EQ(received("SIP/2.0/UDP 192.0.2.1;received=192.0.2.66;rport=66;branch=z9hG4bK1;rport=67", "192.0.2.1", 40000),
            "SIP/2.0/UDP 192.0.2.1;rport=40000;branch=z9hG4bK1;received=192.0.2.1");
  EXPECT_EQ(received("SIP/2.0/UDP 192.0.2.1;received=192.0.2.66", "192.0.2.1", 40000), "SIP/2.0/UDP 192.0.2.1");
}

TEST(DefaultReason, RegisteredCodesAndClasses) {
  EXPECT_EQ(default_reason(100), "Trying");
  EXPECT_EQ(default_reason(487), "Request Terminated");
  EXPECT_EQ(default_reason(608), "Rejected");
  const std::pair<std::uint16_t, std::string_view> classes[] = {{199 - 1, "Progress"}, {299, "Success"},      {399, "Redirection"},
                                                                {499, "Client Error"}, {599, "Server Error"}, {699, "Global Failure"}};
  for (const auto& [code, phrase] : classes) EXPECT_EQ(default_reason(code), phrase);
}

}  // namespace
}  // namespace perdure::sip

// RFC 3261 16.3: what a proxy refuses, and with what.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Validation : public ProxyTest {
 protected:
  std::string answer_to(std::string_view text) {
    const auto sent = receive(text, 6000);
    return sent.size() == 1 ? sent[0].first_line() : std::to_string(sent.size()) + " datagrams";
  }
};

TEST_F(Validation, MaxForwardsZeroEndsHere) {
  auto text = request("INVITE", "sip:bob@127.0.0.1:7001");
  text.replace(text.find("Max-Forwards: 70"), 16, "Max-Forwards: 0");
  EXPECT_EQ(answer_to(text), "SIP/2.0 483 Too Many Hops");
}

TEST_F(Validation, MaxForwardsIsCountedDownOrAdded) {
  auto sent = receive(request("OPTIONS", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_EQ(to_port(sent, 7001).header("Max-Forwards"), "69");
  auto text = request("OPTIONS", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKother");
  text.erase(text.find("Max-Forwards: 70\r\n"), 18);
  sent = receive(text, 6000);
  EXPECT_EQ(to_port(sent, 7001).header("Max-Forwards"), "70");
}

TEST_F(Validation, MaxForwardsOfTheScriptIsForRequestsWithoutOne) {
  on_request = [](RoutingContext& context) {
    EXPECT_EQ(context.process_max_forwards(10), 1);
    context.relay();
  };
  EXPECT_EQ(to_port(receive(request("OPTIONS", "sip:bob@127.0.0.1:7001"), 6000), 7001).header("Max-Forwards"), "69");
  auto text = request("OPTIONS", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKother");
  text.erase(text.find("Max-Forwards: 70\r\n"), 18);
  EXPECT_EQ(to_port(receive(text, 6000), 7001).header("Max-Forwards"), "10");
}

TEST_F(Validation, UnknownSchemeIs416UnlessRouted) {
  EXPECT_EQ(answer_to(request("INVITE", "nobodyKnows:thisone")), "SIP/2.0 416 Unsupported URI Scheme");
  const auto sent = receive(request("INVITE", "nobodyKnows:thisone", "Route: <sip:127.0.0.1:7009;lr>\r\n", "z9hG4bKr"), 6000);
  EXPECT_EQ(to_port(sent, 7009).first_line(), "INVITE nobodyKnows:thisone SIP/2.0");
}

TEST_F(Validation, ProxyRequireNamesWhatIsNotSupported) {
  const auto sent = receive(request("INVITE", "sip:bob@127.0.0.1:7001", "Proxy-Require: foo, bar\r\n"), 6000);
  const auto answer = to_port(sent, 6000);
  EXPECT_EQ(answer.first_line(), "SIP/2.0 420 Bad Extension");
  EXPECT_EQ(answer.header("Unsupported"), "foo, bar");
}

TEST_F(Validation, ARequestThatComesBackUnchangedIsALoop) {
  const auto first = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  // The next hop sends it back to us as it is.
  std::string back = first.text;
  back.insert(back.find("Via:"), "Via: SIP/2.0/UDP 127.0.0.1:7001;branch=z9hG4bKnext\r\n");
  EXPECT_EQ(to_port(receive(back, 7001), 7001).first_line(), "SIP/2.0 482 Loop Detected");
  // With another Request-URI it is a spiral, and goes on (RFC 5393 4.2).
  back.replace(back.find("sip:bob"), 7, "sip:eve");
  back.replace(back.find("z9hG4bKnext"), 11, "z9hG4bKnxt2");
  EXPECT_THAT(lines_of(receive(back, 7001)), testing::Contains(HasSubstr("INVITE sip:eve@127.0.0.1:7001")));
}

TEST_F(Validation, MaxBreadthIsSharedAndItsEndIs440) {
  on_request = [](RoutingContext& context) {
    Target second;
    second.uri = "sip:bob@127.0.0.1:7002";
    context.more_targets.push_back(second);
    context.relay();
  };
  auto sent = receive(request("INVITE", "sip:bob@127.0.0.1:7001", "Max-Breadth: 9\r\n"), 6000);
  EXPECT_EQ(to_port(sent, 7001).header("Max-Breadth"), "4");
  EXPECT_EQ(to_port(sent, 7002).header("Max-Breadth"), "4");
  sent = receive(request("INVITE", "sip:bob@127.0.0.1:7001", "Max-Breadth: 1\r\n", "z9hG4bKb2"), 6000);
  EXPECT_EQ(to_port(sent, 6000).first_line(), "SIP/2.0 440 Max-Breadth Exceeded");
}

TEST_F(Validation, MalformedRequestsAreAnsweredWithTheNameOfTheHeader) {
  auto text = request("INVITE", "sip:bob@127.0.0.1:7001");
  text.replace(text.find("CSeq: 1 INVITE"), 14, "CSeq: one INVITE");
  EXPECT_THAT(answer_to(text), HasSubstr("CSeq"));
  EXPECT_THAT(answer_to(text), HasSubstr("400"));
  EXPECT_EQ(proxy->counters().malformed, 2U);
}

TEST_F(Validation, AMalformedAckOrResponseIsNeverAnswered) {
  auto text = request("ACK", "sip:bob@127.0.0.1:7001");
  text.replace(text.find("CSeq: 1 ACK"), 11, "CSeq: x ACK");
  EXPECT_THAT(receive(text, 6000), IsEmpty());
  EXPECT_THAT(receive("SIP/2.0 200 OK\r\nVia: nonsense\r\n\r\n", 6000), IsEmpty());
  EXPECT_THAT(receive(std::string("\0\xff garbage", 10), 6000), IsEmpty());
  EXPECT_THAT(receive("\r\n\r\n", 6000), IsEmpty());
}

TEST_F(Validation, AnUnreachableTargetIs478) {
  EXPECT_EQ(answer_to(request("INVITE", "sip:bob@no.such.name.invalid")), "SIP/2.0 478 Unresolvable destination");
  EXPECT_EQ(proxy->open_transactions(), 0U);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(Validation, AScriptThatFailsIs500) {
  script_fails = true;
  on_request = nullptr;
  EXPECT_EQ(answer_to(request("INVITE", "sip:bob@127.0.0.1:7001")), "SIP/2.0 500 Server Internal Error");
  EXPECT_EQ(proxy->counters().script_errors, 1U);
}

TEST_F(Validation, ATransactionThatTheScriptLeavesAloneIs500) {
  on_request = [](RoutingContext& context) { context.new_transaction(); };
  const auto sent = receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_THAT(lines_of(sent), ElementsAre("6000 SIP/2.0 100 Trying", "6000 SIP/2.0 500 Server Internal Error"));
  pass(2min);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

}  // namespace
}  // namespace perdure::proxy

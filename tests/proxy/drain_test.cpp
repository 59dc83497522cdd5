// What a proxy refuses that drains, and what goes on.
#include <utility>

#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class DrainTest : public ProxyTest {
 protected:
  void drain(Drain how = {}) {
    if (!proxy) start();
    how.on = true;
    proxy->set_drain(how);
  }
  std::string answer_to(const std::string& text) {
    const auto sent = receive(text, 6000);
    return sent.empty() ? "" : sent.back().first_line();
  }
};

TEST_F(DrainTest, NewDialogsAreRefusedWithWhenToComeBack) {
  drain();
  const auto answer = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 6000);
  EXPECT_EQ(answer.first_line(), "SIP/2.0 503 Service Unavailable");
  EXPECT_EQ(answer.header("Retry-After"), "30");
  EXPECT_EQ(answer_to(request("SUBSCRIBE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bK2")), "SIP/2.0 503 Service Unavailable");
  EXPECT_EQ(answer_to(request("REFER", "sip:bob@127.0.0.1:7001", {}, "z9hG4bK3")), "SIP/2.0 503 Service Unavailable");
  EXPECT_EQ(proxy->counters().drain_refusals, 3U);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(DrainTest, TheSameAnswerForEachRetransmission) {
  drain({.code = 480, .retry_after_s = 0});
  const auto first = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 6000);
  const auto second = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 6000);
  EXPECT_EQ(first.first_line(), "SIP/2.0 480 Temporarily Unavailable");
  EXPECT_EQ(first.header("Retry-After"), "");
  EXPECT_EQ(first.text, second.text);
}

TEST_F(DrainTest, OpenTransactionsAndDialogsGoOn) {
  const auto forwarded = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  drain();
  EXPECT_THAT(lines_of(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000)), ElementsAre("6000 SIP/2.0 100 Trying"));
  EXPECT_EQ(proxy->count_unanswered(0) + proxy->count_unanswered(1), 1U);
  EXPECT_THAT(lines_of(receive(response(forwarded, 200), 7001)), ElementsAre("6000 SIP/2.0 200 Whatever"));
  EXPECT_EQ(proxy->count_unanswered(0) + proxy->count_unanswered(1), 0U);
  const auto bye = receive(request("BYE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKbye", "g1"), 6000);
  EXPECT_EQ(to_port(bye, 7001).first_line(), "BYE sip:bob@127.0.0.1:7001 SIP/2.0");
  const auto again = receive(request("INVITE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKre", "g1"), 6000);
  EXPECT_EQ(to_port(again, 7001).first_line(), "INVITE sip:bob@127.0.0.1:7001 SIP/2.0");
}

// Its route is run again by the next process: that is no new dialog.
TEST_F(DrainTest, ACallThatWaitsGoesOnAlsoAfterADeath) {
  const auto relay = std::exchange(on_request, [this](RoutingContext& context) { EXPECT_NE(context.begin_wait(now + 2s), 0U); });
  receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_EQ(proxy->waiting(), 1U);
  on_request = relay;
  start();
  drain();
  EXPECT_EQ(to_port(pass(10ms), 7001).first_line(), "INVITE sip:bob@127.0.0.1:7001 SIP/2.0");
  EXPECT_EQ(proxy->counters().drain_refusals, 0U);
}

TEST_F(DrainTest, ACancelFindsItsBranch) {
  const auto forwarded = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  (void)receive(response(forwarded, 180), 7001);
  drain();
  on_request = [](RoutingContext& context) { (void)context.relay_cancel(); };
  const auto sent = receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_EQ(to_port(sent, 7001).first_line(), "CANCEL sip:bob@127.0.0.1:7001 SIP/2.0");
}

// RFC 3891: the other half of a transfer is a new dialog in place of one that is there.
TEST_F(DrainTest, ATransferOfAnOpenCallGoesOn) {
  drain();
  const auto sent = receive(request("INVITE", "sip:bob@127.0.0.1:7001", "Replaces: call-0;to-tag=x;from-tag=y\r\n"), 6000);
  EXPECT_EQ(to_port(sent, 7001).first_line(), "INVITE sip:bob@127.0.0.1:7001 SIP/2.0");
}

TEST_F(DrainTest, ProbesOfThisServerAreRefusedThoseOfUsersBehindItAreNot) {
  drain();
  EXPECT_EQ(answer_to(request("OPTIONS", "sip:127.0.0.1:5060")), "SIP/2.0 503 Service Unavailable");
  EXPECT_EQ(answer_to(request("OPTIONS", "sip:127.0.0.1:7001", {}, "z9hG4bK2")), "OPTIONS sip:127.0.0.1:7001 SIP/2.0");
  EXPECT_EQ(answer_to(request("OPTIONS", "sip:bob@127.0.0.1:7001", {}, "z9hG4bK3")), "OPTIONS sip:bob@127.0.0.1:7001 SIP/2.0");
  EXPECT_EQ(answer_to(request("MESSAGE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bK4")), "MESSAGE sip:bob@127.0.0.1:7001 SIP/2.0");
}

TEST_F(DrainTest, RegistrationsIfTheyAreMeantToo) {
  drain();
  EXPECT_EQ(answer_to(request("REGISTER", "sip:127.0.0.1:7001")), "REGISTER sip:127.0.0.1:7001 SIP/2.0");
  drain({.registrations = true});
  EXPECT_EQ(answer_to(request("REGISTER", "sip:127.0.0.1:7001", {}, "z9hG4bK2")), "SIP/2.0 503 Service Unavailable");
}

TEST_F(DrainTest, TheScriptMayDecide) {
  drain({.by_script = true, .code = 486});
  on_request = [](RoutingContext& context) {
    EXPECT_TRUE(context.proxy.drain().on);
    context.refuse_by_drain();
  };
  EXPECT_EQ(answer_to(request("MESSAGE", "sip:bob@127.0.0.1:7001")), "SIP/2.0 486 Busy Here");
  proxy->set_drain({});
  on_request = [](RoutingContext& context) { context.relay(); };
  EXPECT_EQ(to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bK2"), 6000), 7001).first_line(),
            "INVITE sip:bob@127.0.0.1:7001 SIP/2.0");
}

}  // namespace
}  // namespace perdure::proxy

// RFC 3261 9 and 16.10, RFC 3326: CANCEL, hop by hop.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class Cancel : public ProxyTest {
 protected:
  Sent invite() { return to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 7001); }
};

TEST_F(Cancel, GoesToTheBranchUnderItsOwnName) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  const auto out =
      receive(request("CANCEL", "sip:bob@127.0.0.1:7001", "Reason: SIP;cause=600;text=\"no\"\r\nReason: Q.850;cause=16\r\n"), 6000);
  EXPECT_EQ(to_port(out, 6000).first_line(), "SIP/2.0 200 canceling");
  const auto cancel = to_port(out, 7001);
  EXPECT_EQ(cancel.first_line(), "CANCEL sip:bob@127.0.0.1:7001 SIP/2.0");
  EXPECT_THAT(cancel.headers(sip::HeaderName::Via), ElementsAre(sent.headers(sip::HeaderName::Via)[0]));  // 9.1: just ours, the same
  EXPECT_EQ(cancel.header("CSeq"), "1 CANCEL");
  EXPECT_EQ(cancel.header("To"), sent.header("To"));
  EXPECT_THAT(cancel.text, HasSubstr("Reason: SIP;cause=600;text=\"no\"\r\nReason: Q.850;cause=16\r\n"));
}

TEST_F(Cancel, WaitsForAProvisional) {
  const auto sent = invite();
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000)), ElementsAre("6000 SIP/2.0 200 canceling"));
  EXPECT_THAT(lines_of(receive(response(sent, 100), 7001)), ElementsAre("7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0"));
}

TEST_F(Cancel, IsRetransmittedUntilAnswered) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  const auto cancel = to_port(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  const auto again = pass(1600ms);
  EXPECT_THAT(lines_of(again), ElementsAre("7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0", "7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(again[0].text, cancel.text);
  receive(response(cancel, 200), 7001);
  EXPECT_THAT(pass(10s), IsEmpty());
}

TEST_F(Cancel, IsRetransmittedAsItWasAfterTheInviteHasEnded) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  const auto cancel = to_port(receive(request("CANCEL", "sip:bob@127.0.0.1:7001", "Reason: SIP;cause=200\r\n"), 6000), 7001);
  EXPECT_EQ(cancel.header("Reason"), "SIP;cause=200");
  receive(response(sent, 487), 7001);
  receive(request("ACK", "sip:bob@127.0.0.1:7001"), 6000);
  const auto again = pass(600ms);
  ASSERT_THAT(lines_of(again), ElementsAre("7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(again[0].text, cancel.text);
}

TEST_F(Cancel, ThatTimerCSentKeepsItsHeadersWhenTheCallerCancels) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  const auto cancel = to_port(pass(180s), 7001);
  EXPECT_EQ(cancel.first_line(), "CANCEL sip:bob@127.0.0.1:7001 SIP/2.0");
  receive(request("CANCEL", "sip:bob@127.0.0.1:7001", "Reason: SIP;cause=200\r\n"), 6000);
  const auto again = pass(600ms);
  ASSERT_THAT(lines_of(again), ElementsAre("7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(again[0].text, cancel.text);
}

TEST_F(Cancel, ARetransmittedCancelIsAnsweredAgainWithoutEffect) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000)), ElementsAre("6000 SIP/2.0 200 canceling"));
}

TEST_F(Cancel, AfterTheFinalResponseItIsAnsweredAndNothingElse) {
  const auto sent = invite();
  receive(response(sent, 200), 7001);
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000)), ElementsAre("6000 SIP/2.0 200 canceling"));
}

TEST_F(Cancel, WithoutAnswerTheCallerGets487) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_THAT(lines_of(pass(33s)), Contains("6000 SIP/2.0 487 Request Terminated"));
}

TEST_F(Cancel, NothingNewIsTriedAfterIt) {
  int failures = 0;
  on_request = [](RoutingContext& context) {
    Target later;
    later.uri = "sip:bob@127.0.0.1:7002";
    later.q = 100;
    context.more_targets.push_back(later);
    context.armed.failure = "failure";
    context.relay();
  };
  on_failure = [&](RoutingContext& context) {
    ++failures;
    EXPECT_TRUE(context.is_canceled());
    context.target.uri = "sip:bob@127.0.0.1:7009";
    EXPECT_LT(context.relay(), 0);
  };
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  const auto end = receive(response(sent, 487), 7001);
  EXPECT_THAT(lines_of(end), UnorderedElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0", "6000 SIP/2.0 487 Whatever"));
  EXPECT_EQ(failures, 1);
}

TEST_F(Cancel, WithoutTransactionItIsForwardedStatelessly) {
  // 16.10: what we do not know another proxy may have forwarded in our place.
  const auto out = receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].first_line(), "CANCEL sip:bob@127.0.0.1:7001 SIP/2.0");
  // Its response finds the way back by Via.
  EXPECT_EQ(to_port(receive(response(out[0], 481), 7001), 6000).first_line(), "SIP/2.0 481 Whatever");
}

TEST_F(Cancel, WithoutTransactionItIs481IfSoConfigured) {
  options.cancel_unknown_forwards = false;
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000)),
              ElementsAre("6000 SIP/2.0 481 Call/Transaction Does Not Exist"));
}

TEST_F(Cancel, WithoutTransactionAndForOurselvesItIs481) {
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1"), 6000)),
              ElementsAre("6000 SIP/2.0 481 Call/Transaction Does Not Exist"));
}

TEST_F(Cancel, StatelessForwardingOfInviteAndCancelUsesOneBranch) {
  on_request = [](RoutingContext& context) { context.forward(); };
  const auto invite_out = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  const auto again = to_port(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  const auto cancel = to_port(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000), 7001);
  EXPECT_EQ(invite_out.text, again.text);  // 16.11: retransmissions look the same
  EXPECT_EQ(invite_out.headers(sip::HeaderName::Via)[0], cancel.headers(sip::HeaderName::Via)[0]);
}

TEST_F(Cancel, ItFindsItsBranchesAfterARestart) {
  const auto sent = invite();
  receive(response(sent, 180), 7001);
  start();
  const auto out = receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_THAT(to_port(out, 7001).headers(sip::HeaderName::Via), ElementsAre(sent.headers(sip::HeaderName::Via)[0]));
  EXPECT_THAT(lines_of(out), Contains("6000 SIP/2.0 200 canceling"));
}

}  // namespace
}  // namespace perdure::proxy

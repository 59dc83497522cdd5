// RFC 3261 16.7, RFC 4320, RFC 6026: what the caller sees of the responses of all branches.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ResponseContext : public ProxyTest {
 protected:
  // A parallel fork to ports 7001, 7002, ...; what left, by branch.
  std::vector<Sent> fork(int branches, std::string_view method = "INVITE", std::string_view extra = {}) {
    on_request = [this, branches](RoutingContext& context) {
      if (!context.message->to()->tag.empty() || context.message->method() == sip::Method::Cancel) return (void)context.relay();
      for (int i = 1; i < branches; ++i) {
        Target target;
        target.uri = "sip:bob@127.0.0.1:" + std::to_string(7001 + i);
        context.more_targets.push_back(target);
      }
      context.armed.failure = on_failure ? "failure" : "";
      context.relay();
    };
    const auto sent = receive(request(method, "sip:bob@127.0.0.1:7001", extra), 6000);
    std::vector<Sent> invites;
    for (int i = 0; i < branches; ++i) invites.push_back(to_port(sent, 7001 + i));
    return invites;
  }
  std::string final_after(std::vector<int> statuses) {
    const auto branches = fork(static_cast<int>(statuses.size()));
    std::string line;
    for (std::size_t i = 0; i < statuses.size(); ++i)
      for (const auto& one : receive(response(branches[i], statuses[i]), branches[i].to.port))
        if (one.to.port == 6000) line = one.first_line();
    return line;
  }
};

TEST_F(ResponseContext, TheFirst100GoesNoFurther) {
  const auto invite = fork(1)[0];
  EXPECT_THAT(receive(response(invite, 100), 7001), IsEmpty());
  EXPECT_THAT(lines_of(receive(response(invite, 183), 7001)), ElementsAre("6000 SIP/2.0 183 Whatever"));
}

TEST_F(ResponseContext, TheLowestClassWins) {
  EXPECT_EQ(final_after({503, 404}), "SIP/2.0 404 Whatever");
}
TEST_F(ResponseContext, ARedirectionWinsOverAFailure) {
  EXPECT_EQ(final_after({404, 302}), "SIP/2.0 302 Whatever");
}
TEST_F(ResponseContext, AChallengeWinsAmongTheFourHundreds) {
  EXPECT_EQ(final_after({404, 401}), "SIP/2.0 401 Whatever");
}
TEST_F(ResponseContext, ALone503IsNotPassedOn) {
  EXPECT_EQ(final_after({503}), "SIP/2.0 500 Server Internal Error");
}
TEST_F(ResponseContext, SixHundredsWinOverAll) {
  EXPECT_EQ(final_after({404, 603}), "SIP/2.0 603 Whatever");
}

TEST_F(ResponseContext, A6xxCancelsTheOthersAtOnceAndGoesUpWhenTheyHaveEnded) {
  const auto branches = fork(2);
  receive(response(branches[1], 180), 7002);
  const auto after = receive(response(branches[0], 603), 7001);
  EXPECT_THAT(lines_of(after),
              testing::UnorderedElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0", "7002 CANCEL sip:bob@127.0.0.1:7002 SIP/2.0"));
  EXPECT_EQ(to_port(after, 7002).header("Reason"), "SIP;cause=603");
  const auto end = receive(response(branches[1], 487), 7002);
  EXPECT_EQ(to_port(end, 6000).first_line(), "SIP/2.0 603 Whatever");
}

TEST_F(ResponseContext, TheChallengesOfAllBranchesGoUpTogether) {
  const auto branches = fork(2);
  receive(response(branches[0], 401, "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"\r\n"), 7001);
  const auto sent = to_port(receive(response(branches[1], 407, "Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"\r\n"), 7002), 6000);
  EXPECT_THAT(sent.text, HasSubstr("realm=\"one\""));
  EXPECT_THAT(sent.text, HasSubstr("realm=\"two\""));
}

TEST_F(ResponseContext, Every2xxGoesUpAndTheOthersAreCancelledWithAReason) {
  const auto branches = fork(3);
  receive(response(branches[1], 180), 7002);
  receive(response(branches[2], 180), 7003);
  const auto first = receive(response(branches[0], 200, {}, "one"), 7001);
  EXPECT_THAT(lines_of(first), ElementsAre("6000 SIP/2.0 200 Whatever", "7002 CANCEL sip:bob@127.0.0.1:7002 SIP/2.0",
                                           "7003 CANCEL sip:bob@127.0.0.1:7003 SIP/2.0"));
  EXPECT_THAT(first[1].header("Reason"), HasSubstr("SIP;cause=200"));
  // RFC 6026: a second dialog, and the retransmission of the first 200.
  EXPECT_EQ(to_port(receive(response(branches[1], 200, {}, "two"), 7002), 6000).first_line(), "SIP/2.0 200 Whatever");
  EXPECT_THAT(to_port(receive(response(branches[0], 200, {}, "one"), 7001), 6000).header("To"), HasSubstr("tag=one"));
  // A retransmitted INVITE after a 2xx is absorbed: the callee retransmits, not we.
  EXPECT_THAT(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000), IsEmpty());
}

TEST_F(ResponseContext, A2xxThatCrosses487GoesUp) {
  const auto branches = fork(2);
  receive(response(branches[0], 180), 7001);
  receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  pass(33s);  // nobody answers the CANCEL: the caller has got its 487
  EXPECT_EQ(to_port(receive(response(branches[0], 200), 7001), 6000).first_line(), "SIP/2.0 200 Whatever");
}

TEST_F(ResponseContext, OnlyTheFirstFinalResponseOfTheTransactionGoesUp) {
  const auto branches = fork(2);
  receive(response(branches[0], 200), 7001);
  EXPECT_THAT(lines_of(receive(response(branches[1], 486), 7002)), ElementsAre("7002 ACK sip:bob@127.0.0.1:7002 SIP/2.0"));
}

TEST_F(ResponseContext, AFailureRouteTriesTheNextTarget) {
  std::vector<int> seen;
  on_failure = [&](RoutingContext& context) {
    seen.push_back(context.status);
    if (seen.size() > 1) return;
    context.target.uri = "sip:bob@127.0.0.1:7009";
    context.armed.failure = "failure";
    context.relay();
  };
  const auto first = fork(1)[0];
  const auto second = to_port(receive(response(first, 503), 7001), 7009);
  EXPECT_EQ(second.first_line(), "INVITE sip:bob@127.0.0.1:7009 SIP/2.0");
  EXPECT_NE(second.headers(sip::HeaderName::Via)[0], first.headers(sip::HeaderName::Via)[0]);
  EXPECT_EQ(to_port(receive(response(second, 486), 7009), 6000).first_line(), "SIP/2.0 486 Whatever");
  EXPECT_THAT(seen, ElementsAre(503, 486));
}

TEST_F(ResponseContext, TheResponsesOfALastAttemptDecide) {
  on_failure = [](RoutingContext& context) {
    context.target.uri = "sip:bob@127.0.0.1:7009";
    context.relay();
  };
  const auto first = fork(1)[0];
  const auto second = to_port(receive(response(first, 404), 7001), 7009);
  EXPECT_EQ(to_port(receive(response(second, 486), 7009), 6000).first_line(), "SIP/2.0 486 Whatever");
}

TEST_F(ResponseContext, HeadersThatAFailureRouteAddsAreForItsAttempt) {
  int port = 7001;
  on_failure = [&](RoutingContext& context) {
    context.target.uri = "sip:bob@127.0.0.1:" + std::to_string(++port);
    context.edits->append("X-Attempt: " + std::to_string(port) + "\r\n");
    context.armed.failure = "failure";
    context.relay();
  };
  const auto first = fork(1)[0];
  const auto second = to_port(receive(response(first, 404), 7001), 7002);
  EXPECT_THAT(second.text, HasSubstr("X-Attempt: 7002"));
  const auto third = to_port(receive(response(second, 404), 7002), 7003);
  EXPECT_THAT(third.text, HasSubstr("X-Attempt: 7003"));
  EXPECT_THAT(third.text, Not(HasSubstr("X-Attempt: 7002")));
}

TEST_F(ResponseContext, AFailureRouteThatTriesNothingLeavesTheResponse) {
  on_failure = [](RoutingContext&) {};
  const auto branches = fork(2);
  receive(response(branches[0], 404), 7001);
  EXPECT_EQ(to_port(receive(response(branches[1], 486), 7002), 6000).first_line(), "SIP/2.0 404 Whatever");
}

TEST_F(ResponseContext, ALate2xxOfAGatewayThatWasGivenUpEndsTheSearch) {
  on_failure = [](RoutingContext& context) {
    context.target.uri = "sip:bob@127.0.0.1:7009";
    context.armed.failure = "failure";
    context.relay();
  };
  const auto first = fork(1)[0];
  const auto second = to_port(pass(options.fr_timer), 7009);
  receive(response(second, 180), 7009);
  EXPECT_THAT(lines_of(receive(response(first, 200), 7001)),
              ElementsAre("6000 SIP/2.0 200 Whatever", "7009 CANCEL sip:bob@127.0.0.1:7009 SIP/2.0"));
  EXPECT_THAT(lines_of(receive(response(second, 487), 7009)), ElementsAre("7009 ACK sip:bob@127.0.0.1:7009 SIP/2.0"));
  // Until its ACK comes the gateway repeats it (13.3.1.4).
  EXPECT_THAT(lines_of(receive(response(first, 200), 7001)), ElementsAre("6000 SIP/2.0 200 Whatever"));
  (void)pass(64 * options.t1 + 1s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(ResponseContext, AFailureRouteMayAnswerItself) {
  on_failure = [](RoutingContext& context) { context.reply(480, "Closed For Lunch"); };
  const auto first = fork(1)[0];
  EXPECT_EQ(to_port(receive(response(first, 404), 7001), 6000).first_line(), "SIP/2.0 480 Closed For Lunch");
}

TEST_F(ResponseContext, ANonInviteThatTimesOutIsNotAnswered) {
  // RFC 4320 4.2
  fork(1, "MESSAGE");
  const auto sent = pass(40s);
  EXPECT_THAT(lines_of(sent), Not(Contains(HasSubstr("6000 "))));
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(ResponseContext, AnInviteThatTimesOutIs408) {
  fork(1);
  EXPECT_THAT(lines_of(pass(33s)), Contains("6000 SIP/2.0 408 Request Timeout"));
}

TEST_F(ResponseContext, AResponseToNobodyKnownGoesByVia) {
  const auto invite = fork(1)[0];
  auto text = response(invite, 180);
  auto at = text.find("z9hG4bKp") + 18;
  text[at] = text[at] == '0' ? '1' : '0';  // another transaction's nonce
  EXPECT_EQ(to_port(receive(text, 7001), 6000).first_line(), "SIP/2.0 180 Whatever");
  EXPECT_EQ(proxy->counters().stray_responses, 1U);
}

TEST_F(ResponseContext, AResponseWithOurViaAloneIsNotForwarded) {
  const auto with_our_via_alone = [](std::string text) {
    const auto second = text.find("Via:", text.find("Via:") + 1);
    return text.erase(second, text.find("\r\n", second) + 2 - second);
  };
  const auto invite = fork(1)[0];
  EXPECT_THAT(receive(with_our_via_alone(response(invite, 180)), 7001), IsEmpty());
  EXPECT_THAT(lines_of(pass(2s)), IsEmpty()) << "it has ended the retransmissions";
  EXPECT_THAT(receive(with_our_via_alone(response(invite, 200)), 7001), IsEmpty());
  EXPECT_EQ(proxy->counters().stray_responses, 1U);
  // Of a failure the status can be told.
  const auto sent = receive(with_our_via_alone(response(invite, 486)), 7001);
  EXPECT_THAT(lines_of(sent), testing::UnorderedElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0", "6000 SIP/2.0 486 Busy Here"));
  EXPECT_THAT(to_port(sent, 6000).header("Via"), HasSubstr("127.0.0.1:6000"));
}

TEST_F(ResponseContext, ViasInOneLineAreAllOfThem) {
  const auto invite = fork(1)[0];
  auto text = response(invite, 200);
  const auto second = text.find("\r\nVia: ", text.find("Via:"));
  text.replace(second, 7, ", ");
  EXPECT_EQ(to_port(receive(text, 7001), 6000).first_line(), "SIP/2.0 200 Whatever");
}

TEST_F(ResponseContext, StrayResponsesCanBeDropped) {
  options.forward_stray_responses = false;
  const auto invite = fork(1)[0];
  auto text = response(invite, 180);
  auto at = text.find("z9hG4bKp") + 18;
  text[at] = text[at] == '0' ? '1' : '0';
  EXPECT_THAT(receive(text, 7001), IsEmpty());
}

TEST_F(ResponseContext, AResponseThatIsNotForUsIsDropped) {
  const auto invite = fork(1)[0];
  auto text = response(invite, 180);
  text.replace(text.find("127.0.0.1:5060"), 14, "192.0.2.1:5060");
  EXPECT_THAT(receive(text, 7001), IsEmpty());  // RFC 3261 18.1.2
}

TEST_F(ResponseContext, AReplyRouteMayDropAProvisionalButNotAFinal) {
  on_reply = [](RoutingContext& context) { context.drop = true; };
  const auto invite = fork(1)[0];
  EXPECT_THAT(receive(response(invite, 183), 7001), IsEmpty());
  EXPECT_THAT(lines_of(receive(response(invite, 486), 7001)), Contains("6000 SIP/2.0 486 Whatever"));
}

TEST_F(ResponseContext, WhatAReplyRouteChangesInAFailureGoesUp) {
  on_reply = [](RoutingContext& context) { context.edits->append("X-Seen: yes\r\n"); };
  const auto branches = fork(2);
  receive(response(branches[0], 404), 7001);
  const auto up = to_port(receive(response(branches[1], 500), 7002), 6000);
  EXPECT_EQ(up.first_line(), "SIP/2.0 404 Whatever");
  EXPECT_EQ(up.header("X-Seen"), "yes");
}

}  // namespace
}  // namespace perdure::proxy

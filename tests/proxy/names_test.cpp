// RFC 3263: requests to host names wait for name servers, and survive the process while they do.
#include "proxy/names_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(NamesTest, WhatIsKnownIsUsedAtOnce) {
  begin();
  (void)receive(request("OPTIONS", host_uri, {}, "z9hG4bKfirst"), caller);
  (void)answer();
  EXPECT_THAT(to_gateways(receive(request("INVITE", host_uri), caller)), ElementsAre("127.0.0.1 INVITE"));
  EXPECT_EQ(proxy->counters().names_waited, 1U);
}

TEST_F(NamesTest, InviteWaitsAndLeavesOnce) {
  begin();
  const auto first = receive(request("INVITE", host_uri), caller);
  EXPECT_THAT(to_gateways(first), IsEmpty());
  EXPECT_THAT(to_caller(first), ElementsAre("SIP/2.0 100 Trying"));
  EXPECT_THAT(to_gateways(receive(request("INVITE", host_uri), caller)), IsEmpty()) << "a retransmission";
  EXPECT_EQ(names.open.size(), 1U);
  const auto sent = answer();
  EXPECT_THAT(to_gateways(sent), ElementsAre("127.0.0.1 INVITE"));
  const auto answered = receive(response(first_to(sent, "127.0.0.1", "INVITE"), 200), gateway);
  EXPECT_THAT(to_caller(answered), ElementsAre("SIP/2.0 200 Whatever"));
}

TEST_F(NamesTest, TimersBeginWhenItLeaves) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  EXPECT_THAT(to_gateways(pass(3s)), IsEmpty());
  (void)answer();
  EXPECT_THAT(to_gateways(pass(options.t1)), ElementsAre("127.0.0.1 INVITE")) << "Timer A";
  EXPECT_THAT(to_caller(pass(options.fr_timer - options.t1)), ElementsAre("SIP/2.0 408 Request Timeout"));
}

TEST_F(NamesTest, NoSuchNameIsA478AndAFailureLikeAnyOther) {
  std::vector<int> failures;
  on_request = [](RoutingContext& context) {
    context.armed.failure = "failed";
    context.relay();
  };
  on_failure = [&](RoutingContext& context) { failures.push_back(context.status); };
  begin();
  (void)receive(request("INVITE", "sip:bob@nowhere.example.test:7001"), caller);
  EXPECT_THAT(to_caller(answer()), ElementsAre("SIP/2.0 478 Unresolvable destination"));
  EXPECT_THAT(failures, ElementsAre(478));
  (void)receive(request("ACK", host_uri), caller);
  (void)pass(64 * options.t1 + 1s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
  // Now it is known, and t_relay says so at once.
  EXPECT_THAT(to_caller(receive(request("INVITE", "sip:bob@nowhere.example.test:7001", {}, "z9hG4bKagain"), caller)),
              ElementsAre("SIP/2.0 478 Unresolvable destination"));
}

TEST_F(NamesTest, ServersThatDoNotAnswerAreA478) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  EXPECT_THAT(to_caller(nobody_answers()), ElementsAre("SIP/2.0 478 Unresolvable destination"));
}

TEST_F(NamesTest, SearchThatNeverEndsDoesNotHoldTheCall) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  EXPECT_THAT(to_caller(pass(options.locating.timeout + 1s)), ElementsAre("SIP/2.0 478 Unresolvable destination"));
  EXPECT_THAT(to_gateways(answer()), IsEmpty()) << "too late";
}

TEST_F(NamesTest, TooManySearchesAreA478) {
  begin();
  names.refuses = true;
  EXPECT_THAT(to_caller(receive(request("INVITE", host_uri), caller)), ElementsAre("SIP/2.0 478 Unresolvable destination"));
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(NamesTest, SurvivesTheProcess) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  names.open.clear();
  begin();
  EXPECT_THAT(to_gateways(pass(1ms)), IsEmpty());
  ASSERT_EQ(names.open.size(), 1U) << "the next process asks again";
  EXPECT_THAT(to_gateways(receive(request("INVITE", host_uri), caller)), IsEmpty()) << "a retransmission";
  const auto sent = answer();
  EXPECT_THAT(to_gateways(sent), ElementsAre("127.0.0.1 INVITE"));
  EXPECT_THAT(to_caller(receive(response(first_to(sent, "127.0.0.1", "INVITE"), 200), gateway)), ElementsAre("SIP/2.0 200 Whatever"));
}

TEST_F(NamesTest, AnswerForTheProcessBeforeIsNothing) {
  begin();
  (void)receive(request("MESSAGE", host_uri), caller);
  auto late = std::exchange(names.open, {});
  begin();
  (void)pass(1ms);
  EXPECT_THAT(to_gateways(answer()), ElementsAre("127.0.0.1 MESSAGE"));
  names.open = std::move(late);
  EXPECT_THAT(to_gateways(answer()), IsEmpty());
}

TEST_F(NamesTest, CancelEndsWhatHasNotLeft) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  auto sent = receive(request("CANCEL", host_uri), caller);
  for (auto& one : pass(1ms)) sent.push_back(std::move(one));
  EXPECT_THAT(to_caller(sent), ElementsAre("SIP/2.0 200 canceling", "SIP/2.0 487 Request Terminated"));
  EXPECT_THAT(to_gateways(answer()), IsEmpty());
  (void)receive(request("ACK", host_uri), caller);
  (void)pass(64 * options.t1 + 1s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(NamesTest, CancelBeforeADeathEndsItAfterwards) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  (void)receive(request("CANCEL", host_uri), caller);
  begin();
  EXPECT_THAT(to_caller(pass(1ms)), ElementsAre("SIP/2.0 487 Request Terminated"));
  EXPECT_THAT(names.open.size(), 1U) << "of the process before";
}

TEST_F(NamesTest, CancelGoesWhereItsInviteWent) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  const auto invite = first_to(answer(), "127.0.0.1", "INVITE");
  (void)receive(response(invite, 180), gateway);
  names.forget();
  const auto cancel = first_to(receive(request("CANCEL", host_uri), caller), "127.0.0.1", "CANCEL");
  EXPECT_EQ(branch_of(cancel), branch_of(invite));
}

TEST_F(NamesTest, AnAnswerFromElsewhereEndsABranchThatWaits) {
  on_request = [](RoutingContext& context) {
    Target known;
    known.uri = uri();
    context.more_targets.push_back(known);
    context.relay();
  };
  begin();
  const auto invite = first_to(receive(request("INVITE", host_uri), caller), "127.0.0.1", "INVITE");
  EXPECT_THAT(to_caller(receive(response(invite, 200), gateway)), ElementsAre("SIP/2.0 200 Whatever"));
  (void)pass(1ms);
  EXPECT_THAT(to_gateways(answer()), IsEmpty());
  (void)pass(64 * options.t1 + 1s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(NamesTest, TransportOfTheUriAndOfTheName) {
  add_gateways(1, "_sip._tcp");
  begin();
  const auto sent_for = [&](const std::string& target, int number) {
    auto sent = receive(request("OPTIONS", target, {}, "z9hG4bK" + std::to_string(number)), caller);
    if (sent.empty()) sent = answer();
    return sent.empty() ? std::string("nothing")
                        : sent.front().first_line().substr(0, 7) + " " + std::string(name(options.sockets[sent.front().socket].transport)) +
                              " " + sent.front().to.text() + " " + sent.front().server_name + " " +
                              sent.front().headers(sip::HeaderName::Via).front().substr(0, 12);
  };
  EXPECT_EQ(sent_for(set_uri, 1), "OPTIONS tcp 127.0.0.1:7001  SIP/2.0/TCP ") << "by its SRV records";
  EXPECT_EQ(sent_for("sip:bob@g2.example.test", 2), "OPTIONS udp 127.0.0.2:5060  SIP/2.0/UDP ");
  EXPECT_EQ(sent_for("sip:bob@g2.example.test:7001;transport=tcp", 3), "OPTIONS tcp 127.0.0.2:7001  SIP/2.0/TCP ");
  EXPECT_EQ(sent_for("sip:bob@g2.example.test;transport=tls", 4), "OPTIONS tls 127.0.0.2:5061 g2.example.test SIP/2.0/TLS ");
  EXPECT_EQ(sent_for("sips:bob@g2.example.test", 5), "OPTIONS tls 127.0.0.2:5061 g2.example.test SIP/2.0/TLS ");
  EXPECT_EQ(sent_for("sip:bob@g2.example.test;transport=ws", 6), "SIP/2.0 udp 127.0.0.1:6000  SIP/2.0/UDP ")
      << "no browser can be connected to";
}

TEST_F(NamesTest, RecordRouteIsThatOfTheSocketItLeavesBy) {
  on_request = [](RoutingContext& context) {
    context.record_route = true;
    context.record_route_params = ";x=1";
    context.relay();
  };
  const auto routes_for = [&](std::string_view target, Socket from, bool known) {
    if (!known) names.forget();
    begin();
    const std::string branch = "z9hG4bK" + std::to_string(starts);
    auto sent = from_caller(from, request("MESSAGE", target, "Record-Route: <sip:before.example.org;lr>\r\n", branch));
    if (!known) sent = answer();
    return first_to(sent, "127.0.0.2", "MESSAGE").headers(sip::HeaderName::RecordRoute);
  };
  // By the same socket, from one without doubling to one with, from one with doubling to one without, between two with doubling.
  for (const auto& [target, from] : {std::pair("sip:b@g2.example.test", udp), std::pair("sip:b@g2.example.test;transport=tcp", udp),
                                     std::pair("sip:b@g2.example.test", tcp), std::pair("sip:b@g2.example.test;transport=tcp", tls),
                                     std::pair("sips:b@g2.example.test", udp), std::pair("sips:b@g2.example.test", tls)}) {
    const auto waited = routes_for(target, from, false), at_once = routes_for(target, from, true);
    EXPECT_EQ(waited, at_once) << target << " from socket " << from;
    EXPECT_EQ(waited.size(), from == udp && target == std::string("sip:b@g2.example.test")    ? 2U
                             : from == tls && target == std::string("sips:b@g2.example.test") ? 2U
                                                                                              : 3U);
  }
}

TEST_F(NamesTest, RouteAndDestinationUriCanBeNames) {
  begin();
  (void)receive(request("OPTIONS", uri(), "Route: <sip:g2.example.test:7001;lr>\r\n", "z9hG4bKr"), caller);
  EXPECT_THAT(to_gateways(answer()), ElementsAre("127.0.0.2 OPTIONS"));
  on_request = [](RoutingContext& context) {
    context.target.destination_uri = "sip:g3.example.test:7001";
    context.relay();
  };
  (void)receive(request("OPTIONS", uri(), {}, "z9hG4bKd"), caller);
  EXPECT_THAT(to_gateways(answer()), ElementsAre("127.0.0.3 OPTIONS"));
}

TEST_F(NamesTest, BranchRouteCanChooseAName) {
  on_request = [](RoutingContext& context) {
    context.armed.branch = "branch";
    context.relay();
  };
  on_branch = [](RoutingContext& context) { context.target.destination_uri = "sip:g3.example.test:7001"; };
  begin();
  (void)receive(request("INVITE", uri()), caller);
  EXPECT_THAT(to_gateways(answer()), ElementsAre("127.0.0.3 INVITE"));
}

TEST_F(NamesTest, AckOf2xxWaitsToo) {
  begin();
  EXPECT_THAT(to_gateways(receive(request("ACK", host_uri, {}, "z9hG4bKack", "g1"), caller)), IsEmpty());
  EXPECT_THAT(to_gateways(answer()), ElementsAre("127.0.0.1 ACK"));
  EXPECT_THAT(to_gateways(receive(request("ACK", host_uri, {}, "z9hG4bKack", "g1"), caller)), ElementsAre("127.0.0.1 ACK"));
}

TEST_F(NamesTest, StatelessRequestToNowhereIsA478) {
  on_request = [](RoutingContext& context) { context.forward(); };
  begin();
  EXPECT_THAT(receive(request("OPTIONS", "sip:nowhere.example.test:7001"), caller), IsEmpty());
  EXPECT_THAT(to_caller(answer()), ElementsAre("SIP/2.0 478 Unresolvable destination"));
  EXPECT_THAT(receive(request("ACK", "sip:nowhere2.example.test:7001", {}, "z9hG4bKack", "g1"), caller), IsEmpty());
  EXPECT_THAT(answer(), IsEmpty()) << "nobody answers an ACK";
}

TEST_F(NamesTest, OwnRequestsWait) {
  int result = 0;
  on_request = [&](RoutingContext& context) {
    result = context.send_request({.method = "MESSAGE",
                                   .uri = "sip:bob@g2.example.test:7001",
                                   .next_hop = {},
                                   .socket = {},
                                   .headers = "From: <sip:a@example.org>\r\nTo: <sip:b@example.org>\r\n",
                                   .body = {}});
    (void)context.stateless_reply(200, "OK");
  };
  begin();
  (void)receive(request("OPTIONS", uri()), caller);
  EXPECT_EQ(result, 1);
  names.open.clear();
  begin();  // a death meanwhile
  (void)pass(1ms);
  EXPECT_THAT(to_gateways(answer()), ElementsAre("127.0.0.2 MESSAGE"));
}

TEST_F(NamesTest, OpenCallsShowTheName) {
  begin();
  (void)receive(request("INVITE", host_uri), caller);
  const auto views = proxy->transactions(10, now);
  ASSERT_EQ(views.size(), 1U);
  ASSERT_EQ(views[0].branches.size(), 1U);
  EXPECT_EQ(views[0].branches[0].destination, "g1.example.test");
  EXPECT_EQ(views[0].branches[0].state, "Locating");
}

TEST_F(NamesTest, WithoutNameServersANameIsA478) {
  options.locating.names = nullptr;
  begin();
  EXPECT_THAT(to_caller(receive(request("INVITE", host_uri), caller)), ElementsAre("SIP/2.0 478 Unresolvable destination"));
}

}  // namespace
}  // namespace perdure::proxy

// RFC 3263 4.3: the servers of a name take over from each other within one transaction.
#include "proxy/names_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Failover : public NamesTest {
 protected:
  // An INVITE to the three gateways: what went to the first.
  Sent call(std::string_view branch = "z9hG4bKcaller") {
    (void)receive(request("INVITE", set_uri, {}, branch), caller);
    return first_to(answer(), "127.0.0.1", "INVITE");
  }
};

TEST_F(Failover, OnSilenceOn503AndOnRefusal) {
  add_gateways(4);
  names.add_address("g4.example.test", "127.0.0.4");
  begin();
  const auto first = call();
  const auto second = first_to(pass(options.fr_timer), "127.0.0.2", "INVITE");
  EXPECT_NE(branch_of(first), branch_of(second)) << "a client transaction of its own";
  const auto refused = receive(response(second, 503), gateway);
  EXPECT_THAT(to_gateways(refused), ElementsAre("127.0.0.2 ACK", "127.0.0.3 INVITE"));
  EXPECT_THAT(to_caller(refused), IsEmpty());
  const auto third = first_to(refused, "127.0.0.3", "INVITE");
  const auto fourth = first_to(undelivered(third), "127.0.0.4", "INVITE");
  EXPECT_THAT(to_caller(receive(response(fourth, 200), gateway)), ElementsAre("SIP/2.0 200 Whatever"));
  EXPECT_EQ(proxy->counters().next_servers, 3U);
  (void)pass(64 * options.t1 + 1s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(Failover, RouteSeesOnlyTheFailureOfTheLast) {
  std::vector<int> failures;
  on_request = [](RoutingContext& context) {
    context.armed.failure = "failed";
    context.relay();
  };
  on_failure = [&](RoutingContext& context) { failures.push_back(context.status); };
  add_gateways(2);
  begin();
  const auto first = call();
  const auto second = first_to(receive(response(first, 503), gateway), "127.0.0.2", "INVITE");
  EXPECT_THAT(failures, IsEmpty());
  EXPECT_THAT(to_caller(receive(response(second, 486), gateway)), ElementsAre("SIP/2.0 486 Whatever"));
  EXPECT_THAT(failures, ElementsAre(486));
}

TEST_F(Failover, LastServersFailureIsTheBranchs) {
  add_gateways(2);
  begin();
  const auto first = call();
  const auto second = first_to(receive(response(first, 503), gateway), "127.0.0.2", "INVITE");
  EXPECT_THAT(to_caller(receive(response(second, 503), gateway)), ElementsAre("SIP/2.0 500 Server Internal Error"));
}

TEST_F(Failover, OtherFailuresEndIt) {
  add_gateways(2);
  begin();
  EXPECT_THAT(to_caller(receive(response(call(), 486), gateway)), ElementsAre("SIP/2.0 486 Whatever"));
}

TEST_F(Failover, RingingTooLongIsNoFailureOfTheServer) {
  add_gateways(2);
  begin();
  const auto invite = call();
  (void)receive(response(invite, 180), gateway);
  EXPECT_THAT(to_gateways(pass(options.timer_c + 64 * options.t1)), testing::Not(testing::Contains("127.0.0.2 INVITE")));
}

TEST_F(Failover, GoesOnInTheNextProcessWithoutAskingAgain) {
  add_gateways(3);
  begin();
  (void)call();
  names.forget();
  begin();
  const auto second = first_to(pass(options.fr_timer), "127.0.0.2", "INVITE");
  begin();
  EXPECT_THAT(to_gateways(receive(response(second, 503), gateway)), ElementsAre("127.0.0.2 ACK", "127.0.0.3 INVITE"));
  EXPECT_THAT(names.open, IsEmpty());
}

TEST_F(Failover, WhatFailsWhileItsRouteWaitsGoesOnAfterwards) {
  add_gateways(2);
  std::uint64_t wait = 0;
  on_request = [&](RoutingContext& context) {
    Target rings;
    rings.uri = "sip:bob@127.0.0.9:7009";
    context.more_targets.push_back(rings);
    context.relay();
    wait = context.begin_wait(context.now + 60s);
  };
  on_resume = [](RoutingContext&, bool) {};
  begin();
  (void)receive(request("INVITE", set_uri), caller);
  const auto first = first_to(answer(), "127.0.0.1", "INVITE");
  EXPECT_THAT(to_gateways(receive(response(first, 503), gateway)), ElementsAre("127.0.0.1 ACK"));
  EXPECT_THAT(to_gateways(wake(wait)), ElementsAre("127.0.0.2 INVITE"));
}

TEST_F(Failover, CancelGoesToTheServerOfTheMomentOnly) {
  add_gateways(2);
  begin();
  const auto first = call();
  const auto second = first_to(receive(response(first, 503), gateway), "127.0.0.2", "INVITE");
  (void)receive(response(second, 180), gateway);
  EXPECT_THAT(to_gateways(receive(request("CANCEL", set_uri), caller)), ElementsAre("127.0.0.2 CANCEL"));
}

TEST_F(Failover, CancelledCallTriesNobodyElse) {
  add_gateways(2);
  begin();
  const auto first = call();
  (void)receive(request("CANCEL", set_uri), caller);
  const auto ended = pass(options.fr_timer);
  EXPECT_THAT(to_caller(ended), ElementsAre("SIP/2.0 487 Request Terminated"));
  EXPECT_THAT(to_gateways(ended), testing::Not(testing::Contains("127.0.0.2 INVITE")));
}

TEST_F(Failover, ABranchThatIsCancelledForAnotherTriesNobodyElse) {
  on_request = [](RoutingContext& context) {
    Target other;
    other.uri = "sip:bob@127.0.0.9:7009";
    context.more_targets.push_back(other);
    context.relay();
  };
  add_gateways(2);
  begin();
  const auto to_other = first_to(receive(request("INVITE", set_uri), caller), "127.0.0.9", "INVITE");
  const auto first = first_to(answer(), "127.0.0.1", "INVITE");
  (void)receive(response(to_other, 603), 7009);  // a 6xx ends the search
  const auto ended = receive(response(first, 503), gateway);
  EXPECT_THAT(to_gateways(ended), ElementsAre("127.0.0.1 ACK"));
  EXPECT_THAT(to_caller(ended), ElementsAre("SIP/2.0 603 Whatever"));
}

TEST_F(Failover, FromOneTransportToAnother) {
  names.add_service("_sip._udp.mixed.example.test", 1, 7001, gateway_name(1));
  names.add_service("_sip._tcp.tcp.example.test", 1, 7001, gateway_name(1));
  names.add_service("_sip._tcp.tcp.example.test", 2, 7001, gateway_name(2));
  begin();
  (void)receive(request("MESSAGE", "sip:bob@tcp.example.test;transport=tcp", "Subject: refused\r\n"), caller);
  const auto first = first_to(answer(), "127.0.0.1", "MESSAGE");
  EXPECT_EQ(first.socket, tcp);
  const auto second = first_to(undelivered(first), "127.0.0.2", "MESSAGE");
  EXPECT_EQ(second.socket, tcp);
  EXPECT_EQ(second.header("Subject"), "refused");
  EXPECT_THAT(to_caller(receive(response(second, 202), gateway, tcp, gateway_connection)), ElementsAre("SIP/2.0 202 Whatever"));
}

TEST_F(Failover, ServersThatHaveFailedComeLastForAWhile) {
  add_gateways(2);
  begin();
  (void)call();
  (void)pass(options.fr_timer);  // the first is silent
  EXPECT_THAT(to_gateways(receive(request("OPTIONS", set_uri, {}, "z9hG4bKtwo"), caller)), ElementsAre("127.0.0.2 OPTIONS"));
  ASSERT_EQ(blocked.list(now).size(), 1U);
  EXPECT_EQ(blocked.list(now)[0].server.address.text(), "127.0.0.1:7001");
  (void)pass(options.locating.blocked_for);
  EXPECT_THAT(to_gateways(receive(request("OPTIONS", set_uri, {}, "z9hG4bKthree"), caller)), ElementsAre("127.0.0.1 OPTIONS"));
}

TEST_F(Failover, A503BlocksAsLongAsItAsksFor) {
  add_gateways(2);
  begin();
  auto invite = call();
  (void)receive(response(invite, 503), gateway);
  EXPECT_THAT(blocked.list(now), IsEmpty());
  const auto again = first_to(receive(request("INVITE", set_uri, {}, "z9hG4bKtwo"), caller), "127.0.0.1", "INVITE");
  (void)receive(response(again, 503, "Retry-After: 20 (busy)\r\n"), gateway);
  ASSERT_EQ(blocked.list(now).size(), 1U);
  EXPECT_EQ(blocked.list(now)[0].left, 20s);
}

TEST_F(Failover, CanBeSwitchedOff) {
  options.locating.failover = false;
  add_gateways(2);
  begin();
  const auto first = call();
  EXPECT_THAT(to_caller(receive(response(first, 503), gateway)), ElementsAre("SIP/2.0 500 Server Internal Error"));
}

TEST_F(Failover, LargeRequestGoesByTcpThenByUdpThenToTheNext) {
  add_gateways(2);
  begin();
  (void)receive(request("MESSAGE", set_uri, "Subject: " + std::string(1400, 'x') + "\r\n"), caller);
  const auto by_tcp = first_to(answer(), "127.0.0.1", "MESSAGE");
  EXPECT_EQ(by_tcp.socket, tcp);
  const auto by_udp = first_to(undelivered(by_tcp), "127.0.0.1", "MESSAGE");
  EXPECT_EQ(by_udp.socket, udp);
  const auto next = first_to(receive(response(by_udp, 503), gateway), "127.0.0.2", "MESSAGE");
  EXPECT_EQ(next.socket, tcp);
}

}  // namespace
}  // namespace perdure::proxy

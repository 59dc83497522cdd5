// Runs of routes that wait for another thread, and what becomes of them when the process ends meanwhile.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Waiting : public ProxyTest {
 protected:
  Waiting() {
    on_request = [this](RoutingContext& context) {
      ++runs;
      if (context.message->method() == sip::Method::Cancel) {
        context.relay();
        return;
      }
      context.flags = 5;
      wait = context.begin_wait(now + 2s);
      EXPECT_EQ(wait != 0, expect_wait);
    };
    on_resume = [this](RoutingContext& context, bool timed_out) {
      resumed_late += timed_out;
      EXPECT_EQ(context.flags, 5U);
      EXPECT_EQ(context.message->call_id(), "call-1");
      EXPECT_EQ(context.message->from()->tag, "a1");
      if (fails_over) context.armed.failure = "failure";
      relayed = context.relay();
    };
  }
  static std::string invite() { return request("INVITE", "sip:bob@127.0.0.1:7001"); }

  std::uint64_t wait = 0;
  int runs = 0, resumed_late = 0, relayed = 0;
  bool expect_wait = true, fails_over = false;
};

TEST_F(Waiting, GoesOnWithTheSameRequest) {
  EXPECT_THAT(lines_of(receive(invite(), 6000)), ElementsAre("6000 SIP/2.0 100 Trying"));
  EXPECT_EQ(proxy->waiting(), 1U);
  const auto sent = wake(wait);
  EXPECT_THAT(lines_of(sent), ElementsAre("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(relayed, 1);
  EXPECT_EQ(proxy->waiting(), 0U);
  EXPECT_EQ(to_port(receive(response(sent[0], 180), 7001), 6000).first_line(), "SIP/2.0 180 Whatever");
}

TEST_F(Waiting, OthersPassMeanwhile) {
  receive(invite(), 6000);
  const auto first = wait;
  std::string other = request("INVITE", "sip:bob@127.0.0.1:7002", {}, "z9hG4bKother");
  receive(other, 6000);
  EXPECT_EQ(proxy->waiting(), 2U);
  EXPECT_THAT(lines_of(wake(wait)), ElementsAre("7002 INVITE sip:bob@127.0.0.1:7002 SIP/2.0"));
  EXPECT_THAT(lines_of(wake(first)), ElementsAre("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
}

TEST_F(Waiting, AbsorbsRetransmissions) {
  receive(invite(), 6000);
  EXPECT_THAT(lines_of(receive(invite(), 6000)), ElementsAre("6000 SIP/2.0 100 Trying"));
  EXPECT_EQ(runs, 1);
  receive(request("MESSAGE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKmessage"), 6000);
  EXPECT_THAT(receive(request("MESSAGE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKmessage"), 6000), IsEmpty());
  EXPECT_EQ(runs, 2);
}

TEST_F(Waiting, CancelIsHonouredBeforeTheRelay) {
  receive(invite(), 6000);
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000)),
              UnorderedElementsAre("6000 SIP/2.0 200 canceling", "6000 SIP/2.0 487 Request Terminated"));
  EXPECT_THAT(wake(wait), IsEmpty());
  EXPECT_LT(relayed, 0);
  receive(request("ACK", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKcaller", "x"), 6000);
  pass(40s);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(Waiting, IsAbandonedWhenItsTransactionIsOver) {
  on_request = [this](RoutingContext& context) {
    if (context.message->method() == sip::Method::Cancel)
      context.relay();
    else
      wait = context.begin_wait(now + 1h);
  };
  receive(invite(), 6000);
  receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000);
  receive(request("ACK", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKcaller", "x"), 6000);
  pass(40s);
  EXPECT_THAT(wake(wait), IsEmpty());
  EXPECT_EQ(abandoned, 1);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(Waiting, DeadlineWakesIt) {
  receive(invite(), 6000);
  EXPECT_EQ(proxy->next_deadline(), now + 2s);
  EXPECT_THAT(lines_of(pass(2s)), ElementsAre("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(resumed_late, 1);
  EXPECT_FALSE(proxy->resume(wait, now, outputs)) << "the answer comes too late";
  EXPECT_EQ(proxy->counters().waits_timed_out, 1U);
}

TEST_F(Waiting, CanWaitAgain) {
  on_resume = [this](RoutingContext& context, bool) {
    if (++runs < 4)
      wait = context.begin_wait(now + 2s);
    else
      context.relay();
  };
  receive(invite(), 6000);
  EXPECT_THAT(wake(wait), IsEmpty());
  EXPECT_THAT(wake(wait), IsEmpty());
  EXPECT_THAT(lines_of(wake(wait)), ElementsAre("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(proxy->waiting(), 0U);
}

TEST_F(Waiting, WithoutAnAnswerAtItsEndIsAnError) {
  on_resume = [](RoutingContext&, bool) {};
  receive(invite(), 6000);
  EXPECT_THAT(lines_of(wake(wait)), ElementsAre("6000 SIP/2.0 500 Server Internal Error"));
}

TEST_F(Waiting, RunsAgainInTheNextProcess) {
  receive(invite(), 6000);
  start();
  EXPECT_EQ(proxy->waiting(), 0U);
  pass(10ms);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(proxy->waiting(), 1U);
  EXPECT_EQ(proxy->counters().routed_again, 1U);
  EXPECT_THAT(lines_of(wake(wait)), ElementsAre("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
}

TEST_F(Waiting, AcknowledgementsAndCancelsWaitWithoutATransaction) {
  on_request = [this](RoutingContext& context) { wait = context.begin_wait(now + 2s); };
  on_resume = [](RoutingContext& context, bool) { context.relay(); };
  EXPECT_THAT(receive(request("ACK", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKack", "x"), 6000), IsEmpty());
  EXPECT_EQ(proxy->open_transactions(), 0U);
  EXPECT_THAT(lines_of(wake(wait)), ElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0"));
}

TEST_F(Waiting, SoManyAtATime) {
  options.waiting_max = 1;
  receive(invite(), 6000);
  expect_wait = false;
  // The route ends without an answer and without a transaction: nothing happens to the request.
  EXPECT_THAT(receive(request("INVITE", "sip:bob@127.0.0.1:7002", {}, "z9hG4bKother"), 6000), IsEmpty());
  EXPECT_EQ(proxy->counters().waits_refused, 1U);
}

class WaitingFailure : public Waiting {
 protected:
  WaitingFailure() {
    on_request = [](RoutingContext& context) {
      if (context.message->method() == sip::Method::Invite) context.armed.failure = "failure";
      context.relay();
    };
    on_failure = [this](RoutingContext& context) {
      ++runs;
      EXPECT_EQ(context.status, 503);
      wait = context.begin_wait(now + 2s);
      EXPECT_NE(wait, 0U);
    };
    on_resume = [](RoutingContext& context, bool) {
      context.target.uri = "sip:bob@127.0.0.1:7002";
      context.relay();
    };
  }
  // Up to the failure of the first gateway.
  std::vector<Sent> fail() {
    const auto sent = to_port(receive(invite(), 6000), 7001);
    return receive(response(sent, 503), 7001);
  }
};

TEST_F(WaitingFailure, GoesOnToTheNext) {
  EXPECT_THAT(lines_of(fail()), ElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0"));
  const auto sent = wake(wait);
  EXPECT_THAT(lines_of(sent), ElementsAre("7002 INVITE sip:bob@127.0.0.1:7002 SIP/2.0"));
  EXPECT_EQ(to_port(receive(response(sent[0], 200), 7002), 6000).first_line(), "SIP/2.0 200 Whatever");
}

TEST_F(WaitingFailure, OrSendsTheFailureUp) {
  fail();
  on_resume = [](RoutingContext&, bool) {};
  EXPECT_EQ(to_port(wake(wait), 6000).first_line(), "SIP/2.0 500 Server Internal Error");  // 16.7 item 6: what a 503 becomes
}

TEST_F(WaitingFailure, RunsAgainInTheNextProcess) {
  fail();
  start();
  pass(10ms);
  EXPECT_EQ(runs, 2);
  EXPECT_THAT(lines_of(wake(wait)), ElementsAre("7002 INVITE sip:bob@127.0.0.1:7002 SIP/2.0"));
}

TEST_F(WaitingFailure, CancelEndsIt) {
  fail();
  EXPECT_THAT(lines_of(receive(request("CANCEL", "sip:bob@127.0.0.1:7001"), 6000)),
              UnorderedElementsAre("6000 SIP/2.0 200 canceling", "6000 SIP/2.0 487 Request Terminated"));
  EXPECT_THAT(wake(wait), IsEmpty());
}

}  // namespace
}  // namespace perdure::proxy

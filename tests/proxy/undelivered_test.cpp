// RFC 3261 16.9, 17.1.4 and 18.4: what no connection could deliver.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;

class Undelivered : public ProxyTest {
 protected:
  static constexpr auto uri = "sip:bob@127.0.0.1:7001";
  void next_on_failure() {
    on_request = [](RoutingContext& context) {
      context.armed.failure = "next";
      context.relay();
    };
    on_failure = [this](RoutingContext& context) {
      failures.push_back({context.status, context.timed_out, context.branch_replied});
      context.target.uri = "sip:bob@127.0.0.1:7002";
      context.relay();
    };
  }
  struct Failure {
    int status;
    bool timed_out, replied;
    bool operator==(const Failure&) const = default;
  };
  std::vector<Failure> failures;
};

TEST_F(Undelivered, InviteTakesTheNextTarget) {
  next_on_failure();
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  EXPECT_THAT(lines_of(undelivered(invite)), ElementsAre("7002 INVITE sip:bob@127.0.0.1:7002 SIP/2.0"));
  EXPECT_THAT(failures, ElementsAre(Failure{503, false, false}));
  EXPECT_EQ(proxy->counters().undelivered_requests, 1U);
}

TEST_F(Undelivered, LastTargetIsA500ToTheCaller) {
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  EXPECT_THAT(lines_of(undelivered(invite)), ElementsAre("6000 SIP/2.0 500 Server Internal Error"));
  (void)receive(request("ACK", uri), 6000);
  (void)pass(64 * options.t1 + 1s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(Undelivered, RequestOtherThanInviteIsAnsweredToo) {
  const auto message = to_port(receive(request("MESSAGE", uri), 6000), 7001);
  EXPECT_THAT(lines_of(undelivered(message)), ElementsAre("6000 SIP/2.0 500 Server Internal Error"));
}

TEST_F(Undelivered, ADeathBeforeItComesBackChangesNothing) {
  next_on_failure();
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  start();
  EXPECT_THAT(lines_of(undelivered(invite)), ElementsAre("7002 INVITE sip:bob@127.0.0.1:7002 SIP/2.0"));
  // Told twice, as after a death between the effect and the word that it is done.
  EXPECT_THAT(undelivered(invite), ElementsAre());
  EXPECT_EQ(failures.size(), 1U);
}

TEST_F(Undelivered, AfterAProvisionalItMeansNothing) {
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  (void)receive(response(invite, 180), 7001);
  EXPECT_THAT(undelivered(invite), ElementsAre());
  EXPECT_THAT(lines_of(receive(response(invite, 200), 7001)), ElementsAre("6000 SIP/2.0 200 Whatever"));
}

TEST_F(Undelivered, CancelledInviteIsA487) {
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  (void)receive(request("CANCEL", uri), 6000);
  EXPECT_THAT(lines_of(undelivered(invite)), ElementsAre("6000 SIP/2.0 487 Request Terminated"));
}

TEST_F(Undelivered, CancelIsRepeatedNoMoreAndTheBranchEnds) {
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  (void)receive(response(invite, 180), 7001);
  const auto cancel = to_port(receive(request("CANCEL", uri), 6000), 7001);
  EXPECT_THAT(undelivered(cancel), ElementsAre());
  EXPECT_THAT(lines_of(pass(64 * options.t1 - 1ms)), ElementsAre());
  EXPECT_EQ(pass(1ms).front().first_line(), "SIP/2.0 487 Request Terminated");
}

TEST_F(Undelivered, ResponseIsCounted) {
  const auto invite = to_port(receive(request("INVITE", uri), 6000), 7001);
  const auto busy = to_port(receive(response(invite, 486), 7001), 6000);
  EXPECT_THAT(undelivered(busy), ElementsAre());
  EXPECT_EQ(proxy->counters().undelivered_responses, 1U);
}

TEST_F(Undelivered, WhatIsNotOursIsCountedOnly) {
  start();
  for (const std::string& text :
       {std::string("garbage"), request("INVITE", uri), request("INVITE", uri, {}, "z9hG4bKp0000000000000000.00000000"),
        request("OPTIONS", uri, {}, "z9hG4bKp00000000ff00000000.00000000")})
    EXPECT_THAT(undelivered({at_port(7001), 0, text}), ElementsAre());
  EXPECT_EQ(proxy->counters().undelivered_requests, 3U);
}

struct Listener : Proxy::LocalListener {
  void on_local_response(std::string_view branch, std::uint16_t status, Time) override { heard.emplace_back(branch, status); }
  std::vector<std::pair<std::string, int>> heard;
};

TEST_F(Undelivered, ProbeHearsA503) {
  start();
  Listener listener;
  proxy->set_local_listener(&listener);
  const std::string branch = proxy->make_local_branch();
  (void)undelivered({at_port(7001), 0, request("OPTIONS", uri, {}, branch)});
  EXPECT_THAT(listener.heard, ElementsAre(std::pair(branch, 503)));
}

}  // namespace
}  // namespace perdure::proxy

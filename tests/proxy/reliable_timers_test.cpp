// RFC 3261 17 over reliable transports: nothing is repeated, and Timers D, I, J and K end at once.
#include "proxy/transport_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReliableTimers : public TransportTest {
 protected:
  const std::string by_tcp = uri(";transport=tcp");
};

TEST_F(ReliableTimers, RequestIsSentOnceAndTimesOut) {
  for (const char* method : {"INVITE", "MESSAGE"}) {
    (void)from_caller(tcp, request(method, by_tcp, {}, std::string("z9hG4bK") + method));
    EXPECT_THAT(lines_of(pass(64 * options.t1 - 1ms)), IsEmpty()) << method;
    const auto end = lines_of(pass(1ms));
    const bool invite = method == std::string("INVITE");  // RFC 4320: no 408 to another request
    EXPECT_EQ(end, invite ? std::vector<std::string>{"6000 SIP/2.0 408 Request Timeout"} : std::vector<std::string>{}) << method;
  }
}

TEST_F(ReliableTimers, DatagramsUpstreamAreRepeatedWhenTcpIsDownstream) {
  const auto invite = to_port(from_caller(udp, request("INVITE", by_tcp)), gateway);
  EXPECT_EQ(lines_of(from_gateway(tcp, response(invite, 486))).size(), 2U);
  EXPECT_THAT(lines_of(pass(options.t1)), ElementsAre("6000 SIP/2.0 486 Whatever"));  // Timer G
}

TEST_F(ReliableTimers, DatagramsDownstreamAreRepeatedWhenTcpIsUpstream) {
  const auto invite = to_port(from_caller(tcp, request("INVITE", uri())), gateway);
  EXPECT_THAT(lines_of(pass(options.t1)), ElementsAre("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));  // Timer A
  (void)from_gateway(udp, response(invite, 486));
  EXPECT_THAT(pass(64 * options.t1 - 1ms), IsEmpty());  // no Timer G
}

TEST_F(ReliableTimers, AnsweredTransactionsAreGoneAtOnce) {
  const auto message = to_port(from_caller(tcp, request("MESSAGE", by_tcp)), gateway);
  (void)from_gateway(tcp, response(message, 200));
  EXPECT_EQ(proxy->open_transactions(), 1U);
  EXPECT_THAT(pass(2s), IsEmpty());
  EXPECT_EQ(proxy->open_transactions(), 0U) << "Timers J and K";
  const auto invite = to_port(from_caller(tcp, request("INVITE", by_tcp)), gateway);
  (void)from_gateway(tcp, response(invite, 486));
  (void)from_caller(tcp, request("ACK", by_tcp));
  EXPECT_THAT(pass(2s), IsEmpty());
  EXPECT_EQ(proxy->open_transactions(), 0U) << "Timers D and I";
}

TEST_F(ReliableTimers, WhatCausedTheEndIsAbsorbedAfterADeath) {
  const auto invite = to_port(from_caller(tcp, request("INVITE", by_tcp)), gateway);
  (void)from_gateway(tcp, response(invite, 486));
  start();  // the edge gives the messages of the last turn again
  EXPECT_THAT(lines_of(from_gateway(tcp, response(invite, 486))), ElementsAre("7001 ACK sip:bob@127.0.0.1:7001;transport=tcp SIP/2.0"));
  (void)from_caller(tcp, request("ACK", by_tcp));
  start();
  EXPECT_THAT(from_caller(tcp, request("ACK", by_tcp)), IsEmpty());
}

TEST_F(ReliableTimers, CancelIsSentOnce) {
  const auto invite = to_port(from_caller(udp, request("INVITE", by_tcp)), gateway);
  (void)from_gateway(tcp, response(invite, 180));
  EXPECT_EQ(lines_of(from_caller(udp, request("CANCEL", by_tcp))).size(), 2U);
  EXPECT_THAT(lines_of(pass(64 * options.t1 - 1ms)), IsEmpty());
}

TEST_F(ReliableTimers, TwoHundredToInviteOfADatagramCallerIsRepeatedByTheCallee) {
  const auto invite = to_port(from_caller(udp, request("INVITE", by_tcp)), gateway);
  EXPECT_THAT(lines_of(from_gateway(tcp, response(invite, 200))), ElementsAre("6000 SIP/2.0 200 Whatever"));
  EXPECT_THAT(pass(2s), IsEmpty());
  EXPECT_THAT(lines_of(from_gateway(tcp, response(invite, 200))), ElementsAre("6000 SIP/2.0 200 Whatever"));  // RFC 6026: not absorbed
}

}  // namespace
}  // namespace perdure::proxy

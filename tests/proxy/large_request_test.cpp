// RFC 3261 18.1.1: a request too large for a datagram goes by TCP, and by UDP after all where TCP is refused.
#include "proxy/transport_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class LargeRequest : public TransportTest {
 protected:
  static std::string large(std::string_view method, std::string_view uri, std::string_view branch = "z9hG4bKlarge") {
    return request(method, uri, "X-Filler: " + std::string(1300, 'x') + "\r\n", branch);
  }
};

TEST_F(LargeRequest, GoesByTcp) {
  const auto invite = to_port(from_caller(udp, large("INVITE", uri())), gateway);
  EXPECT_EQ(invite.socket, tcp);
  EXPECT_THAT(invite.header("Via"), StartsWith("SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKp"));
  EXPECT_THAT(pass(5s), IsEmpty());
  (void)from_gateway(tcp, response(invite, 180));
  EXPECT_EQ(to_port(from_caller(udp, request("CANCEL", uri(), {}, "z9hG4bKlarge")), gateway).connection, gateway_connection);
}

TEST_F(LargeRequest, LimitIsExact) {
  const auto probe = to_port(from_caller(udp, large("MESSAGE", uri(), "z9hG4bKa")), gateway);
  options.udp_request_max = static_cast<std::uint32_t>(probe.text.size());  // the names of UDP and TCP are equally long
  start();
  EXPECT_EQ(to_port(from_caller(udp, large("MESSAGE", uri(), "z9hG4bKb")), gateway).socket, udp);
  options.udp_request_max -= 1;
  start();
  EXPECT_EQ(to_port(from_caller(udp, large("MESSAGE", uri(), "z9hG4bKc")), gateway).socket, tcp);
  options.udp_request_max = 0;
  start();
  EXPECT_EQ(to_port(from_caller(udp, large("MESSAGE", uri(), "z9hG4bKd")), gateway).socket, udp);
}

TEST_F(LargeRequest, StaysWhereUdpWasAskedForOrThereIsNoTcp) {
  EXPECT_EQ(to_port(from_caller(udp, large("MESSAGE", uri(";transport=udp"), "z9hG4bKa")), gateway).socket, udp);
  options.sockets.resize(2);
  start();
  EXPECT_EQ(to_port(from_caller(udp, large("MESSAGE", uri(), "z9hG4bKb")), gateway).socket, udp);
}

TEST_F(LargeRequest, RefusedByTcpGoesByUdpWithItsTimers) {
  const auto invite = to_port(from_caller(udp, large("INVITE", uri())), gateway);
  start();
  const auto again = to_port(undelivered(invite), gateway);
  EXPECT_EQ(again.socket, udp);
  EXPECT_THAT(again.header("Via"), StartsWith("SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKp"));
  EXPECT_THAT(undelivered(invite), ElementsAre()) << "told twice: the datagram is on its way";
  EXPECT_EQ(pass(options.t1).size(), 1U) << "Timer A";
  start();
  (void)from_gateway(udp, response(again, 180));
  const auto cancel = to_port(from_caller(udp, request("CANCEL", uri(), {}, "z9hG4bKlarge")), gateway);
  EXPECT_EQ(cancel.header("Via"), again.header("Via"));
  EXPECT_EQ(cancel.socket, udp);
  EXPECT_EQ(proxy->counters().udp_fallbacks, 0U) << "of this engine";
}

TEST_F(LargeRequest, StatelessStaysADatagram) {
  on_request = [](RoutingContext& context) { context.forward(); };
  EXPECT_EQ(to_port(from_caller(udp, large("MESSAGE", uri())), gateway).socket, udp);
}

}  // namespace
}  // namespace perdure::proxy

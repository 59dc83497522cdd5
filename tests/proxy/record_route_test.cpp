// Record-Route where the transport changes: RFC 3261 16.6 item 4, RFC 5658.
#include "proxy/transport_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TransportRecordRoute : public TransportTest {
 protected:
  TransportRecordRoute() {
    on_request = [](RoutingContext& context) {
      if (!context.message->to()->tag.empty()) (void)context.loose_route();
      context.record_route = context.message->method() == sip::Method::Invite;
      context.relay();
    };
  }
  std::vector<std::string> recorded(Socket in, std::string_view uri, std::string_view extra = {}) {
    const std::string branch = "z9hG4bKr" + std::to_string(++number_);
    for (const auto& sent : from_caller(in, request("INVITE", uri, extra, branch)))
      if (sent.text.starts_with("INVITE")) return sent.headers(sip::HeaderName::RecordRoute);
    return {"nothing was sent"};
  }
  int number_ = 0;
};

TEST_F(TransportRecordRoute, NamesBothSidesWhenTheyDiffer) {
  EXPECT_THAT(recorded(udp, uri()), ElementsAre("<sip:127.0.0.1;lr;ftag=a1>"));
  EXPECT_THAT(recorded(tcp, uri(";transport=tcp")), ElementsAre("<sip:127.0.0.1;transport=tcp;lr;ftag=a1>"));
  EXPECT_THAT(recorded(udp, uri(";transport=tcp")),
              ElementsAre("<sip:127.0.0.1;transport=tcp;lr;r2=on;ftag=a1>", "<sip:127.0.0.1;lr;r2=on;ftag=a1>"));
  EXPECT_THAT(recorded(wss, uri(";transport=tls")),
              ElementsAre("<sip:127.0.0.1;transport=tls;lr;r2=on;ftag=a1>", "<sip:127.0.0.1:8443;transport=wss;lr;r2=on;ftag=a1>"));
  EXPECT_THAT(recorded(ws, "sip:bob@[::1]:7001"),
              ElementsAre("<sip:[::1];lr;r2=on;ftag=a1>", "<sip:127.0.0.1:8080;transport=ws;lr;r2=on;ftag=a1>"));
}

TEST_F(TransportRecordRoute, IsSipsWhereTheRequestIs) {
  EXPECT_THAT(recorded(tls, "sips:bob@127.0.0.1:7001"), ElementsAre("<sips:127.0.0.1;lr;ftag=a1>"));
  EXPECT_THAT(recorded(wss, "sips:bob@127.0.0.1:7001"),
              ElementsAre("<sips:127.0.0.1;lr;r2=on;ftag=a1>", "<sips:127.0.0.1:8443;transport=ws;lr;r2=on;ftag=a1>"));
  EXPECT_THAT(recorded(udp, "sips:bob@127.0.0.1:7001"),
              ElementsAre("<sips:127.0.0.1;lr;r2=on;ftag=a1>", "<sip:127.0.0.1;lr;r2=on;ftag=a1>"))
      << "nobody could reach the UDP side by sips";
  EXPECT_THAT(recorded(tls, "sip:bob@127.0.0.1:7001;transport=tls", "Route: <sips:127.0.0.1:7001;lr>\r\n"),
              ElementsAre("<sips:127.0.0.1;lr;ftag=a1>"));
  EXPECT_THAT(recorded(tls, "sip:bob@127.0.0.1:7001;transport=tls"), ElementsAre("<sip:127.0.0.1;transport=tls;lr;ftag=a1>"));
}

// What a dialog's peers make of it: both values come off, and the request leaves by the other side.
TEST_F(TransportRecordRoute, RequestsOfTheDialogLeaveByTheOtherSide) {
  const auto leaves_by = [&](Socket in, std::string_view target, std::string_view route) {
    const std::string branch = "z9hG4bKd" + std::to_string(++number_);
    const auto sent = to_port(from_caller(in, request("BYE", target, "Route: " + std::string(route) + "\r\n", branch, "t1")), gateway);
    EXPECT_THAT(sent.headers(sip::HeaderName::Route), IsEmpty());
    return sent.socket;
  };
  EXPECT_EQ(leaves_by(udp, uri(";transport=tcp"), "<sip:127.0.0.1;lr;r2=on>, <sip:127.0.0.1;transport=tcp;lr;r2=on>"), tcp);
  EXPECT_EQ(leaves_by(tcp, uri(), "<sip:127.0.0.1;transport=tcp;lr;r2=on>, <sip:127.0.0.1;lr;r2=on>"), udp);
  EXPECT_EQ(leaves_by(udp, uri(), "<sip:127.0.0.1;lr;r2=on>, <sip:127.0.0.1:5080;lr;r2=on>"), udp_too) << "which is not the first";
  EXPECT_EQ(leaves_by(udp_too, uri(), "<sip:127.0.0.1:5080;lr;r2=on>, <sip:127.0.0.1;lr;r2=on>"), udp);
  EXPECT_EQ(
      leaves_by(tls, "sips:bob@127.0.0.1:7001;transport=ws", "<sips:127.0.0.1;lr;r2=on>, <sips:127.0.0.1:8443;transport=ws;lr;r2=on>"),
      wss);
  EXPECT_EQ(leaves_by(wss, "sips:bob@127.0.0.1:7001", "<sips:127.0.0.1:8443;transport=ws;lr;r2=on>, <sips:127.0.0.1;lr;r2=on>"), tls);
}

}  // namespace
}  // namespace perdure::proxy

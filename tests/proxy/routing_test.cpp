// RFC 3261 16.4, 16.6 and 16.12, RFC 3581: Via, Route and Record-Route.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Routing : public ProxyTest {};

TEST_F(Routing, OurViaIsOnTopAndTheNextSaysWhereTheRequestCameFrom) {
  auto text = request("OPTIONS", "sip:bob@127.0.0.1:7001");
  text.replace(text.find("127.0.0.1:6000;branch"), 21, "192.0.2.9:6000;rport;branch");
  const auto sent = to_port(receive(text, 6123), 7001);
  const auto vias = sent.headers(sip::HeaderName::Via);
  ASSERT_EQ(vias.size(), 2U);
  EXPECT_THAT(vias[0], StartsWith("SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKp"));
  EXPECT_THAT(vias[1], HasSubstr("received=127.0.0.1"));
  EXPECT_THAT(vias[1], HasSubstr("rport=6123"));
  // The response goes where the request came from, not where the Via claims (RFC 3581 4).
  const auto back = receive(response(sent, 200), 7001);
  EXPECT_EQ(to_port(back, 6123).first_line(), "SIP/2.0 200 Whatever");
  EXPECT_EQ(to_port(back, 6123).headers(sip::HeaderName::Via).size(), 1U);
}

TEST_F(Routing, WithoutRportTheResponseGoesToThePortOfTheVia) {
  const auto sent = to_port(receive(request("OPTIONS", "sip:bob@127.0.0.1:7001"), 6999), 7001);
  EXPECT_EQ(to_port(receive(response(sent, 200), 7001), 6000).first_line(), "SIP/2.0 200 Whatever");
}

TEST_F(Routing, ForceRportAnswersToTheSource) {
  on_request = [](RoutingContext& context) {
    context.force_rport = true;
    context.relay();
  };
  const auto sent = to_port(receive(request("OPTIONS", "sip:bob@127.0.0.1:7001"), 6999), 7001);
  EXPECT_EQ(to_port(receive(response(sent, 200), 7001), 6999).first_line(), "SIP/2.0 200 Whatever");
}

TEST_F(Routing, OurRouteComesOffAndTheNextDecides) {
  const auto sent =
      receive(request("BYE", "sip:bob@127.0.0.1:7001", "Route: <sip:127.0.0.1;lr>, <sip:127.0.0.1:7005;lr>\r\n", "z9hG4bKb", "t1"), 6000);
  const auto out = to_port(sent, 7005);
  EXPECT_EQ(out.first_line(), "BYE sip:bob@127.0.0.1:7001 SIP/2.0");
  EXPECT_THAT(out.headers(sip::HeaderName::Route), ElementsAre("<sip:127.0.0.1:7005;lr>"));
}

TEST_F(Routing, TheNextRouteIsTheDestination) {
  std::vector<std::string> destinations;
  on_request = [&](RoutingContext& context) {
    context.loose_route();
    destinations.push_back(context.target.destination_uri);
  };
  const auto bye = [&](std::string_view uri, std::string_view route) {
    const auto number = std::to_string(destinations.size());
    receive(request("BYE", uri, "Route: " + std::string(route) + "\r\n", "z9hG4bKb" + number, "t1"), 6000);
  };
  bye("sip:bob@127.0.0.1:7001", "<sip:127.0.0.1;lr>");
  bye("sip:bob@127.0.0.1:7001", "<sip:127.0.0.1;lr>, <sip:127.0.0.1:7005;lr>");
  bye("sip:bob@127.0.0.1:7001", "<sip:127.0.0.1:7005;lr>");
  bye("sip:bob@127.0.0.1:7001", "<sip:127.0.0.1;lr>, <sip:127.0.0.1:7005>");
  bye("sip:127.0.0.1:5060;lr", "<sip:127.0.0.1:7005;lr>, <sip:bob@127.0.0.1:7001>");
  EXPECT_THAT(destinations, ElementsAre("", "sip:127.0.0.1:7005;lr", "sip:127.0.0.1:7005;lr", "", "sip:127.0.0.1:7005;lr"));
}

TEST_F(Routing, AStrictRouterComesNext) {
  // 16.6 item 6: its URI becomes the Request-URI, the real one the last Route.
  const auto sent =
      receive(request("BYE", "sip:bob@127.0.0.1:7001",
                      "Route: <sip:127.0.0.1;lr>\r\nRoute: <sip:127.0.0.1:7005>, <sip:127.0.0.1:7006;lr>\r\n", "z9hG4bKb", "t1"),
              6000);
  const auto out = to_port(sent, 7005);
  EXPECT_EQ(out.first_line(), "BYE sip:127.0.0.1:7005 SIP/2.0");
  EXPECT_THAT(out.headers(sip::HeaderName::Route), ElementsAre("<sip:127.0.0.1:7006;lr>", "<sip:bob@127.0.0.1:7001>"));
}

TEST_F(Routing, AStrictRouterWasBeforeUs) {
  // 16.4: our own Record-Route URI stands as Request-URI, the last Route is the target.
  const auto sent = receive(
      request("BYE", "sip:127.0.0.1:5060;lr", "Route: <sip:127.0.0.1:7005;lr>, <sip:bob@127.0.0.1:7001>\r\n", "z9hG4bKb", "t1"), 6000);
  const auto out = to_port(sent, 7005);
  EXPECT_EQ(out.first_line(), "BYE sip:bob@127.0.0.1:7001 SIP/2.0");
  EXPECT_THAT(out.headers(sip::HeaderName::Route), ElementsAre("<sip:127.0.0.1:7005;lr>"));
}

TEST_F(Routing, RecordRouteStandsAboveThoseOfOthers) {
  on_request = [](RoutingContext& context) {
    context.record_route = true;
    context.record_route_params = ";x=1";
    context.relay();
  };
  const auto invite = request("INVITE", "sip:bob@127.0.0.1:7001", "Record-Route: <sip:other.example.org;lr>\r\n");
  const auto sent = to_port(receive(invite, 6000, 1), 7001);
  EXPECT_THAT(sent.headers(sip::HeaderName::RecordRoute), ElementsAre("<sip:127.0.0.1:5080;lr;ftag=a1;x=1>", "<sip:other.example.org;lr>"));
}

TEST_F(Routing, RecordRouteKeepsTheTagOfTheSideThatMadeTheDialog) {
  on_request = [](RoutingContext& context) {
    context.loose_route();
    context.record_route = true;
    context.relay();
  };
  const auto answer =
      receive(request("UPDATE", "sip:a@127.0.0.1:7001", "Route: <sip:127.0.0.1:5080;lr;ftag=t1>\r\n", "z9hG4bKu", "t1"), 6000);
  EXPECT_THAT(to_port(answer, 7001).headers(sip::HeaderName::RecordRoute), ElementsAre("<sip:127.0.0.1;lr;ftag=t1>"));
}

TEST_F(Routing, RecordRouteIsDoubledBetweenTwoSockets) {
  LocalSocket six;
  six.address = *SocketAddress::parse("::1", 5060);
  six.advertised_host = "[::1]";
  six.advertised_port = 5060;
  options.sockets.push_back(six);
  on_request = [](RoutingContext& context) {
    context.record_route = true;
    context.relay();
  };
  const auto sent = to_port(receive(request("INVITE", "sip:bob@[::1]:7001"), 6000), 7001);
  EXPECT_EQ(sent.socket, 2U);
  EXPECT_THAT(sent.headers(sip::HeaderName::RecordRoute), ElementsAre("<sip:[::1];lr;r2=on;ftag=a1>", "<sip:127.0.0.1;lr;r2=on;ftag=a1>"));
  EXPECT_THAT(sent.headers(sip::HeaderName::Via)[0], StartsWith("SIP/2.0/UDP [::1]:5060;branch="));
}

TEST_F(Routing, BothOurRoutesOfADoubleRecordRouteComeOff) {
  const auto sent = receive(
      request("BYE", "sip:bob@127.0.0.1:7001", "Route: <sip:127.0.0.1;lr;r2=on>, <sip:127.0.0.1:5080;lr;r2=on>\r\n", "z9hG4bKb", "t1"),
      6000);
  const auto out = to_port(sent, 7001);
  EXPECT_TRUE(out.headers(sip::HeaderName::Route).empty());
}

TEST_F(Routing, UntouchedBytesTravelVerbatim) {
  const std::string odd = "X-Odd:   folded\r\n  value ;  a=\"q\\\"uote\"\r\nm:<sip:a@b>\r\n";
  const auto sent = to_port(receive(request("MESSAGE", "sip:bob@127.0.0.1:7001", odd), 6000), 7001);
  EXPECT_THAT(sent.text, HasSubstr(odd));
}

TEST_F(Routing, TheBranchRouteChangesItsBranchOnly) {
  on_request = [](RoutingContext& context) {
    Target second;
    second.uri = "sip:bob@127.0.0.1:7002";
    context.more_targets.push_back(second);
    context.armed.branch = "manage_branch";
    context.relay();
  };
  on_branch = [](RoutingContext& context) {
    if (context.branch == 1) context.edits->append("X-Branch: one\r\n");
  };
  const auto sent = receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_EQ(to_port(sent, 7001).header("X-Branch"), "");
  EXPECT_EQ(to_port(sent, 7002).header("X-Branch"), "one");
}

TEST_F(Routing, ABranchThatIsDroppedDoesNotLeave) {
  on_request = [](RoutingContext& context) {
    Target second;
    second.uri = "sip:bob@127.0.0.1:7002";
    context.more_targets.push_back(second);
    context.armed.branch = "manage_branch";
    context.relay();
  };
  on_branch = [](RoutingContext& context) { context.drop = context.target.uri.ends_with("7002"); };
  EXPECT_THAT(lines_of(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000)),
              testing::UnorderedElementsAre("6000 SIP/2.0 100 Trying", "7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
}

}  // namespace
}  // namespace perdure::proxy

// By what transport and from which socket a request leaves; which connection its responses, its ACK and its CANCEL take.
#include "proxy/transport_fixture.hpp"
#include "transaction/record.hpp"

namespace perdure::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class NextHopTransport : public TransportTest {};

TEST_F(NextHopTransport, FollowsSchemeParameterAndFamily) {
  const struct {
    std::string_view uri;
    int socket;  // -1: there is no way
    int port;
    std::string_view via;
  } rows[] = {
      {"sip:bob@127.0.0.1", udp, 5060, "SIP/2.0/UDP 127.0.0.1:5060;"},
      {"sip:bob@127.0.0.1:7001", udp, 7001, "SIP/2.0/UDP 127.0.0.1:5060;"},
      {"sip:bob@127.0.0.1;transport=UDP", udp, 5060, "SIP/2.0/UDP 127.0.0.1:5060;"},
      {"sip:bob@127.0.0.1;transport=tcp", tcp, 5060, "SIP/2.0/TCP 127.0.0.1:5060;"},
      {"sip:bob@127.0.0.1;transport=tls", tls, 5061, "SIP/2.0/TLS 127.0.0.1:5061;"},
      {"sip:bob@127.0.0.1;transport=ws", ws, 80, "SIP/2.0/WS 127.0.0.1:8080;"},
      {"sip:bob@127.0.0.1:9;transport=wss", wss, 9, "SIP/2.0/WSS 127.0.0.1:8443;"},
      {"sips:bob@127.0.0.1", tls, 5061, "SIP/2.0/TLS 127.0.0.1:5061;"},
      {"sips:bob@127.0.0.1;transport=tcp", tls, 5061, "SIP/2.0/TLS 127.0.0.1:5061;"},
      {"sips:bob@127.0.0.1;transport=ws", wss, 443, "SIP/2.0/WSS 127.0.0.1:8443;"},
      {"sips:bob@127.0.0.1;transport=udp", -1, 0, ""},
      {"sip:bob@127.0.0.1;transport=sctp", -1, 0, ""},
      {"sip:bob@[::1]:7001", udp6, 7001, "SIP/2.0/UDP [::1]:5060;"},
      {"sip:bob@[::1];transport=tcp", tcp6, 5060, "SIP/2.0/TCP [::1]:5060;"},
      {"sip:bob@[::1];transport=tls", -1, 0, ""},
  };
  int number = 0;
  for (const auto& row : rows) {
    const auto sent = receive(request("MESSAGE", row.uri, {}, "z9hG4bKrow" + std::to_string(++number)), caller);
    ASSERT_EQ(sent.size(), 1U) << row.uri;
    if (row.socket < 0) {
      EXPECT_EQ(sent[0].first_line(), "SIP/2.0 478 Unresolvable destination") << row.uri;
      continue;
    }
    EXPECT_EQ(sent[0].socket, row.socket) << row.uri;
    EXPECT_EQ(sent[0].to.port, row.port) << row.uri;
    EXPECT_THAT(sent[0].header("Via"), StartsWith(row.via)) << row.uri;
  }
}

TEST_F(NextHopTransport, WithoutUdpItIsTcp) {
  options.sockets.erase(options.sockets.begin(), options.sockets.begin() + 2);
  const auto sent = receive(request("MESSAGE", uri()), caller, 0, caller_connection);
  EXPECT_THAT(sent.at(0).header("Via"), StartsWith("SIP/2.0/TCP "));
}

TEST_F(NextHopTransport, WebSocketMayBeWithTls) {
  options.sockets.erase(options.sockets.begin() + ws);
  const auto sent = to_port(receive(request("MESSAGE", uri(";transport=ws")), caller), gateway);
  EXPECT_THAT(sent.header("Via"), StartsWith("SIP/2.0/WSS "));
  EXPECT_EQ(sent.socket, wss - 1);
}

TEST_F(NextHopTransport, SocketOfTheScriptIsTakenIfItFits) {
  std::string destination;
  on_request = [&](RoutingContext& context) {
    context.target.uri = destination;
    context.target.socket_key = options.sockets[udp_too].key();
    context.relay();
  };
  destination = uri();
  EXPECT_EQ(to_port(receive(request("MESSAGE", uri(), {}, "z9hG4bK1"), caller), gateway).socket, udp_too);
  destination = uri(";transport=tcp");
  EXPECT_EQ(to_port(receive(request("MESSAGE", uri(), {}, "z9hG4bK2"), caller), gateway).socket, tcp);
}

TEST_F(NextHopTransport, SocketOfATargetThatWaitsOutlivesADeath) {
  on_request = [&](RoutingContext& context) {
    context.target.uri = uri();
    Target later;
    later.uri = "sip:bob@127.0.0.1:7002";
    later.q = 500;
    later.socket_key = options.sockets[udp_too].key();
    context.more_targets.push_back(later);
    context.relay();
  };
  const auto first = to_port(receive(request("INVITE", uri()), caller), gateway);
  start();
  EXPECT_EQ(to_port(receive(response(first, 486), gateway), 7002).socket, udp_too);
}

class Connections : public TransportTest {};

TEST_F(Connections, ResponsesGoBackByTheConnectionOfTheRequest) {
  for (const Socket socket : {tcp, tls, ws, wss}) {
    const std::string branch = "z9hG4bKc" + std::to_string(socket);
    auto sent = from_caller(socket, request("INVITE", uri(), {}, branch));
    const auto invite = to_port(sent, gateway);
    const auto trying = to_port(sent, caller);
    EXPECT_EQ(trying.connection, caller_connection);
    EXPECT_EQ(trying.socket, socket);
    const auto ringing = from_gateway(udp, response(invite, 180)).at(0);
    EXPECT_EQ(ringing.connection, caller_connection);
    start();
    EXPECT_EQ(to_port(from_gateway(udp, response(invite, 486)), caller).connection, caller_connection);
    (void)from_caller(socket, request("ACK", uri(), {}, branch));
    (void)pass(64 * options.t1 + 1s);
  }
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(Connections, AddressForAConnectionThatIsGone) {
  on_request = [](RoutingContext& context) { context.stateless_reply(404, "Not Here"); };
  const auto reply_port = [&](Socket socket, std::string via) {
    std::string text = request("OPTIONS", uri());
    const std::string_view whole = "SIP/2.0/UDP 127.0.0.1:6000";
    text.replace(text.find(whole), whole.size(), via);
    return receive(text, caller, socket, socket == udp ? 0 : caller_connection).at(0).to.port;
  };
  EXPECT_EQ(reply_port(tcp, "SIP/2.0/TCP 127.0.0.1:5070"), 5070);
  EXPECT_EQ(reply_port(tcp, "SIP/2.0/TCP 127.0.0.1:5070;rport"), 5070);
  EXPECT_EQ(reply_port(tcp, "SIP/2.0/TCP 127.0.0.1"), 5060);
  EXPECT_EQ(reply_port(tls, "SIP/2.0/TLS 127.0.0.1"), 5061);
  EXPECT_EQ(reply_port(wss, "SIP/2.0/WSS abc.invalid"), caller);
  EXPECT_EQ(reply_port(udp, "SIP/2.0/UDP 127.0.0.1:5070"), 5070);
  EXPECT_EQ(reply_port(udp, "SIP/2.0/UDP 127.0.0.1:5070;rport"), caller);
}

TEST_F(Connections, CancelAndAckTakeTheConnectionByWhichTheBranchWasAnswered) {
  const auto invite = to_port(from_caller(udp, request("INVITE", uri(";transport=tcp"))), gateway);
  EXPECT_EQ(invite.connection, 0U);
  (void)from_gateway(tcp, response(invite, 180));
  start();
  const auto cancel = to_port(from_caller(udp, request("CANCEL", uri(";transport=tcp"))), gateway);
  EXPECT_EQ(cancel.connection, gateway_connection);
  EXPECT_EQ(cancel.socket, tcp);
  EXPECT_EQ(cancel.header("Via"), invite.header("Via"));
  const auto ack = to_port(from_gateway(tcp, response(invite, 487)), gateway);
  EXPECT_THAT(ack.first_line(), StartsWith("ACK "));
  EXPECT_EQ(ack.connection, gateway_connection);
}

TEST_F(Connections, AnotherPeerDoesNotTakeABranchToItsConnection) {
  const auto invite = to_port(from_caller(udp, request("INVITE", uri(";transport=tcp"))), gateway);
  (void)receive(response(invite, 180), 7999, tcp, 99);
  EXPECT_EQ(to_port(from_caller(udp, request("CANCEL", uri(";transport=tcp"))), gateway).connection, 0U);
}

TEST_F(Connections, WhatMayNotHaveLeftGoesTheSameWayAfterADeath) {
  start();
  const auto invite = request("INVITE", uri(";transport=tcp"));
  proxy->on_received({by(tls, invite), at_port(caller), tls, caller_connection}, now, outputs);
  outputs.clear();  // the process ends before anything has left
  const auto sent = start();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(to_port(sent, gateway).socket, tcp);
  EXPECT_EQ(to_port(sent, caller).connection, caller_connection);
}

TEST_F(Connections, AreUsedAsTheScriptSaysAlsoAfterADeath) {
  on_request = [](RoutingContext& context) {
    (void)context.set_switch(transaction::no_reply_connect, true);
    (void)context.set_switch(transaction::reply_closes, true);
    (void)context.set_switch(transaction::no_forward_connect, true);
    (void)context.set_switch(transaction::forward_closes, true);
    (void)context.relay();
  };
  const auto sent = from_caller(tcp, request("INVITE", uri(";transport=tcp")));
  const auto invite = to_port(sent, gateway);
  EXPECT_FALSE(invite.may_connect);
  EXPECT_TRUE(invite.closes);
  EXPECT_FALSE(to_port(sent, caller).may_connect);
  EXPECT_FALSE(to_port(sent, caller).closes) << "a provisional response";
  start();
  const auto failure = to_port(from_gateway(tcp, response(invite, 486)), caller);
  EXPECT_FALSE(failure.may_connect);
  EXPECT_TRUE(failure.closes);
  // Without a transaction, too.
  on_request = [](RoutingContext& context) {
    (void)context.set_switch(transaction::no_reply_connect, true);
    (void)context.stateless_reply(404, "Not Here");
  };
  EXPECT_FALSE(from_caller(tcp, request("OPTIONS", uri(), {}, "z9hG4bKother")).at(0).may_connect);
  on_request = [](RoutingContext& context) { (void)context.forward(); };
  EXPECT_TRUE(from_caller(tcp, request("OPTIONS", uri(), {}, "z9hG4bKthird")).at(0).may_connect) << "what was set holds for its message";
}

TEST_F(Connections, StatelessResponseFindsTheConnectionOfItsRequest) {
  on_request = [](RoutingContext& context) { context.forward(); };
  const auto sent = to_port(from_caller(ws, request("OPTIONS", uri())), gateway);
  EXPECT_THAT(sent.header("Via"), HasSubstr(";i=4d."));
  const auto ok = from_gateway(udp, response(sent, 200)).at(0);
  EXPECT_EQ(ok.connection, caller_connection);
  EXPECT_EQ(ok.socket, ws);
}

TEST_F(Connections, ForgedConnectionOfAResponseIsNotFollowed) {
  on_request = [](RoutingContext& context) { context.forward(); };
  auto sent = to_port(from_caller(tcp, request("OPTIONS", uri())), gateway);
  const auto at = sent.text.find(";i=4d.");
  ASSERT_NE(at, std::string::npos);
  sent.text[at + 4] = 'e';  // connection 0x4e
  EXPECT_EQ(from_gateway(udp, response(sent, 200)).at(0).connection, 0U);
}

}  // namespace
}  // namespace perdure::proxy

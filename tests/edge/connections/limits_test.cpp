// What a peer may not do, and what happens then.
#include <thread>

#include "edge/connections/hub_fixture.hpp"

namespace perdure::edge {
namespace {

using Limits = HubTest;

TEST_F(Limits, ConnectionsInAll) {
  options.connections_max = 2;
  open();
  const auto first = dial(), second = dial(), third = dial();
  EXPECT_TRUE(is_closed(third));
  EXPECT_EQ(hub->counters().refused_total.get(), 1U);
  EXPECT_TRUE(first.hear().has_value());
}

TEST_F(Limits, ConnectionsOfASource) {
  options.connections_per_source_max = 1;
  open();
  {
    const auto first = dial(), second = dial();
    EXPECT_TRUE(is_closed(second));
    EXPECT_EQ(hub->counters().refused_source.get(), 1U);
  }
  ASSERT_TRUE(until([&] { return hub->counters().closed_by_peer.get() == 1; }));
  const auto third = dial();
  third.say(sip_message("three"));
  EXPECT_TRUE(take()) << "room was made";
}

TEST_F(Limits, SizeOfAMessage) {
  options.message_bytes_max = 2000;
  open();
  const auto peer = dial();
  peer.say(sip_message("too long", std::string(3000, 'x')));
  EXPECT_TRUE(hear(peer, 12).starts_with("SIP/2.0 513 ")) << "it is told why";
  EXPECT_TRUE(is_closed(peer));
  const auto endless = dial();
  endless.say("OPTIONS sip:a@b SIP/2.0\r\nX: " + std::string(3000, 'x'));
  EXPECT_TRUE(is_closed(endless));
  EXPECT_EQ(hub->counters().closed_too_large.get(), 2U);
  EXPECT_EQ(hub->counters().buffered_bytes.get(), 0U);
}

TEST_F(Limits, StreamsWithoutFrames) {
  open();
  const auto peer = dial();
  peer.say("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\n\r\n");
  EXPECT_TRUE(hear(peer, 12).starts_with("SIP/2.0 400 "));
  EXPECT_TRUE(is_closed(peer));
  EXPECT_EQ(hub->counters().closed_malformed.get(), 1U);
  EXPECT_FALSE(inbound->next());
}

TEST_F(Limits, TimeOfAMessage) {
  options.message_timeout = 300ms;
  options.idle_timeout = 1h;
  open();
  const auto slow = dial(), quick = dial();
  slow.say("OPTIONS ");
  quick.say(sip_message("quick"));
  EXPECT_TRUE(take());
  EXPECT_TRUE(is_closed(slow));
  EXPECT_EQ(hub->counters().closed_slow_sender.get(), 1U);
  EXPECT_TRUE(quick.hear().has_value());
}

TEST_F(Limits, IdleTime) {
  options.idle_timeout = 300ms;
  open();
  const auto peer = dial();
  EXPECT_TRUE(is_closed(peer));
  EXPECT_EQ(hub->counters().closed_idle.get(), 1U);
}

TEST_F(Limits, AWebSocketThatGivesNoSignOfLife) {
  options.ping_interval = 300ms;
  options.pong_timeout = 300ms;
  open(Transport::Ws);
  const auto peer = dial();
  peer.say(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n");
  ASSERT_TRUE(hear(peer, 100).starts_with("HTTP/1.1 101"));
  const std::string ping("\x89\x00", 2), pong("\x8a\x80\0\0\0\0", 6);
  EXPECT_EQ(hear(peer, 2), ping);
  peer.say(pong);
  EXPECT_EQ(hear(peer, 2), ping) << "it lives";
  EXPECT_TRUE(is_closed(peer));
  EXPECT_EQ(hub->counters().closed_no_pong.get(), 1U);
  EXPECT_EQ(hub->counters().pings_sent.get(), 2U);
}

TEST_F(Limits, APeerThatNeverReads) {
  options.queue_bytes_max = 200'000;
  open(Transport::Tcp, 1 << 20);
  const auto deaf = dial(), other = dial();
  deaf.say(sip_message("deaf"));
  const auto to_deaf = take()->connection;
  other.say(sip_message("other"));
  const auto to_other = take()->connection;
  const std::string large(60'000, 'x');
  int sent = 0;
  while (hub->counters().closed_queue_full.get() == 0 && ++sent < 1000) {
    send(message(large, deaf.address(), to_deaf));
    hub->turn({});
    (void)inbound->next();
    inbound->release();
  }
  EXPECT_EQ(hub->counters().closed_queue_full.get(), 1U);
  send(message("for the other", other.address(), to_other));
  EXPECT_EQ(hear(other, 13), "for the other");
}

TEST_F(Limits, TimeThatAPeerTakesNothing) {
  options.write_timeout = 300ms;
  options.queue_bytes_max = 64 << 20;
  open(Transport::Tcp, 1 << 20);
  const auto deaf = dial();
  deaf.say(sip_message("deaf"));
  const auto connection = take()->connection;
  const std::string large(60'000, 'x');
  for (int i = 0; i < 200; ++i) {
    send(message(large, deaf.address(), connection));
    hub->turn({});
  }
  EXPECT_TRUE(until([&] { return hub->counters().closed_slow_reader.get() == 1; }));
}

TEST_F(Limits, BuffersOfAll) {
  options.buffers_max = 100'000;
  open();
  std::vector<PeerSocket> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(dial());
    peers.back().say("OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + std::string(30'000, 'x'));
    for (int turn = 0; turn < 5; ++turn) hub->turn(1ms);
  }
  EXPECT_TRUE(until([&] { return hub->counters().closed_buffers_full.get() >= 1; }));
  EXPECT_LE(hub->counters().buffered_bytes.get(), 100'000U);
}

TEST_F(Limits, MessagesOfASource) {
  options.messages_per_second_max = 10;
  open();
  const auto peer = dial();
  for (int i = 0; i < 15; ++i) peer.say(sip_message(std::to_string(i)));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 15; ++i) EXPECT_EQ(take()->bytes, sip_message(std::to_string(i))) << "later, but each and in order";
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));
  EXPECT_GE(hub->counters().throttled.get(), 1U);
}

}  // namespace
}  // namespace perdure::edge

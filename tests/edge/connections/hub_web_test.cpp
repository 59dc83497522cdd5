// WebSocket and the PROXY protocol, as the hub speaks them.
#include "edge/connections/hub_fixture.hpp"

namespace perdure::edge {
namespace {

const std::string upgrade_request =
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n";

// A short text of a client; the mask is zero, so that the bytes stay as they are.
std::string frame(std::string_view payload, char first = '\x81') {
  std::string text(1, first);
  if (payload.size() < 126) {
    text += static_cast<char>(0x80 | payload.size());
  } else {
    text += static_cast<char>(0x80 | 126);
    text += static_cast<char>(payload.size() >> 8);
    text += static_cast<char>(payload.size());
  }
  return text.append(4, '\0').append(payload);
}

class HubWeb : public HubTest {
 protected:
  PeerSocket browser() {
    PeerSocket peer = dial();
    peer.say(upgrade_request);
    const std::string answer = hear(peer, 20);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
    return peer;
  }
};

TEST_F(HubWeb, MovesMessagesBothWays) {
  open(Transport::Ws);
  const auto peer = browser();
  peer.say(frame(sip_message("one", "body")));
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, sip_message("one", "body"));
  send(message("an answer", peer.address(), entry->connection));
  EXPECT_EQ(hear(peer, 11),
            "\x81\x09"
            "an answer");
}

TEST_F(HubWeb, TakesFramesThatCameWithTheUpgrade) {
  open(Transport::Ws);
  const auto peer = dial();
  peer.say(upgrade_request + frame(sip_message("at once")));
  EXPECT_EQ(take()->bytes, sip_message("at once"));
}

TEST_F(HubWeb, AnswersKeepAlives) {
  open(Transport::Ws);
  const auto peer = browser();
  peer.say(frame("ping", '\x89'));
  EXPECT_EQ(hear(peer, 6), std::string("\x8A\x04ping"));
  peer.say(frame("\r\n\r\n"));
  EXPECT_EQ(hear(peer, 4), "\x81\x02\r\n");
}

TEST_F(HubWeb, GivesBackWhatABrowserThatIsGoneWasToGet) {
  open(Transport::Ws);
  SocketAddress from;
  std::uint64_t connection = 0;
  {
    const auto peer = browser();
    peer.say(frame(sip_message("one")));
    connection = take()->connection;
    from = peer.address();
  }
  ASSERT_TRUE(until([&] { return hub->counters().closed_by_peer.get() == 1; }));
  send(message("too late", from, connection));
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, EntryKind::Undelivered);
  EXPECT_EQ(entry->bytes, "too late");
  EXPECT_EQ(hub->counters().connected.get(), 0U) << "nobody can connect to a browser";
}

TEST_F(HubWeb, EndsWhatIsNoWebSocket) {
  options.message_bytes_max = 64 << 20;  // time ends it, not size
  options.message_timeout = 300ms;
  open(Transport::Ws);
  const auto stranger = dial();
  stranger.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(hear(stranger, 12).starts_with("HTTP/1.1 426"));
  EXPECT_TRUE(is_closed(stranger));
  const auto garbage = browser();
  garbage.say("\xFF\xFF\xFF\xFF\xFF");
  EXPECT_TRUE(is_closed(garbage));
  EXPECT_EQ(hub->counters().closed_malformed.get(), 1U);
  // Fragment after fragment, and never the last.
  const auto endless = browser();
  endless.say(frame("OPTIONS ", '\x01'));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (hub->counters().closed_slow_sender.get() == 0 && std::chrono::steady_clock::now() < end) {
    (void)::send(endless.descriptor(), frame("x", '\x00').data(), 7, MSG_NOSIGNAL);
    hub->turn(20ms);
  }
  EXPECT_EQ(hub->counters().closed_slow_sender.get(), 1U);
}

TEST_F(HubTest, ALoadBalancerSaysWhomAConnectionIsFrom) {
  options.listeners.clear();
  options.connections_per_source_max = 1;
  options.listeners.push_back({.transport = Transport::Tcp, .address = *SocketAddress::parse("127.0.0.1", 0), .proxy_protocol = true});
  rings = std::move(*RingRegion::create(1, 256 * 1024));
  hub = std::make_unique<Hub>(options, *rings, 1);
  ASSERT_TRUE(hub->open());
  inbound.emplace(rings->inbound(0));
  outbound.emplace(rings->outbound(0));
  const auto peer = dial();
  const std::string text = "PROXY TCP4 192.0.2.1 198.51.100.1 5070 5060\r\n" + sip_message("one");
  for (const char byte : text) {
    peer.say({&byte, 1});
    hub->turn({});
  }
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, sip_message("one"));
  EXPECT_EQ(entry->address.text(), "192.0.2.1:5070");
  const auto same = dial(), other = dial(), none = dial();
  same.say("PROXY TCP4 192.0.2.1 198.51.100.1 5071 5060\r\n");
  EXPECT_TRUE(is_closed(same)) << "limits hold for whom it is from";
  other.say("PROXY TCP4 192.0.2.2 198.51.100.1 5071 5060\r\n" + sip_message("two"));
  EXPECT_EQ(take()->address.text(), "192.0.2.2:5071");
  none.say(sip_message("three"));
  EXPECT_TRUE(is_closed(none));
  EXPECT_EQ(hub->counters().closed_proxy_header.get(), 1U);
}

}  // namespace
}  // namespace perdure::edge

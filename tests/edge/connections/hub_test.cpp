#include "edge/connections/hub.hpp"

#include "edge/connections/hub_fixture.hpp"

namespace perdure::edge {
namespace {

TEST_F(HubTest, MovesMessagesBothWays) {
  open();
  const auto peer = dial();
  const std::string request = sip_message("one", "a body");
  peer.say(request);
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, request);
  EXPECT_EQ(entry->kind, EntryKind::Message);
  EXPECT_EQ(entry->address, peer.address());
  EXPECT_EQ(entry->connection >> 32, 0xABCDU);
  send(message("an answer", peer.address(), entry->connection));
  EXPECT_EQ(hear(peer, 9), "an answer");
  EXPECT_EQ(hub->counters().messages_received.get(), 1U);
  EXPECT_EQ(hub->counters().messages_sent.get(), 1U);
}

TEST_F(HubTest, WritesWhatIsForOnePeerInOnePieceAndCountsEach) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto entry = take();
  const std::string large(40'000, 'x');
  std::string all;
  for (const std::string& text : {std::string("first"), large, std::string("third"), std::string("fourth")}) {
    ASSERT_TRUE(outbound->append(message(text, peer.address(), entry->connection)));
    all += text;
  }
  outbound->publish();
  EXPECT_EQ(hear(peer, all.size()), all);
  EXPECT_EQ(hub->counters().messages_sent.get(), 4U);
  EXPECT_EQ(hub->counters().bytes_sent.get(), all.size());
  EXPECT_EQ(hub->counters().buffered_bytes.get(), 0U);
  metrics::Distribution waits;
  hub->ring_outbound().add_to(waits);
  EXPECT_EQ(waits.count(), 4U);
}

TEST_F(HubTest, FramesWhatComesInPieces) {
  open();
  const auto peer = dial();
  const std::string stream = sip_message("one", "body") + "\r\n\r\n" + sip_message("two") + sip_message("three", std::string(3000, 'x'));
  for (std::size_t at = 0; at < stream.size(); at += 7) {
    peer.say(std::string_view(stream).substr(at, 7));
    hub->turn({});
  }
  EXPECT_EQ(take()->bytes, sip_message("one", "body"));
  EXPECT_EQ(take()->bytes, sip_message("two"));
  EXPECT_EQ(take()->bytes, sip_message("three", std::string(3000, 'x')));
  EXPECT_EQ(hear(peer, 2), "\r\n") << "RFC 5626 3.5.1: the pong";
  EXPECT_EQ(hub->counters().buffered_bytes.get(), 0U);
}

TEST_F(HubTest, SendsByTheConnectionOfThatAddressWhenTheNamedOneIsGone) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  ASSERT_TRUE(take());
  send(message("by address", peer.address(), 12345));
  EXPECT_EQ(hear(peer, 10), "by address");
}

TEST_F(HubTest, APeerIsFoundByThePortThatTheScriptNames) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto first = take();
  ASSERT_TRUE(first);
  const auto to_port = [&](std::uint16_t port, const char* host = "127.0.0.1") {
    Entry entry = message("by alias", *SocketAddress::parse(host, port));
    entry.may_connect = false;
    send(entry);
    std::string heard;
    std::optional<Entry> back;
    EXPECT_TRUE(until([&] {
      heard += peer.hear().value_or("");
      back = inbound->next();
      inbound->release();
      return !heard.empty() || back;
    }));
    return heard == "by alias";
  };
  EXPECT_FALSE(to_port(5060));
  Entry alias{.kind = EntryKind::Alias, .connection = first->connection, .address = *SocketAddress::parse("192.0.2.1", 5060), .bytes = {}};
  send(alias);
  send(alias);
  EXPECT_TRUE(to_port(5060));
  EXPECT_FALSE(to_port(5061));
  EXPECT_FALSE(to_port(5060, "192.0.2.1")) << "the alias is a port of the peer, whatever the ring says";
  EXPECT_EQ(hub->counters().aliases.get(), 1U);
  for (std::uint16_t port = 1; port <= 40; ++port) {
    alias.address.port = port;
    send(alias);
  }
  EXPECT_TRUE(to_port(15));
  EXPECT_FALSE(to_port(16)) << "16 of one connection";
  alias.connection = 4711;
  send(alias);
  EXPECT_FALSE(to_port(40)) << "a connection that is not there";
}

TEST_F(HubTest, ConnectsOnceToAnAddress) {
  open();
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage native{};
  auto length = static_cast<socklen_t>(SocketAddress::parse("127.0.0.1", 0)->to_native(native));
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&native), length), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&native), &length), 0);
  const SocketAddress target = SocketAddress::from_native(native);
  send(message("first ", target));
  send(message("second", target));
  ASSERT_TRUE(until([&] { return hub->counters().messages_sent.get() == 2; }));
  const PeerSocket peer(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_EQ(hear(peer, 12), "first second");
  peer.say(sip_message("from the callee"));
  const auto entry = take();
  EXPECT_EQ(entry->bytes, sip_message("from the callee"));
  EXPECT_EQ(entry->address, target);
  EXPECT_EQ(hub->counters().connected.get(), 1U);
  close(listener);
}

// RFC 5626 3.5.1: whoever has opened the connection asks.
TEST_F(HubTest, AsksForASignOfLifeWhereItHasConnectedItself) {
  options.ping_interval = 300ms;
  options.pong_timeout = 300ms;
  open();
  const auto inbound_peer = dial();
  inbound_peer.say(sip_message("one"));
  ASSERT_TRUE(take());
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage native{};
  auto length = static_cast<socklen_t>(SocketAddress::parse("127.0.0.1", 0)->to_native(native));
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&native), length), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&native), &length), 0);
  send(message("out", SocketAddress::from_native(native)));
  ASSERT_TRUE(until([&] { return hub->counters().messages_sent.get() == 1; }));
  const PeerSocket peer(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  close(listener);
  EXPECT_EQ(hear(peer, 7), "out\r\n\r\n");
  EXPECT_EQ(hear(peer, 4), "\r\n\r\n") << "a peer that does not know RFC 5626 may be silent";
  peer.say("\r\n");
  EXPECT_EQ(hear(peer, 4), "\r\n\r\n");
  EXPECT_TRUE(is_closed(peer)) << "one that has answered must go on to do so";
  EXPECT_EQ(hub->counters().closed_no_pong.get(), 1U);
  EXPECT_EQ(inbound_peer.hear(), "");
}

TEST_F(HubTest, TellsWhatCouldNotBeDelivered) {
  open();
  const SocketAddress nobody = [] {
    const int unused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage native{};
    auto length = static_cast<socklen_t>(SocketAddress::parse("127.0.0.1", 0)->to_native(native));
    EXPECT_EQ(bind(unused, reinterpret_cast<sockaddr*>(&native), length), 0);
    EXPECT_EQ(getsockname(unused, reinterpret_cast<sockaddr*>(&native), &length), 0);
    close(unused);
    return SocketAddress::from_native(native);
  }();
  send(message("nobody listens", nobody, 77));
  auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, EntryKind::Undelivered);
  EXPECT_EQ(entry->bytes, "nobody listens");
  EXPECT_EQ(entry->address, nobody);
  EXPECT_EQ(entry->connection, 77U);
  // It is not tried again at once.
  send(message("still nobody", nobody));
  entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, EntryKind::Undelivered);
  EXPECT_EQ(hub->counters().connect_refused.get(), 1U);
}

TEST_F(HubTest, AMessageMaySayThatNoConnectionIsToBeMadeForIt) {
  open();
  const PeerSocket peer = dial();
  peer.say(sip_message("one"));
  const auto first = take();
  ASSERT_TRUE(first);
  Entry entry = message("known", peer.address());
  entry.may_connect = false;
  send(entry);
  EXPECT_EQ(hear(peer, 5), "known");
  entry.address = address();  // would be accepted
  send(entry);
  const auto back = take();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, EntryKind::Undelivered);
  EXPECT_EQ(hub->counters().connected.get(), 0U);
}

TEST_F(HubTest, AMessageMaySayThatItsConnectionEndsWithIt) {
  open();
  const PeerSocket peer = dial();
  peer.say(sip_message("one"));
  const auto first = take();
  ASSERT_TRUE(first);
  Entry entry = message("last", peer.address(), first->connection);
  entry.closes = true;
  send(message("first ", peer.address(), first->connection));
  send(entry);
  EXPECT_EQ(hear(peer, 10), "first last");
  EXPECT_TRUE(is_closed(peer));
}

TEST_F(HubTest, WhatWaitsForAPeerThatGoesComesBack) {
  options.queue_bytes_max = 64 << 20;
  open(Transport::Tcp, 1 << 20);
  std::uint64_t connection = 0;
  SocketAddress from;
  {
    const auto peer = dial();
    peer.say(sip_message("one"));
    connection = take()->connection;
    from = peer.address();
    // More than the kernel takes from a peer that does not read.
    const std::string large(60'000, 'x');
    for (int i = 0; i < 200; ++i) {
      while (!outbound->append(message(large, from, connection))) hub->turn({});
      outbound->publish();
      hub->turn({});
    }
  }
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->kind, EntryKind::Undelivered);
  EXPECT_EQ(entry->bytes.size(), 60'000U);
  EXPECT_GT(hub->counters().undelivered.get(), 10U);
}

TEST_F(HubTest, DoesNotReadOnWhileTheWorkersRingIsFull) {
  open(Transport::Tcp, 256 * 1024);
  const auto peer = dial();
  const std::string large = sip_message("large", std::string(40'000, 'x'));
  std::size_t sent = 0;
  for (int turn = 0; turn < 400; ++turn) {
    if (::send(peer.descriptor(), large.data(), large.size(), MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(large.size())) break;
    ++sent;
    hub->turn({});
  }
  ASSERT_LT(sent, 400U) << "the kernel's buffers have an end";
  EXPECT_EQ(hub->counters().stalled.get(), 1U);
  EXPECT_LT(hub->counters().buffered_bytes.get(), 200'000U);
  // Nothing is lost.
  for (std::size_t i = 0; i < sent; ++i) {
    const auto entry = take();
    ASSERT_TRUE(entry) << i;
    ASSERT_EQ(entry->bytes, large) << i;
  }
}

TEST_F(HubTest, AnEngineThatCannotKnowSendsAgainAndThePeerDoesNotNotice) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto connection = take()->connection;
  Entry entry = message("once", peer.address(), connection);
  send(entry);
  EXPECT_EQ(hear(peer, 4), "once");
  entry.again = true;
  send(entry);
  entry.bytes = "new";
  send(entry);
  EXPECT_EQ(hear(peer, 3), "new");
  EXPECT_EQ(hub->counters().duplicates_suppressed.get(), 1U);
}

TEST_F(HubTest, DamagedRingsHarmNobody) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto connection = take()->connection;
  ASSERT_TRUE(outbound->append(message("damaged", peer.address(), connection)));
  reinterpret_cast<EntryHeader*>(rings->outbound(0).data)->size = 1;
  outbound->publish();
  ASSERT_TRUE(until([&] { return hub->counters().ring_damaged.get() == 1; }));
  send(message("sound", peer.address(), connection));
  EXPECT_EQ(hear(peer, 5), "sound");
}

TEST_F(HubTest, WhatIsQueuedLeavesBeforeTheEnd) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto connection = take()->connection;
  send(message("the last word", peer.address(), connection));
  hub->end();
  ASSERT_TRUE(until([&] { return hub->has_ended(); }));
  EXPECT_EQ(hear(peer, 13), "the last word");
}

}  // namespace
}  // namespace perdure::edge

// Connections that go from hub to hub, as from process to process.
#include <sys/socket.h>

#include <csignal>
#include <filesystem>

#include "edge/connections/certificates.hpp"
#include "edge/connections/handed_connections.hpp"
#include "edge/connections/hub_fixture.hpp"
#include "edge/connections/relay.hpp"

namespace perdure::edge {
namespace {

class HandOverTest : public HubTest {
 protected:
  // As bytes, like between processes.
  void change_hub() {
    hub->pause();
    hub->turn({});
    HandedConnections given = hub->give_away(relay);
    const auto bytes = given.to_bytes();
    auto moved = HandedConnections::from_bytes(bytes, std::exchange(given.descriptors, {}));
    ASSERT_TRUE(moved) << moved.error().message;
    std::vector<int> listeners;
    for (const int descriptor : hub->listener_descriptors()) listeners.push_back(dup(descriptor));
    hub = std::make_unique<Hub>(options, *rings, 0xBCDE);
    ASSERT_TRUE(hub->adopt(listeners));
    hub->take(std::move(*moved));
  }

  void open_tls() {
    (void)std::signal(SIGPIPE, SIG_IGN);  // as processes of the server do
    const auto folder = std::filesystem::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder);
    const auto files = Certificate("server.example", "DNS:server.example").write(folder, "server");
    options.tls.certificates = {files.certificate};
    options.tls.private_keys = {files.key};
    options.tls.verify_server = TlsOptions::Verify::Off;
    open(Transport::Tls);
  }
  // A client, before its handshake; it waits a moment where it cannot go on.
  [[nodiscard]] std::unique_ptr<Stream> dial_tls() const {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage native{};
    const auto length = static_cast<socklen_t>(address().to_native(native));
    EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&native), length), 0);
    const timeval patience{0, 1000};
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return (*TlsContext::load(options.tls))->connect(descriptor, "server.example");
  }

  Relay relay;
};

TEST_F(HandOverTest, AConnectionKeepsItsIdItsHalfMessageAndItsAddress) {
  open();
  const auto peer = dial();
  const std::string first = sip_message("one"), second = sip_message("two", std::string(3000, 'x'));
  peer.say(first + second.substr(0, 1700));
  const auto before = take();
  ASSERT_TRUE(before);
  const auto id = before->connection;
  ASSERT_TRUE(until([&] { return hub->counters().buffered_bytes.get() == 1700; }));
  change_hub();
  EXPECT_EQ(hub->counters().buffered_bytes.get(), 1700U);
  peer.say(second.substr(1700));
  const auto after = take();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->bytes, second);
  EXPECT_EQ(after->connection, id);
  EXPECT_EQ(after->address, peer.address());
  send(message("by its id", peer.address(), id));
  send(message(", by its address", peer.address()));
  EXPECT_EQ(hear(peer, 25), "by its id, by its address");
  const auto fresh = dial();
  fresh.say(first);
  const auto other = take();
  ASSERT_TRUE(other);
  EXPECT_EQ(other->connection >> 32, 0xBCDEU) << "ids of the new hub differ from those of the old one";
}

TEST_F(HandOverTest, WhatAPeerHasNotTakenYetFollows) {
  open(Transport::Tcp, 1 << 20);
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto id = take()->connection;
  const std::string large(60'000, 'x');
  std::size_t bytes = 0;
  for (int i = 0; i < 12; ++i, bytes += large.size()) send(message(large, peer.address(), id));
  for (int i = 0; i < 100; ++i) {
    while (outbound->append(message(large, peer.address(), id)) && bytes < (8U << 20)) {
      bytes += large.size();
      outbound->publish();
    }
    hub->turn({});
    if (hub->list(1).front().queued_bytes > 0) break;
  }
  ASSERT_GT(hub->list(1).front().queued_bytes, 0U);
  outbound->publish();
  change_hub();
  ASSERT_GT(hub->list(1).front().queued_bytes, 0U);
  std::size_t heard = 0;
  EXPECT_TRUE(until([&] {
    const auto more = peer.hear();
    heard += more ? more->size() : 0;
    return heard >= bytes;
  })) << heard
      << " of " << bytes;
}

TEST_F(HandOverTest, TheSecondHalfOfAPingIsAnsweredByTheNextHub) {
  open();
  const auto peer = dial();
  peer.say("\r\n");
  ASSERT_TRUE(until([&] { return hub->counters().bytes_received.get() == 2; }));
  change_hub();
  peer.say("\r\n");
  EXPECT_EQ(hear(peer, 2), "\r\n");
}

TEST_F(HandOverTest, WhatHasLeftIsNotSentAgainByTheNextHub) {
  open();
  const auto peer = dial();
  peer.say(sip_message("one"));
  const auto id = take()->connection;
  auto entry = message("once", peer.address(), id);
  send(entry);
  EXPECT_EQ(hear(peer, 4), "once");
  change_hub();
  entry.again = true;
  send(entry);
  send(message("twice", peer.address(), id));
  EXPECT_EQ(hear(peer, 5), "twice");
  EXPECT_EQ(hub->counters().duplicates_suppressed.get(), 1U);
}

TEST_F(HandOverTest, AWebSocketMessageInFragmentsIsPutTogetherByTheNextHub) {
  open(Transport::Ws);
  const auto peer = dial();
  peer.say(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n");
  ASSERT_TRUE(hear(peer, 100).starts_with("HTTP/1.1 101"));
  // A mask of zeros leaves the payload as it is.
  const auto frame = [](char opcode, std::string_view payload) {
    return std::string{opcode, static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0}.append(payload);
  };
  const std::string text = sip_message("one");
  peer.say(frame(0x01, text.substr(0, 60)));
  ASSERT_TRUE(until([&] { return hub->counters().buffered_bytes.get() == 60; }));
  change_hub();
  peer.say(frame(0x00, text.substr(60, 60)) + frame('\x80', text.substr(120)));
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, text);
}

TEST_F(HandOverTest, ATlsSessionGoesOnThroughTheRelay) {
  open_tls();
  const auto peer = dial_tls();
  ASSERT_TRUE(until([&] { return peer->handshake() == IoStatus::Ok; }));
  const std::string text = sip_message("one", std::string(3000, 'x'));
  ASSERT_EQ(peer->write(std::string_view(text).substr(0, 1700)).status, IoStatus::Ok);
  ASSERT_TRUE(until([&] { return hub->counters().buffered_bytes.get() == 1700; }));
  change_hub();
  EXPECT_EQ(hub->counters().relayed.get(), 1U);
  EXPECT_TRUE(hub->list(1).front().security.starts_with("TLSv1.3"));
  ASSERT_EQ(peer->write(std::string_view(text).substr(1700)).status, IoStatus::Ok);
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, text);
  change_hub();  // and on, without this process having a part in it
  EXPECT_EQ(relay.count(), 1U);
  send(message("an answer", entry->address, entry->connection));
  std::string heard(100, '\0');
  ASSERT_TRUE(until([&] {
    const auto [status, bytes] = peer->read(heard);
    if (status == IoStatus::Ok) heard.resize(bytes);
    return status == IoStatus::Ok;
  }));
  EXPECT_EQ(heard, "an answer");
  ASSERT_TRUE(hub->close_connection(entry->connection));
  ASSERT_TRUE(until([&] { return relay.count() == 0; })) << "the relay ends a session that the hub has closed";
  EXPECT_EQ(peer->read(heard).status, IoStatus::Closed) << "the peer hears that the session ends";
}

TEST_F(HandOverTest, APeerThatClosesItsTlsSessionIsGoneForTheHub) {
  open_tls();
  auto peer = dial_tls();
  // Half a handshake: the relay does the rest.
  ASSERT_EQ(peer->handshake(), IoStatus::WantRead);
  ASSERT_TRUE(until([&] { return hub->counters().accepted.get() == 1; }));
  change_hub();
  ASSERT_TRUE(until([&] { return peer->handshake() == IoStatus::Ok; }));
  const std::string text = sip_message("last words");
  ASSERT_EQ(peer->write(text).status, IoStatus::Ok);
  peer->finish();
  peer.reset();
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, text);
  ASSERT_TRUE(until([&] { return hub->list(1).empty() && relay.count() == 0; }));
  EXPECT_EQ(hub->counters().closed_by_peer.get(), 1U);
  EXPECT_EQ(hub->counters().relayed.get(), 0U);
}

TEST(HandedConnections, RefuseWhatIsCutShort) {
  HandedConnections given;
  HandedConnection one;
  one.in = "half a message";
  one.out.push_back(Outgoing::own("\r\n"));
  given.connections.push_back(one);
  given.sent = {{1, 2, 3}};
  const std::string bytes = given.to_bytes();
  const auto with_descriptor = [](std::string_view text) { return HandedConnections::from_bytes(text, {dup(0)}); };
  EXPECT_TRUE(with_descriptor(bytes));
  for (std::size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(with_descriptor(std::string_view(bytes).substr(0, length)));
  EXPECT_FALSE(with_descriptor(bytes + "x"));
  EXPECT_FALSE(HandedConnections::from_bytes(bytes, {})) << "a connection without its descriptor";
}

}  // namespace
}  // namespace perdure::edge

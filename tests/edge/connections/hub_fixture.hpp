#pragma once
// A hub with the rings of one worker, driven turn by turn: the test is the worker and the peers.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/connections/hub.hpp"

namespace perdure::edge {

inline std::string sip_message(std::string_view call_id, std::string_view body = {}, std::string_view method = "OPTIONS") {
  std::string text = std::string(method) +
                     " sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
                     "Call-ID: ";
  text.append(call_id).append("\r\nCSeq: 1 ").append(method).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  return text.append("\r\n\r\n").append(body);
}

// The other end of a connection, non-blocking.
class PeerSocket {
 public:
  explicit PeerSocket(const SocketAddress& to) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage native{};
    const auto length = static_cast<socklen_t>(to.to_native(native));
    EXPECT_EQ(connect(descriptor_, reinterpret_cast<const sockaddr*>(&native), length), 0) << to.text();
    adopt();
  }
  explicit PeerSocket(int descriptor) : descriptor_(descriptor) { adopt(); }
  PeerSocket(PeerSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~PeerSocket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  void say(std::string_view text) const {
    EXPECT_EQ(send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // What has come; nullopt: the connection is closed.
  [[nodiscard]] std::optional<std::string> hear() const {
    std::string text(65536, '\0');
    const ssize_t count = recv(descriptor_, text.data(), text.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return std::nullopt;
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }
  [[nodiscard]] SocketAddress address() const {
    sockaddr_storage native{};
    socklen_t length = sizeof native;
    EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&native), &length), 0);
    return SocketAddress::from_native(native);
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  void adopt() const {
    const int on = 1;
    (void)setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  int descriptor_;
};

class HubTest : public testing::Test {
 protected:
  // Opens the hub with one listener of that transport; more in `options` before.
  void open(Transport transport = Transport::Tcp, std::uint64_t ring_bytes = 256 * 1024) {
    rings = std::move(*RingRegion::create(1, ring_bytes));
    options.listeners.push_back({.transport = transport, .address = *SocketAddress::parse("127.0.0.1", 0)});
    hub = std::make_unique<Hub>(options, *rings, 0xABCD);
    const auto opened = hub->open();
    ASSERT_TRUE(opened) << opened.error().message;
    inbound.emplace(rings->inbound(0));
    outbound.emplace(rings->outbound(0));
  }
  [[nodiscard]] const SocketAddress& address() const { return hub->addresses().front(); }
  [[nodiscard]] PeerSocket dial() const { return PeerSocket(address()); }

  // Turns until `condition`, at most for so many seconds.
  template <class Condition>
  [[nodiscard]] bool until(Condition condition, int seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      hub->turn(1ms);
    }
    return true;
  }
  // The next entry for the worker, released; its bytes are kept.
  std::optional<Entry> take() {
    std::optional<Entry> entry;
    if (!until([&] { return (entry = inbound->next()).has_value(); })) return std::nullopt;
    taken = entry->bytes;
    entry->bytes = taken;
    inbound->release();
    return entry;
  }
  void send(const Entry& entry) {
    ASSERT_TRUE(outbound->append(entry));
    outbound->publish();
  }
  static Entry message(std::string_view bytes, const SocketAddress& to, std::uint64_t connection = 0) {
    Entry entry;
    entry.connection = connection;
    entry.address = to;
    entry.bytes = bytes;
    return entry;
  }
  // What the peer hears, at least that many bytes.
  std::string hear(const PeerSocket& peer, std::size_t bytes) {
    std::string heard;
    EXPECT_TRUE(until([&] {
      const auto more = peer.hear();
      if (more) heard += *more;
      return heard.size() >= bytes || !more;
    })) << heard;
    return heard;
  }
  [[nodiscard]] bool is_closed(const PeerSocket& peer) {
    return until([&] { return !peer.hear().has_value(); });
  }

  ConnectionOptions options;
  std::unique_ptr<RingRegion> rings;
  std::unique_ptr<Hub> hub;
  std::optional<RingConsumer> inbound;
  std::optional<RingProducer> outbound;
  std::string taken;
};

}  // namespace perdure::edge

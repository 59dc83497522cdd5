#pragma once
// Callers and gateways on real sockets of the loopback interface, as blocking as a test can bear.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"
#include "net/udp_socket.hpp"

namespace perdure::engine {

inline constexpr std::chrono::seconds patience{20};  // for what must come; only a failing test waits that long

inline SocketAddress loopback(std::uint16_t port) {
  return *SocketAddress::parse("127.0.0.1", port);
}

struct Packet {
  std::string text;
  SocketAddress from;
};

// One UDP socket on a free port.
class Endpoint {
 public:
  Endpoint() : descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    // Without SO_REUSEPORT: with it the kernel may choose a port that another test has.
    sockaddr_storage native{};
    const auto length = static_cast<socklen_t>(loopback(0).to_native(native));
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&native), length), 0);
    const int bytes = 4 << 20;
    if (setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
      (void)setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    address_ = net::local_address(descriptor_);
  }
  Endpoint(Endpoint&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), address_(other.address_) {}
  Endpoint& operator=(Endpoint&&) = delete;
  ~Endpoint() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] std::string text() const { return address_.text(); }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void send(std::string_view bytes, const SocketAddress& to) const {
    sockaddr_storage native{};
    const auto length = static_cast<socklen_t>(to.to_native(native));
    EXPECT_EQ(sendto(descriptor_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&native), length),
              static_cast<ssize_t>(bytes.size()));
  }
  // What is there now.
  [[nodiscard]] std::optional<Packet> take() const {
    std::string buffer(65536, '\0');
    sockaddr_storage native{};
    socklen_t length = sizeof native;
    const auto size = recvfrom(descriptor_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&native), &length);
    if (size < 0) return std::nullopt;
    buffer.resize(static_cast<std::size_t>(size));
    return Packet{std::move(buffer), SocketAddress::from_native(native)};
  }
  // The next datagram that begins with `start`; others are passed over. Fails the test if none comes.
  [[nodiscard]] Packet expect(std::string_view start) const {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
      pollfd waiting{descriptor_, POLLIN, 0};
      (void)poll(&waiting, 1, 100);
      while (auto packet = take())
        if (packet->text.starts_with(start)) return *packet;
    }
    ADD_FAILURE() << "nothing that begins with " << start << " came to " << text();
    return {};
  }

 private:
  int descriptor_;
  SocketAddress address_;
};

// Every line of `message` that begins with one of the names, in order, with its line end.
inline std::string lines_of(std::string_view message, std::initializer_list<std::string_view> names) {
  std::string found;
  std::size_t begin = message.find("\r\n") + 2;
  while (begin < message.size()) {
    const std::size_t end = message.find("\r\n", begin) + 2;
    const std::string_view line = message.substr(begin, end - begin);
    if (line.size() == 2) break;
    for (const auto name : names)
      if (line.starts_with(name) && line.substr(name.size()).starts_with(":")) found += line;
    begin = end;
  }
  return found;
}
// The value of the first header line of that name; empty if there is none.
inline std::string value_of(std::string_view message, std::string_view name) {
  const std::string line = lines_of(message, {name});
  if (line.empty()) return {};
  const std::size_t begin = name.size() + 2;
  return line.substr(begin, line.find("\r\n") - begin);
}
inline int status_of(std::string_view message) {
  return message.starts_with("SIP/2.0 ") ? std::stoi(std::string(message.substr(8, 3))) : 0;
}
inline std::string branch_of(std::string_view message) {
  const std::string via = value_of(message, "Via");
  const std::size_t begin = via.find("branch=");
  return begin == std::string::npos ? std::string() : via.substr(begin, via.find_first_of(";,", begin) - begin);
}

// A request of `caller`. In a dialog `to_tag` and `route` are those of the 2xx.
inline std::string request(std::string_view method, const std::string& uri, const Endpoint& caller, const std::string& call_id,
                           std::string_view to_tag = {}, const std::string& route = {}) {
  std::string text(method);
  text += " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + caller.text() + ";branch=z9hG4bK-" + call_id + "-" + std::string(method) +
          "\r\nMax-Forwards: 70\r\n";
  if (!route.empty()) text += "Route: " + route + "\r\n";
  text += "From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>";
  if (!to_tag.empty()) text += ";tag=" + std::string(to_tag);
  const bool invite_or_ack = method == "INVITE" || method == "ACK" || method == "CANCEL";
  text += "\r\nCall-ID: " + call_id + "\r\nCSeq: " + (invite_or_ack ? "1 " : "2 ") + std::string(method) + "\r\nContact: <sip:alice@" +
          caller.text() + ">\r\nContent-Length: 0\r\n\r\n";
  return text;
}

// What `gateway` answers to a request that came from the proxy.
inline std::string response(std::string_view to, int status, const Endpoint& gateway) {
  std::string text = "SIP/2.0 " + std::to_string(status) + " Reason\r\n" + lines_of(to, {"Via", "Record-Route", "From", "Call-ID", "CSeq"});
  text += "To: " + value_of(to, "To");
  if (text.find(";tag=g", text.rfind("To: ")) == std::string::npos) text += ";tag=g";
  return text + "\r\nContact: <sip:bob@" + gateway.text() + ">\r\nContent-Length: 0\r\n\r\n";
}

}  // namespace perdure::engine

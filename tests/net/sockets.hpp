#pragma once
// Plain sockets on loopback for tests.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/socket_address.hpp"

namespace perdure::test {

// Owns a descriptor.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

inline SocketAddress loopback(std::uint16_t port) {
  return *SocketAddress::parse("127.0.0.1", port);
}

inline SocketAddress address_of(const Socket& socket) {
  sockaddr_storage native{};
  socklen_t length = sizeof native;
  EXPECT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&native), &length), 0);
  return SocketAddress::from_native(native);
}

// The address with the port that the kernel chose.
inline SocketAddress bind_to(const Socket& socket, const SocketAddress& address) {
  sockaddr_storage native{};
  const auto length = static_cast<socklen_t>(address.to_native(native));
  EXPECT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&native), length), 0);
  return address_of(socket);
}

inline Socket bound_udp() {
  Socket socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  (void)bind_to(socket, loopback(0));
  return socket;
}

inline void connect_to(const Socket& socket, const SocketAddress& address) {
  sockaddr_storage native{};
  const auto length = static_cast<socklen_t>(address.to_native(native));
  EXPECT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&native), length), 0);
}

// An address on which nobody listens.
inline SocketAddress dead_address() {
  return address_of(bound_udp());
}

// Waits for readable, 5 s at most.
inline bool wait_readable(int descriptor, int timeout_ms = 5000) {
  pollfd waiting{descriptor, POLLIN, 0};
  return poll(&waiting, 1, timeout_ms) > 0;
}

// The next datagram; nullopt if none comes for 5 s.
inline std::optional<std::string> receive(const Socket& socket) {
  if (!wait_readable(socket.get())) return std::nullopt;
  std::array<char, 65536> buffer;
  const auto count = recv(socket.get(), buffer.data(), buffer.size(), 0);
  if (count < 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(count));
}

inline void send_to(const SocketAddress& address, std::string_view bytes, const Socket& from) {
  sockaddr_storage native{};
  const auto length = static_cast<socklen_t>(address.to_native(native));
  EXPECT_EQ(sendto(from.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&native), length),
            static_cast<ssize_t>(bytes.size()));
}

}  // namespace perdure::test

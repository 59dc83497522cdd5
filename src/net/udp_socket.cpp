#include "net/udp_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace perdure::net {
namespace {

// Closes on every way out but one.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

void set_buffer(int descriptor, int option, int forced_option, std::uint64_t bytes) {
  const int size = static_cast<int>(std::min<std::uint64_t>(bytes, 1U << 30));
  // The forced one needs CAP_NET_ADMIN, the other is cut at net.core.rmem_max.
  if (setsockopt(descriptor, SOL_SOCKET, forced_option, &size, sizeof size) != 0)
    (void)setsockopt(descriptor, SOL_SOCKET, option, &size, sizeof size);
}

int new_socket(const SocketAddress& address) {
  const int family = address.family == Family::IPv6 ? AF_INET6 : AF_INET;
  const int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (descriptor >= 0 && family == AF_INET6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return descriptor;
}

Error bind_error(const SocketAddress& address) {
  if (errno == EADDRINUSE) return {fmt::format("udp:{} is already in use", address.text())};
  return {fmt::format("udp:{} cannot be listened on: {}", address.text(), std::strerror(errno))};
}

}  // namespace

Result<int> open_udp_socket(const SocketAddress& address, std::uint64_t receive_buffer_bytes, bool first) {
  sockaddr_storage native{};
  const auto length = static_cast<socklen_t>(address.to_native(native));
  if (first) {
    const Descriptor probe(new_socket(address));
    if (probe.get() < 0 || bind(probe.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0)
      return std::unexpected(bind_error(address));
    // With port 0 the choice made for the probe: one made for a socket with SO_REUSEPORT can be a port that others share already.
    socklen_t size = sizeof native;
    (void)getsockname(probe.get(), reinterpret_cast<sockaddr*>(&native), &size);
  }
  Descriptor descriptor(new_socket(address));
  if (descriptor.get() < 0) return std::unexpected(bind_error(address));
  prepare_udp_socket(descriptor.get(), receive_buffer_bytes);
  if (bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0) return std::unexpected(bind_error(address));
  return descriptor.release();
}

bool is_udp_socket(int descriptor) {
  int type = 0, protocol = 0;
  socklen_t type_length = sizeof type, protocol_length = sizeof protocol;
  return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_length) == 0 && type == SOCK_DGRAM &&
         getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_length) == 0 && protocol == IPPROTO_UDP &&
         local_address(descriptor).port != 0;
}

void prepare_udp_socket(int descriptor, std::uint64_t receive_buffer_bytes) {
  const int on = 1;
  (void)fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  set_buffer(descriptor, SO_RCVBUF, SO_RCVBUFFORCE, receive_buffer_bytes);
  set_buffer(descriptor, SO_SNDBUF, SO_SNDBUFFORCE, receive_buffer_bytes);
}

SocketAddress local_address(int descriptor) {
  sockaddr_storage native{};
  socklen_t length = sizeof native;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&native), &length) != 0) return {};
  return SocketAddress::from_native(native);
}

}  // namespace perdure::net

#include "net/tcp_socket.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perdure::net {
namespace {

constexpr int backlog = 4096;  // the kernel cuts it at net.core.somaxconn

int new_socket(const SocketAddress& address) {
  const int family = address.family == Family::IPv6 ? AF_INET6 : AF_INET;
  const int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (descriptor >= 0 && family == AF_INET6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return descriptor;
}

}  // namespace

Result<int> open_tcp_listener(const SocketAddress& address, std::string_view name) {
  sockaddr_storage native{};
  const auto length = static_cast<socklen_t>(address.to_native(native));
  const int descriptor = new_socket(address);
  const int on = 1;
  // Connections of a server that has ended a moment ago do not keep the next one from listening.
  if (descriptor >= 0) (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (descriptor >= 0 && bind(descriptor, reinterpret_cast<const sockaddr*>(&native), length) == 0 && listen(descriptor, backlog) == 0)
    return descriptor;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (error == EADDRINUSE) return fail(fmt::format("{}:{} is already in use", name, address.text()));
  return fail(fmt::format("{}:{} cannot be listened on: {}", name, address.text(), std::strerror(error)));
}

Result<int> begin_tcp_connect(const SocketAddress& to, const SocketAddress& from) {
  const int descriptor = new_socket(to);
  sockaddr_storage native{};
  bool good = descriptor >= 0;
  if (good && from.is_unicast() && from.family == to.family) {
    SocketAddress any_port = from;
    any_port.port = 0;
    const auto length = static_cast<socklen_t>(any_port.to_native(native));
    const int on = 1;
    (void)setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    good = bind(descriptor, reinterpret_cast<const sockaddr*>(&native), length) == 0;
  }
  if (good) {
    const auto length = static_cast<socklen_t>(to.to_native(native));
    good = connect(descriptor, reinterpret_cast<const sockaddr*>(&native), length) == 0 || errno == EINPROGRESS;
  }
  if (good) return descriptor;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  return fail(fmt::format("cannot connect to {}: {}", to.text(), std::strerror(error)));
}

void prepare_tcp_connection(int descriptor) {
  const int on = 1;
  (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace perdure::net

#pragma once
// UDP sockets as the edge opens them and the engine reads and writes them.
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "base/socket_address.hpp"

namespace perdure::net {

// A non-blocking socket bound to `address`, with SO_REUSEPORT so that every worker has one of its own; IPv6 sockets take IPv6 only.
// `first`: of its address: a bind without SO_REUSEPORT is tried before, so that an address that another program uses is an error. Port 0:
// the kernel chooses, local_address() tells. The caller closes the descriptor; it is close-on-exec.
[[nodiscard]] Result<int> open_udp_socket(const SocketAddress& address, std::uint64_t receive_buffer_bytes, bool first);
[[nodiscard]] SocketAddress local_address(int descriptor);

struct Datagram {
  std::string_view bytes;
  SocketAddress destination;
};

struct SendCounts {
  std::uint64_t sent = 0, failed = 0, calls = 0;
};

// Sends all in order by sendmmsg. A full socket buffer is waited for, 10 ms at most; a datagram that the kernel refuses is counted and
// skipped: to the protocol it is lost.
[[nodiscard]] SendCounts send_datagrams(int descriptor, std::span<const Datagram> datagrams);

}  // namespace perdure::net

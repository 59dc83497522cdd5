#pragma once
// Many datagrams in one system call.
#include <cstdint>
#include <span>
#include <string_view>

#include "base/socket_address.hpp"
#include "base/time.hpp"

namespace perdure::net {

struct Datagram {
  std::string_view bytes;
  SocketAddress destination;  // Family::None: the peer of a connected socket
};

struct SendCounts {
  std::uint64_t sent = 0, failed = 0, calls = 0;
};

// How long one call of send_datagrams() waits for a full socket buffer, in sum.
inline constexpr Duration send_wait_max = 10ms;

// Sends all in order by sendmmsg from a non-blocking UDP socket; each one is either sent or failed. While the socket's buffer is full it
// waits, send_wait_max in sum; what does not fit after that fails, as does what the kernel refuses (too long, no route, firewall). To the
// protocol a failed datagram is a lost one.
[[nodiscard]] SendCounts send_datagrams(int descriptor, std::span<const Datagram> datagrams);

}  // namespace perdure::net

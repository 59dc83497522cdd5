#pragma once
// UDP sockets as the edge opens them and the engine reads and writes them.
#include <cstdint>

#include "base/result.hpp"
#include "base/socket_address.hpp"

namespace perdure::net {

// A non-blocking socket bound to `address`, with SO_REUSEPORT so that every worker has one of its own; IPv6 sockets take IPv6 only.
// `first`: of its address: a bind without SO_REUSEPORT is tried before, so that an address that another program uses is an error. Port 0:
// the kernel chooses, local_address() tells. The caller closes the descriptor; it is close-on-exec.
[[nodiscard]] Result<int> open_udp_socket(const SocketAddress& address, std::uint64_t receive_buffer_bytes, bool first);
[[nodiscard]] SocketAddress local_address(int descriptor);

// For a descriptor that somebody else has made: whether it is a bound IP socket for datagrams, and the settings that open_udp_socket()
// makes (with those made so late, further sockets of its address are possible if it belongs to the same user).
[[nodiscard]] bool is_udp_socket(int descriptor);
void prepare_udp_socket(int descriptor, std::uint64_t receive_buffer_bytes);

}  // namespace perdure::net

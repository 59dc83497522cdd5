#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "base/socket_address.hpp"

namespace perdure::net {

// A listening TCP socket, non-blocking, close-on-exec, IPv6 only if it is IPv6. Port 0: the kernel chooses. `name`: what stands in errors
// before the address, "tls".
[[nodiscard]] Result<int> open_tcp_listener(const SocketAddress& address, std::string_view name);

// Begins to connect; whether it succeeds, the descriptor's writability and SO_ERROR tell. `from`: the address to connect from, with a port
// of the kernel's choice; unspecified or without family: the kernel chooses.
[[nodiscard]] Result<int> begin_tcp_connect(const SocketAddress& to, const SocketAddress& from);

// Nagle off, keep-alive probes of the kernel on.
void prepare_tcp_connection(int descriptor);

}  // namespace perdure::net

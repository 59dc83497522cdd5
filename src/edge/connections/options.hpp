#pragma once
// What connections may do. Every limit has a counter in ConnectionCounters.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "edge/connections/tls_options.hpp"

namespace perdure::edge {

// One listen address with connections.
struct Listener {
  Transport transport = Transport::Tcp;
  SocketAddress address;        // port 0: the kernel chooses
  std::uint16_t socket = 0;     // its position among all listen addresses
  bool proxy_protocol = false;  // connections begin with a header of the PROXY protocol, which names the peer
};

struct ConnectionOptions {
  std::vector<Listener> listeners;
  std::uint32_t connections_max = 16'384;
  std::uint32_t connections_per_source_max = 16'384;  // of one IP address
  std::uint32_t outbound_max = 4096;                  // of connections_max, opened by this server
  std::uint64_t message_bytes_max = 65'535;
  std::uint64_t queue_bytes_max = 1 << 20;    // not yet sent on one connection
  std::uint64_t buffers_max = 256 << 20;      // received in part or not yet sent, of all
  std::uint32_t messages_per_second_max = 0;  // of one source; more are read later. 0: any number
  Duration idle_timeout = 10min;
  Duration ping_interval = 30s;     // of connections that the peer does not keep alive itself; 0: never
  Duration pong_timeout = 10s;      // RFC 5626 4.4.1
  Duration handshake_timeout = 5s;  // TLS, WebSocket, header of the PROXY protocol
  Duration message_timeout = 10s;   // from the first byte of a message to its last
  Duration write_timeout = 15s;     // a peer that takes nothing for so long
  Duration connect_timeout = 3s;
  Duration gather = 500us;  // how long messages are left in their sockets, at most, until a few have gathered
  TlsOptions tls;
  std::vector<std::string> web_origins;  // pages that may use WebSocket; empty: any
  Duration back_off_max = 30s;           // after failures to connect the first pause is one second, then it doubles up to this
};

}  // namespace perdure::edge

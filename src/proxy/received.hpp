#pragma once
// What a socket delivered, and the sockets it can have come by.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"

namespace perdure::proxy {

// One address that the server listens on. The position in ProxyOptions::sockets is the socket index of Received and Send.
struct LocalSocket {
  Transport transport = Transport::Udp;
  SocketAddress address;
  std::string advertised_host;  // as it stands in Via and Record-Route; IPv6 in brackets
  std::uint16_t advertised_port = 0;

  // Names the socket in records: positions change with the configuration, this does not.
  [[nodiscard]] std::uint32_t key() const;
};

// `bytes` lives until on_received returns.
struct Received {
  std::string_view bytes;
  SocketAddress source;
  std::uint16_t socket = 0;
  std::uint64_t connection = 0;  // 0: datagram
};

}  // namespace perdure::proxy

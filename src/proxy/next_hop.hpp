#pragma once
// Where a message goes, by what transport, from which of our sockets.
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"
#include "locate/servers.hpp"

namespace perdure::proxy {

// Where a message goes next.
struct NextHop {
  SocketAddress address;
  Transport transport = Transport::Udp;
  std::uint16_t socket = 0;      // index of the local socket to use
  bool may_switch = false;       // nobody has asked for this transport: 18.1.1 may take TCP
  std::string_view server_name;  // the name in its certificate, empty: its address; as long as the URI it came from
};

// Where a request to a host name goes.
struct NamedHop {
  locate::Destination destination;
  std::vector<locate::Server> others;  // to be tried after `hop`, in this order
  NextHop hop;                         // if it waits: without an address, only a socket of ours that is written for now
  bool waits = false;                  // name servers have to be asked first
};

}  // namespace perdure::proxy

#pragma once
// HEPv3, the encapsulation in which Homer takes messages.
#include <cstdint>
#include <optional>
#include <string>

#include "base/socket_address.hpp"
#include "trace/entry.hpp"

namespace perdure::trace {

struct HepOptions {
  std::optional<SocketAddress> collector;  // none: nothing is exported
  Transport transport = Transport::Udp;    // or Tcp
  std::uint32_t capture_id = 2001;
  std::string password, node_name;  // empty: packets carry none
};

// One packet, appended. Nothing for the start of an engine.
void append_hep(const Entry& entry, const HepOptions& options, std::string& out);

}  // namespace perdure::trace

#pragma once
// What a trace says of one message, or of a moment at which an engine began.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"

namespace perdure::trace {

enum class EntryKind : std::uint8_t {
  Padding,   // nothing: the rest of the memory before it begins anew
  Received,  // from `remote`
  Sent,      // to `remote`
  Start,     // an engine began to work; the bytes say how the one before it ended
};

struct Entry {
  EntryKind kind = EntryKind::Received;
  Transport transport = Transport::Udp;
  std::uint64_t id = 0;  // Received: the same for a message that the next engine does again; Start: of that start
  std::int64_t wall_us = 0;
  SocketAddress remote, local;
  std::string_view bytes;  // of the message, credentials masked
};

// The same with bytes of its own.
struct StoredEntry {
  Entry entry;
  std::string bytes;
};

}  // namespace perdure::trace

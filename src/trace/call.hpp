#pragma once
// The messages of one call out of the rings, and how they are shown.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/entry.hpp"
#include "trace/ring_file.hpp"

namespace perdure::trace {

// What the rings hold of the call, in the order in which it happened, at most `limit` entries; the starts of engines between its messages
// are among them. A message that a second engine did again is there once.
[[nodiscard]] std::vector<StoredEntry> messages_of(const RingFile& file, std::string_view call_id, std::size_t limit);

// The value of the Call-ID header; empty: there is none. Part of `message`.
[[nodiscard]] std::string_view call_id_of(std::string_view message);

// As a ladder for a terminal: a column for each peer and one for this server, a line for each message.
[[nodiscard]] std::string ladder(const std::vector<StoredEntry>& entries);

// As a capture file (pcap, LINKTYPE_RAW): each message is a UDP datagram between the addresses, whatever it was carried by.
[[nodiscard]] std::string pcap(const std::vector<StoredEntry>& entries);

}  // namespace perdure::trace

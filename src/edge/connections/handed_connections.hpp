#pragma once
// Connections on their way from the hub of one process to that of another: what is known of each as bytes, and the descriptors.
// docs/decisions/0037-sessions-are-relayed.md
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "edge/connections/connection.hpp"

namespace perdure::edge {

// Of the bytes. Who takes over says which one it reads, before anything is given away.
inline constexpr std::uint32_t handed_layout = 1;

struct HandedConnection {
  std::uint64_t id = 0;
  Transport transport = Transport::Tcp;
  Connection::State state = Connection::State::Open;
  bool inbound = true;
  bool found_by_address = false;  // new messages to its peer go by it
  bool after_crlf = false;        // StreamFramer::is_after_crlf
  bool web = false, assembling = false;
  std::uint16_t socket = 0;
  SocketAddress peer, source;
  std::uint64_t proved_name = 0;
  std::string security;  // Stream::description
  std::string in, kept /* of a WebSocket message in fragments */, waiting;
  std::vector<Outgoing> out;
  std::uint64_t written = 0;
  SteadyTime opened, active, message_since, write_since;  // of the machine's clock, the same in all processes
  std::uint64_t messages_received = 0, messages_sent = 0;
  std::vector<std::string> proved_domains;
  std::vector<PeerName> aliases;
  bool answers_pings = false;
};

// Closes what it still has at its end.
class HandedConnections {
 public:
  HandedConnections() = default;
  HandedConnections(HandedConnections&& other) noexcept;
  HandedConnections& operator=(HandedConnections&& other) noexcept;
  ~HandedConnections();

  [[nodiscard]] std::string to_bytes() const;  // all but the descriptors
  // Takes the descriptors, one for each connection in their order; an error closes them.
  [[nodiscard]] static Result<HandedConnections> from_bytes(std::string_view bytes, std::vector<int> descriptors);

  std::vector<HandedConnection> connections;
  std::vector<int> descriptors;
  std::vector<Outgoing> undelivered;             // not yet told to the engine
  std::vector<std::vector<std::uint64_t>> sent;  // of each worker: SentMessages::keys
};

}  // namespace perdure::edge

#pragma once
// States and events of the four transaction machines (RFC 3261 17, RFC 6026). One enumeration for all: each machine uses a part.
#include <cstdint>
#include <string_view>

namespace perdure::transaction {

enum class State : std::uint8_t {
  None,        // no transaction: a branch that was never sent
  Calling,     // INVITE client
  Trying,      // non-INVITE client and server
  Proceeding,  // all
  Completed,   // all
  Accepted,    // INVITE client and server, RFC 6026
  Confirmed,   // INVITE server
  Terminated,  // all
};
inline constexpr std::size_t state_count = 8;

enum class Event : std::uint8_t {
  // What comes in
  Response1xx,
  Response2xx,
  Response3xxTo6xx,  // client: from the network
  Request,
  Ack,  // server: retransmission of the request; ACK of a non-2xx
  Send1xx,
  Send2xx,
  Send3xxTo6xx,  // server: from the transaction user
  // Timers, named for what they do; the letters of the RFC stand in the tables
  TimerRetransmit,  // A, E (client), G (server)
  TimerExpire,      // B, C, D, F, K, M (client), H, I, J, L (server)
};
inline constexpr std::size_t event_count = 10;

[[nodiscard]] std::string_view name(State state);
[[nodiscard]] std::string_view name(Event event);

}  // namespace perdure::transaction

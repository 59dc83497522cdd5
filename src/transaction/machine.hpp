#pragma once
// The four machines as tables: rows of state, event, next state, actions, RFC section. A pair that is not listed is ignored.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "transaction/state.hpp"

namespace perdure::transaction {

enum class Machine : std::uint8_t { InviteClient, NonInviteClient, InviteServer, NonInviteServer };
inline constexpr std::size_t machine_count = 4;

// What the owner of the transaction does for a row, in this order.
enum Action : std::uint16_t {
  NoAction = 0,
  PassUp = 1 << 0,           // hand the response to the response context
  SendAck = 1 << 1,          // ACK of a non-2xx final response
  SendRequest = 1 << 2,      // the request again
  SendResponse = 1 << 3,     // the last response (again)
  TimedOut = 1 << 4,         // tell the response context: 408
  DoubleInterval = 1 << 5,   // next retransmission after twice the interval (A)
  CapInterval = 1 << 6,      // the same, at most T2 (E, G)
  StopRetransmit = 1 << 7,   // no further retransmissions
  StartRetransmit = 1 << 8,  // begin to retransmit after T1 (unreliable transports)
  StartExpire = 1 << 9,      // start the expiry timer that belongs to the next state (see expiry())
};

struct Row {
  State state;
  Event event;
  State next;
  std::uint16_t actions;
  std::string_view reference;  // section of the RFC
};

[[nodiscard]] std::span<const Row> rows(Machine machine);
// The row for (state, event), nullptr if the machine ignores it.
[[nodiscard]] const Row* find(Machine machine, State state, Event event);
[[nodiscard]] std::string_view name(Machine machine);
// The machine as a graph in DOT, for docs/ and eyes.
[[nodiscard]] std::string to_dot(Machine machine);

}  // namespace perdure::transaction

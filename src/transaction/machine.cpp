#include "transaction/machine.hpp"

#include <array>

namespace perdure::transaction {
namespace {

using enum State;
using enum Event;

constexpr Row invite_client[] = {
    {Calling, TimerRetransmit, Calling, SendRequest | DoubleInterval, "RFC 3261 17.1.1.2 Timer A"},
    {Calling, TimerExpire, Terminated, TimedOut, "RFC 3261 17.1.1.2 Timer B"},
    {Calling, Response1xx, Proceeding, PassUp | StopRetransmit | StartExpire, "RFC 3261 17.1.1.2, 16.7 Timer C"},
    {Calling, Response2xx, Accepted, PassUp | StopRetransmit | StartExpire, "RFC 6026 7.2 Timer M"},
    {Calling, Response3xxTo6xx, Completed, PassUp | SendAck | StopRetransmit | StartExpire, "RFC 3261 17.1.1.2 Timer D"},
    {Proceeding, Response1xx, Proceeding, PassUp | StartExpire, "RFC 3261 17.1.1.2, 16.7 item 2 Timer C"},
    {Proceeding, Response2xx, Accepted, PassUp | StartExpire, "RFC 6026 7.2 Timer M"},
    {Proceeding, Response3xxTo6xx, Completed, PassUp | SendAck | StartExpire, "RFC 3261 17.1.1.2 Timer D"},
    {Proceeding, TimerExpire, Proceeding, TimedOut, "RFC 3261 16.8 Timer C"},
    {Completed, Response3xxTo6xx, Completed, SendAck, "RFC 3261 17.1.1.2"},
    {Completed, TimerExpire, Terminated, NoAction, "RFC 3261 17.1.1.2 Timer D"},
    {Accepted, Response2xx, Accepted, PassUp, "RFC 6026 7.2"},
    {Accepted, TimerExpire, Terminated, NoAction, "RFC 6026 7.2 Timer M"},
};

constexpr Row non_invite_client[] = {
    {Trying, TimerRetransmit, Trying, SendRequest | CapInterval, "RFC 3261 17.1.2.2 Timer E"},
    {Trying, TimerExpire, Terminated, TimedOut, "RFC 3261 17.1.2.2 Timer F"},
    {Trying, Response1xx, Proceeding, PassUp, "RFC 3261 17.1.2.2"},
    {Trying, Response2xx, Completed, PassUp | StopRetransmit | StartExpire, "RFC 3261 17.1.2.2 Timer K"},
    {Trying, Response3xxTo6xx, Completed, PassUp | StopRetransmit | StartExpire, "RFC 3261 17.1.2.2 Timer K"},
    {Proceeding, TimerRetransmit, Proceeding, SendRequest | CapInterval, "RFC 3261 17.1.2.2 Timer E"},
    {Proceeding, TimerExpire, Terminated, TimedOut, "RFC 3261 17.1.2.2 Timer F"},
    {Proceeding, Response1xx, Proceeding, PassUp, "RFC 3261 17.1.2.2"},
    {Proceeding, Response2xx, Completed, PassUp | StopRetransmit | StartExpire, "RFC 3261 17.1.2.2 Timer K"},
    {Proceeding, Response3xxTo6xx, Completed, PassUp | StopRetransmit | StartExpire, "RFC 3261 17.1.2.2 Timer K"},
    {Completed, TimerExpire, Terminated, NoAction, "RFC 3261 17.1.2.2 Timer K"},
};

constexpr Row invite_server[] = {
    {Proceeding, Request, Proceeding, SendResponse, "RFC 3261 17.2.1"},
    {Proceeding, Send1xx, Proceeding, SendResponse, "RFC 3261 17.2.1"},
    {Proceeding, Send2xx, Accepted, SendResponse | StartExpire, "RFC 6026 7.1 Timer L"},
    {Proceeding, Send3xxTo6xx, Completed, SendResponse | StartRetransmit | StartExpire, "RFC 3261 17.2.1 Timers G, H"},
    {Completed, Request, Completed, SendResponse, "RFC 3261 17.2.1"},
    {Completed, TimerRetransmit, Completed, SendResponse | CapInterval, "RFC 3261 17.2.1 Timer G"},
    {Completed, TimerExpire, Terminated, NoAction, "RFC 3261 17.2.1 Timer H"},
    {Completed, Ack, Confirmed, StopRetransmit | StartExpire, "RFC 3261 17.2.1 Timer I"},
    {Confirmed, TimerExpire, Terminated, NoAction, "RFC 3261 17.2.1 Timer I"},
    {Accepted, Send2xx, Accepted, SendResponse, "RFC 6026 7.1"},
    {Accepted, TimerExpire, Terminated, NoAction, "RFC 6026 7.1 Timer L"},
};

// RFC 4320: no provisional to a non-INVITE request but a late 100, which a proxy on UDP need not send; so Send1xx is ignored here.
constexpr Row non_invite_server[] = {
    {Trying, Send2xx, Completed, SendResponse | StartExpire, "RFC 3261 17.2.2 Timer J"},
    {Trying, Send3xxTo6xx, Completed, SendResponse | StartExpire, "RFC 3261 17.2.2 Timer J"},
    {Completed, Request, Completed, SendResponse, "RFC 3261 17.2.2"},
    {Completed, TimerExpire, Terminated, NoAction, "RFC 3261 17.2.2 Timer J"},
};

constexpr std::array<std::span<const Row>, machine_count> all = {invite_client, non_invite_client, invite_server, non_invite_server};

using Dense = std::array<std::array<std::array<std::int8_t, event_count>, state_count>, machine_count>;

consteval Dense make_dense() {
  Dense dense{};
  for (auto& machine : dense)
    for (auto& state : machine) state.fill(-1);
  for (std::size_t m = 0; m < machine_count; ++m)
    for (std::size_t i = 0; i < all[m].size(); ++i) {
      auto& cell = dense[m][static_cast<std::size_t>(all[m][i].state)][static_cast<std::size_t>(all[m][i].event)];
      if (cell != -1) throw "two rows for one state and event";
      cell = static_cast<std::int8_t>(i);
    }
  return dense;
}
constexpr Dense dense = make_dense();

constexpr std::string_view state_names[] = {"None", "Calling", "Trying", "Proceeding", "Completed", "Accepted", "Confirmed", "Terminated"};
constexpr std::string_view event_names[] = {"1xx",      "2xx",      "3xx-6xx",      "request",    "ACK",
                                            "send 1xx", "send 2xx", "send 3xx-6xx", "retransmit", "expire"};
constexpr std::string_view machine_names[] = {"INVITE client", "non-INVITE client", "INVITE server", "non-INVITE server"};

}  // namespace

std::string_view name(State state) {
  return state_names[static_cast<std::size_t>(state)];
}
std::string_view name(Event event) {
  return event_names[static_cast<std::size_t>(event)];
}
std::string_view name(Machine machine) {
  return machine_names[static_cast<std::size_t>(machine)];
}

std::span<const Row> rows(Machine machine) {
  return all[static_cast<std::size_t>(machine)];
}

const Row* find(Machine machine, State state, Event event) {
  const auto index = dense[static_cast<std::size_t>(machine)][static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
  return index < 0 ? nullptr : &rows(machine)[static_cast<std::size_t>(index)];
}

std::string to_dot(Machine machine) {
  std::string out = "digraph \"" + std::string(name(machine)) + "\" {\n";
  for (const Row& row : rows(machine))
    out += "  " + std::string(name(row.state)) + " -> " + std::string(name(row.next)) + " [label=\"" + std::string(name(row.event)) +
           "\\n" + std::string(row.reference) + "\"];\n";
  return out + "}\n";
}

}  // namespace perdure::transaction

// Deadlines of all connections, looked at a few times a second.
#include <algorithm>
#include <vector>

#include "edge/connections/hub.hpp"

namespace perdure::edge {

void Hub::tick() {
  if (paused_) return;  // not the peers' fault
  retry(throttled_);
  if (!accepting_ && !ending_) set_accepting(true);
  std::vector<std::uint64_t> ids;
  ids.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  for (const auto id : ids)
    if (Connection* const connection = find(id)) check_deadlines(*connection);
  boost::unordered::erase_if(
      sources_, [&](const auto& entry) { return entry.second.connections == 0 && now_ - entry.second.refilled > std::chrono::seconds(1); });
  boost::unordered::erase_if(back_off_, [&](const auto& entry) { return now_ - entry.second.until > 2 * options_.back_off_max; });
}

void Hub::check_deadlines(Connection& connection) {
  const auto over = [&](SteadyTime since, Duration limit) { return now_ - since > limit; };
  switch (connection.state) {
    case Connection::State::Connecting:
      if (over(connection.opened, options_.connect_timeout)) connect_failed(connection, "timeout");
      return;
    case Connection::State::ProxyHeader:
    case Connection::State::Handshake:
    case Connection::State::Upgrade:
      if (!over(connection.opened, options_.handshake_timeout)) return;
      if (connection.inbound) return close(connection, counters_.closed_handshake_timeout);
      return connect_failed(connection, "the handshake takes too long");
    case Connection::State::Open:
      return check_open(connection);
    case Connection::State::Closing:
      if (over(connection.write_since, options_.handshake_timeout)) close(connection, counters_.closed_slow_reader);
      return;
    case Connection::State::Closed:
      return;
  }
}

void Hub::check_open(Connection& connection) {
  const auto over = [&](SteadyTime since, Duration limit) { return now_ - since > limit; };
  if (!connection.out.empty() && over(connection.write_since, options_.write_timeout))
    return close(connection, counters_.closed_slow_reader);
  if (!connection.stalled && (!connection.in.empty() || (connection.web && connection.web->is_assembling())) &&
      over(connection.message_since, options_.message_timeout))
    return close(connection, counters_.closed_slow_sender);
  if (over(connection.active, options_.idle_timeout)) return close(connection, counters_.closed_idle);
  if (options_.ping_interval > Duration{} && (connection.web || !connection.inbound)) keep_alive(connection);
}

// RFC 5626 3.5.1: on a stream the end that has opened it asks. A WebSocket answers always (RFC 6455 5.5.2), a stream if its other end knows
// that RFC: who has answered once is taken to.
void Hub::keep_alive(Connection& connection) {
  if (connection.awaits_pong) {
    if (now_ - connection.pinged <= options_.pong_timeout) return;
    if (connection.web || connection.answers_pings) return close(connection, counters_.closed_no_pong);
    connection.awaits_pong = false;
  }
  if (!connection.out.empty() || now_ - std::max(connection.active, connection.pinged) <= options_.ping_interval) return;
  connection.pinged = now_;
  connection.awaits_pong = true;
  counters_.pings_sent.add();
  enqueue(connection, Outgoing::own(connection.web ? WebSocket::ping_frame() : "\r\n\r\n"));
}

void Hub::on_pong(Connection& connection) {
  connection.answers_pings = connection.answers_pings || connection.awaits_pong;
  connection.awaits_pong = false;
}

}  // namespace perdure::edge

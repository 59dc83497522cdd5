// From the rings to the peers, and what could not be delivered back to the rings.
#include <algorithm>
#include <utility>

#include "base/checksum.hpp"
#include "edge/connections/hub.hpp"
#include "sip/partition.hpp"

namespace perdure::edge {
namespace {

constexpr int entries_per_turn = 1024;          // of each worker
constexpr std::size_t write_bytes = 16 * 1024;  // what a record of TLS holds
constexpr std::size_t undelivered_bytes_max = 4 << 20;

std::uint64_t key_of(const Entry& entry) {
  return checksum(entry.bytes, checksum(&entry.address, sizeof entry.address, entry.connection));
}

}  // namespace

std::uint32_t Hub::worker_of(std::string_view message) const {
  return sip::partition_of(message, rings_.partitions()) % rings_.worker_count();
}

void Hub::account(std::int64_t bytes) {
  counters_.buffered_bytes.set(counters_.buffered_bytes.get() + static_cast<std::uint64_t>(bytes));
}

void Hub::take_published() {
  for (std::uint32_t worker = 0; worker < outbound_.size(); ++worker) {
    RingConsumer& ring = outbound_[worker];
    for (int i = 0; i < entries_per_turn; ++i) {
      const auto entry = ring.next();
      if (!entry) break;
      if (const auto waited = waited_ns(*entry)) ring_outbound_.record(*waited);
      if (entry->kind == EntryKind::Alias) {
        give_alias(*entry);
        continue;
      }
      const std::uint64_t key = key_of(*entry);
      if (entry->again && sent_[worker].contains(key)) {
        counters_.duplicates_suppressed.add();
        continue;
      }
      sent_[worker].add(key);
      route({.bytes = std::string(entry->bytes),
             .server_name = std::string(entry->server_name),
             .destination = entry->address,
             .socket = entry->socket,
             .connection = entry->connection,
             .may_connect = entry->may_connect,
             .closes = entry->closes});
    }
    ring.release();
    counters_.ring_damaged.add(ring.damages() - std::exchange(damages_[worker], ring.damages()));
  }
}

// By the connection that the engine named, else by one to that address, else by a new one.
void Hub::route(Outgoing outgoing) {
  const auto listening = std::ranges::find(listening_, outgoing.socket, [](const Listening& one) { return one.options.socket; });
  if (listening == listening_.end()) return counters_.ring_damaged.add();
  const Transport transport = listening->options.transport;
  Connection* connection = outgoing.connection != 0 ? find(outgoing.connection) : nullptr;
  if (connection && connection->state == Connection::State::Closing) connection = nullptr;
  if (!connection) {
    std::string host;
    if (transport == Transport::Tls) host = outgoing.server_name.empty() ? outgoing.destination.ip_text() : outgoing.server_name;
    connection = find_peer(outgoing.destination, transport, host);
    // A browser cannot be called.
    const bool can_connect = transport == Transport::Tcp || transport == Transport::Tls;
    if (!connection && can_connect && outgoing.may_connect && !ending_) connection = connect(*listening, outgoing.destination, host);
  }
  if (!connection) return come_back(std::move(outgoing));
  if (connection->web) {
    const std::string header = WebSocket::header_of(outgoing.bytes);
    outgoing.prefix = header.size();
    outgoing.bytes.insert(0, header);
  }
  enqueue(*connection, std::move(outgoing));
}

void Hub::enqueue(Connection& connection, Outgoing outgoing) {
  const std::size_t size = outgoing.bytes.size();
  const bool full = !connection.out.empty() && connection.out_bytes + size > options_.queue_bytes_max;
  if (full || counters_.buffered_bytes.get() + size > options_.buffers_max) {
    close(connection, full ? counters_.closed_queue_full : counters_.closed_buffers_full);
    if (outgoing.is_message) come_back(std::move(outgoing));
    return;
  }
  if (connection.out.empty()) connection.write_since = now_;
  connection.out.push_back(std::move(outgoing));
  connection.out_bytes += size;
  account(static_cast<std::int64_t>(size));
  if (!std::exchange(connection.dirty, true)) dirty_.push_back(connection.id);
}

void Hub::flush_dirty() {
  for (const auto id : std::exchange(dirty_, {})) {
    Connection* const connection = find(id);
    if (!connection) continue;
    connection->dirty = false;
    flush(*connection);
  }
}

// Several messages in one piece: to write costs more than to copy.
std::string_view Hub::next_bytes(const Connection& connection) {
  const auto first = std::string_view(connection.out.front().bytes).substr(connection.written);
  if (connection.out.size() == 1 || first.size() >= write_bytes) return first;
  gathered_.assign(first);
  for (std::size_t i = 1; i < connection.out.size() && gathered_.size() < write_bytes; ++i)
    gathered_.append(connection.out[i].bytes, 0, write_bytes - gathered_.size());
  return gathered_;
}

void Hub::count_written(Connection& connection, std::size_t bytes) {
  counters_.bytes_sent.add(bytes);
  connection.write_since = now_;
  connection.written += bytes;
  while (!connection.out.empty() && connection.written >= connection.out.front().bytes.size()) {
    const Outgoing& first = connection.out.front();
    if (first.is_message) {
      counters_.messages_sent.add();
      ++connection.messages_sent;
      connection.active = now_;
    }
    if (first.closes) connection.state = Connection::State::Closing;
    connection.written -= first.bytes.size();
    connection.out_bytes -= first.bytes.size();
    account(-static_cast<std::int64_t>(first.bytes.size()));
    connection.out.pop_front();
  }
}

void Hub::flush(Connection& connection) {
  if (connection.state != Connection::State::Open && connection.state != Connection::State::Closing &&
      connection.state != Connection::State::Upgrade)
    return;
  while (!connection.out.empty() && !connection.wants_write) {
    const auto [status, bytes] = connection.stream->write(next_bytes(connection));
    switch (status) {
      case IoStatus::Ok:
        count_written(connection, bytes);
        break;
      case IoStatus::WantWrite:
        connection.wants_write = true;
        break;
      case IoStatus::WantRead:
        return;  // the next read goes on with it
      case IoStatus::Closed:
      case IoStatus::Failed:
        return close(connection, counters_.closed_failed);
    }
  }
  if (connection.state == Connection::State::Closing && connection.out.empty()) return close(connection, counters_.closed_after_answer);
  set_interest(connection);
}

// What a connection held when it ended, and what found none. Bounded: beyond it the timers of the transactions have the last word.
void Hub::come_back(Outgoing outgoing) {
  counters_.undelivered.add();
  if (outgoing.prefix != 0) outgoing.bytes.erase(0, outgoing.prefix);
  auto& [queue, bytes] = undelivered_[worker_of(outgoing.bytes)];
  if (bytes + outgoing.bytes.size() > undelivered_bytes_max) return counters_.undelivered_lost.add();
  bytes += outgoing.bytes.size();
  queue.push_back(std::move(outgoing));
}

void Hub::return_undelivered() {
  for (std::uint32_t worker = 0; worker < undelivered_.size(); ++worker) {
    auto& [queue, bytes] = undelivered_[worker];
    while (!queue.empty()) {
      const Outgoing& first = queue.front();
      const Entry entry{.kind = EntryKind::Undelivered,
                        .socket = first.socket,
                        .connection = first.connection,
                        .address = first.destination,
                        .bytes = first.bytes};
      if (!put(worker, entry)) break;
      bytes -= first.bytes.size();
      queue.pop_front();
    }
  }
}

void Hub::publish() {
  for (std::uint32_t worker = 0; worker < inbound_.size(); ++worker) {
    if (!std::exchange(unpublished_[worker], std::uint8_t{0})) continue;
    inbound_[worker].publish();
    rings_.wake_worker(worker);
  }
}

}  // namespace perdure::edge

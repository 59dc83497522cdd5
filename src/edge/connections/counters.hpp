#pragma once
// One thread writes, any reads.
#include <array>
#include <atomic>
#include <cstdint>

namespace perdure::edge {

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.store(get() + count, std::memory_order_relaxed); }
  void subtract(std::uint64_t count = 1) { value_.store(get() - count, std::memory_order_relaxed); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct ConnectionCounters {
  std::array<Counter, 5> open;  // now, by transport
  Counter accepted, connected;  // since the start: by peers, by this server
  Counter connect_failures, connect_refused /* outbound_max, or the target is in its back-off */;
  Counter closed_by_peer, closed_failed, closed_by_command, closed_after_answer;
  Counter refused_total, refused_source, accept_failures /* no descriptors */;
  Counter closed_idle, closed_handshake_timeout, closed_handshake_failed, closed_slow_sender, closed_slow_reader, closed_queue_full,
      closed_buffers_full, closed_malformed, closed_too_large, closed_proxy_header, closed_upgrade_refused, closed_no_pong;
  Counter throttled /* by messages_per_second_max */, stalled /* the worker's ring was full */;
  Counter messages_received, messages_sent, bytes_received, bytes_sent, pings, pings_sent, aliases;
  Counter undelivered, undelivered_lost /* no room for them either */, duplicates_suppressed, ring_damaged;
  Counter relayed;         // now: sessions of TLS that an earlier edge encrypts
  Counter buffered_bytes;  // now
};

// f(name, value) for all but `open`.
template <class F>
void for_each_counter(const ConnectionCounters& c, F f) {
  f("accepted", c.accepted.get());
  f("connected", c.connected.get());
  f("connect_failures", c.connect_failures.get());
  f("connect_refused", c.connect_refused.get());
  f("closed_by_peer", c.closed_by_peer.get());
  f("closed_failed", c.closed_failed.get());
  f("closed_by_command", c.closed_by_command.get());
  f("closed_after_answer", c.closed_after_answer.get());
  f("refused_total", c.refused_total.get());
  f("refused_source", c.refused_source.get());
  f("accept_failures", c.accept_failures.get());
  f("closed_idle", c.closed_idle.get());
  f("closed_handshake_timeout", c.closed_handshake_timeout.get());
  f("closed_handshake_failed", c.closed_handshake_failed.get());
  f("closed_slow_sender", c.closed_slow_sender.get());
  f("closed_slow_reader", c.closed_slow_reader.get());
  f("closed_queue_full", c.closed_queue_full.get());
  f("closed_buffers_full", c.closed_buffers_full.get());
  f("closed_malformed", c.closed_malformed.get());
  f("closed_too_large", c.closed_too_large.get());
  f("closed_proxy_header", c.closed_proxy_header.get());
  f("closed_upgrade_refused", c.closed_upgrade_refused.get());
  f("closed_no_pong", c.closed_no_pong.get());
  f("throttled", c.throttled.get());
  f("stalled", c.stalled.get());
  f("messages_received", c.messages_received.get());
  f("messages_sent", c.messages_sent.get());
  f("bytes_received", c.bytes_received.get());
  f("bytes_sent", c.bytes_sent.get());
  f("pings", c.pings.get());
  f("pings_sent", c.pings_sent.get());
  f("aliases", c.aliases.get());
  f("undelivered", c.undelivered.get());
  f("undelivered_lost", c.undelivered_lost.get());
  f("duplicates_suppressed", c.duplicates_suppressed.get());
  f("ring_damaged", c.ring_damaged.get());
  f("relayed", c.relayed.get());
  f("buffered_bytes", c.buffered_bytes.get());
}

}  // namespace perdure::edge

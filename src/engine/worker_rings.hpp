#pragma once
// A worker's end of its two rings.
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "edge/ring_region.hpp"
#include "proxy/outputs.hpp"

namespace perdure::engine {

class WorkerRings {
 public:
  // Goes on where the last engine stopped.
  WorkerRings(edge::RingRegion& region, std::uint32_t worker);

  // ---- before the worker runs ----
  // What the dead engine's worker was working on gets that blame more. Returns whether it is poison now.
  bool blame(std::uint8_t weight);
  // What has reached edge::blame_max: the caller puts it aside and discards it.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, edge::Entry>> poison() const;
  void discard(std::uint64_t position) { inbound_.discard(position); }
  [[nodiscard]] std::size_t waiting() const { return inbound_.waiting().size(); }
  // Up to here the inbound ring holds what came before this engine.
  [[nodiscard]] std::uint64_t published() const { return inbound_.published(); }
  // Of what next() gave last.
  [[nodiscard]] std::uint64_t position() const { return inbound_.position(); }
  [[nodiscard]] std::uint64_t cursor() const { return inbound_.cursor(); }

  // ---- one message after the other ----
  [[nodiscard]] bool empty() const { return inbound_.empty(); }
  // The next one, which is in work until done().
  [[nodiscard]] std::optional<edge::Entry> next();
  void done() { marks_.in_work.store(0, std::memory_order_relaxed); }
  // Waits for room a while if need be. False: there is none, the edge does not take what it gets.
  [[nodiscard]] bool send(const proxy::Send& send, bool again);
  // Where the ring has no room it is given up: the next message over the connection will ask for it again.
  void alias(const proxy::ConnectionAlias& alias);
  // What has been sent is the edge's, and what next() gave is done with, in one step.
  void commit();

  // ---- sleeping ----
  void set_sleeping(bool sleeping) { (void)marks_.worker_sleeps.exchange(sleeping ? 1 : 0, std::memory_order_acq_rel); }
  [[nodiscard]] int event() const { return region_.worker_event(worker_); }
  [[nodiscard]] std::uint64_t damages() const { return inbound_.damages(); }

 private:
  static edge::RingRegion& recovered(edge::RingRegion& region, std::uint32_t worker);

  edge::RingRegion& region_;
  const std::uint32_t worker_;
  edge::RingMarks& marks_;
  edge::RingConsumer inbound_;
  edge::RingProducer outbound_;
};

}  // namespace perdure::engine

#pragma once
// The rings between the edge and the workers of its engines: a memfd with two rings for each worker, and the eventfds that wake a side that
// sleeps. It outlives an engine: the next one begins with the messages whose effect the dead one had not committed, and what the dead one
// had published is sent all the same.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "edge/ring.hpp"

namespace perdure::edge {

// What a worker and the edge tell each other beside the rings. Each word has one writer but for the flags, which are exchanged.
struct alignas(64) RingMarks {
  std::atomic<std::uint64_t> in_work{0};          // 1 + position of the inbound entry that the worker works on, 0: none
  std::atomic<std::uint64_t> batch_tail{0};       // publishing up to here...
  std::atomic<std::uint64_t> batch_head{0};       // ...releases the inbound entries up to here, in one step
  std::atomic<std::uint32_t> worker_sleeps{0};    // the edge writes to its eventfd after it has published
  std::atomic<std::uint32_t> edge_wants_room{0};  // the worker writes to that of the edge after it has released
};

class RingRegion {
 public:
  // Two rings of `capacity` bytes, a power of two, for each worker. The descriptors are not close-on-exec: engines inherit them.
  [[nodiscard]] static Result<std::unique_ptr<RingRegion>> create(std::uint32_t worker_count, std::uint64_t capacity);
  // What descriptors() of another process says; takes them. Refuses what is not such a region.
  [[nodiscard]] static Result<std::unique_ptr<RingRegion>> map(const std::vector<int>& descriptors);
  ~RingRegion();
  RingRegion(const RingRegion&) = delete;
  RingRegion& operator=(const RingRegion&) = delete;

  // The memfd, the eventfd of the edge, those of the workers.
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }
  [[nodiscard]] std::uint32_t worker_count() const { return worker_count_; }
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  [[nodiscard]] RingMemory inbound(std::uint32_t worker) const;   // edge to worker
  [[nodiscard]] RingMemory outbound(std::uint32_t worker) const;  // worker to edge
  [[nodiscard]] RingMarks& marks(std::uint32_t worker) const { return marks_[worker]; }
  [[nodiscard]] int edge_event() const { return descriptors_[1]; }
  [[nodiscard]] int worker_event(std::uint32_t worker) const { return descriptors_[2 + worker]; }

  // In how many partitions the store has the calls, which says what worker a message belongs to. By the engine that attaches.
  void set_partitions(std::uint32_t count);
  [[nodiscard]] std::uint32_t partitions() const;

  // After publishing, and after releasing if the other side waits for room.
  void wake_worker(std::uint32_t worker) const;
  void wake_edge() const;
  [[nodiscard]] std::atomic<std::uint32_t>& edge_sleeps() const;

 private:
  RingRegion(std::vector<int> descriptors, char* base, std::size_t size, std::uint32_t worker_count, std::uint64_t capacity);

  std::vector<int> descriptors_;
  char* base_;
  std::size_t size_;
  std::uint32_t worker_count_;
  std::uint64_t capacity_;
  RingMarks* marks_;
  RingControl* controls_;
  char* data_;
};

}  // namespace perdure::edge

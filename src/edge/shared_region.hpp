#pragma once
// Memory that the edge and its engines share (a memfd): where workers receive datagrams, and what they are working on. It outlives an
// engine, so that the next one finds what the dead one had taken from the kernel and not finished, and knows the suspect.
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/socket_address.hpp"

namespace perdure::edge {

inline constexpr std::uint32_t batches_per_worker = 8, batch_size = 32;
inline constexpr std::uint32_t slots_per_worker = batches_per_worker * batch_size;
inline constexpr std::size_t datagram_bytes_max = 65535;
inline constexpr std::uint32_t suspects_max = 16, no_record = UINT32_MAX;
// A message or record in work when an engine died weighs 2 after a crash or a hang, 1 after a SIGKILL, which says little about it. From
// here on it is poison and goes to quarantine.
inline constexpr std::uint8_t blame_max = 4;

// What a worker is doing. Written by it with relaxed stores: the reader comes after its death.
struct alignas(64) WorkerMark {
  std::atomic<std::uint64_t> tick_us{0};  // CLOCK_MONOTONIC of its last turn; 0: not running
  std::atomic<std::uint32_t> slot{0};     // 1 + index of the receive slot in work (of `slot_worker`), 0: none
  std::atomic<std::uint32_t> slot_worker{0};
  std::uint32_t record = no_record;  // record id in work; Proxy::set_record_mark
};

struct SlotInfo {
  std::uint64_t sequence = 0;  // given before the datagram comes, so that the order survives
  std::uint16_t socket = 0;    // index of the listen address
  std::uint8_t blame = 0;
};

struct Suspect {
  std::uint32_t record = no_record;
  std::uint32_t blame = 0;
};

// One taken slot, as the next engine finds it.
struct SlotId {
  std::uint32_t worker = 0, slot = 0;
  friend bool operator==(const SlotId&, const SlotId&) = default;
};

class SharedRegion {
 public:
  // `worker_count` > 0. The descriptor is close-on-exec; the spawner passes it on.
  [[nodiscard]] static Result<std::unique_ptr<SharedRegion>> create(std::uint32_t worker_count);
  // Maps what create() made, in another process; takes the descriptor. Refuses what is not such a region.
  [[nodiscard]] static Result<std::unique_ptr<SharedRegion>> map(int descriptor);
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint32_t worker_count() const { return worker_count_; }
  [[nodiscard]] WorkerMark& mark(std::uint32_t worker) { return marks_[worker]; }
  [[nodiscard]] Suspect& suspect(std::uint32_t index) { return suspects_[index]; }

  // ---- receiving; one worker owns its batches ----
  // Points the headers of a batch to this process's addresses. Once per process and batch, before recvmmsg; keeps what is taken.
  void adopt(std::uint32_t worker, std::uint32_t batch);
  // Makes a free batch ready: sequences from `sequence` on, all from listen address `socket`.
  void prepare(std::uint32_t worker, std::uint32_t batch, std::uint16_t socket, std::uint64_t sequence);
  // batch_size headers for recvmmsg. The kernel writes msg_len: not 0 means taken and not finished.
  [[nodiscard]] mmsghdr* headers(std::uint32_t worker, std::uint32_t batch) { return headers_ + slot_index(worker, batch * batch_size); }
  [[nodiscard]] bool is_free(std::uint32_t worker, std::uint32_t batch) const;

  // ---- slots ----
  [[nodiscard]] std::uint32_t length(SlotId id) const { return std::atomic_ref(header(id).msg_len).load(std::memory_order_acquire); }
  [[nodiscard]] std::string_view bytes(SlotId id) const;
  [[nodiscard]] SocketAddress source(SlotId id) const { return SocketAddress::from_native(names_[slot_index(id.worker, id.slot)]); }
  [[nodiscard]] SlotInfo& info(SlotId id) { return infos_[slot_index(id.worker, id.slot)]; }
  // Whether the kernel can have filled a taken slot so, from one of `socket_count` sockets. An engine may have written anywhere before it
  // died: what is not sound must not be worked on.
  [[nodiscard]] bool is_sound(SlotId id, std::size_t socket_count);
  // The effect is committed and its outputs have left. Any thread: the worker that owned the message.
  void finish(SlotId id) { std::atomic_ref(header(id).msg_len).store(0, std::memory_order_release); }
  // Everything taken and not finished, in the order in which each worker received it.
  [[nodiscard]] std::vector<SlotId> taken();

 private:
  SharedRegion(int descriptor, char* base, std::size_t size, std::uint32_t worker_count);
  [[nodiscard]] static std::size_t slot_index(std::uint32_t worker, std::uint32_t slot) {
    return std::size_t{worker} * slots_per_worker + slot;
  }
  [[nodiscard]] mmsghdr& header(SlotId id) const { return headers_[slot_index(id.worker, id.slot)]; }

  int descriptor_;
  char* base_;
  std::size_t size_;
  std::uint32_t worker_count_;
  WorkerMark* marks_;
  Suspect* suspects_;
  SlotInfo* infos_;
  mmsghdr* headers_;
  iovec* vectors_;
  sockaddr_storage* names_;
  char* data_;
};

}  // namespace perdure::edge

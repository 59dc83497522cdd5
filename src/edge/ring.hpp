#pragma once
// A ring of messages in memory that edge and engine share: one process appends, one takes. Both may die at any instruction, and what a dead
// engine scribbled there never leads the other side out of the memory: everything read from it is checked.
//
// An entry is a header of 64 bytes and the message, in one piece: what does not fit before the end of the memory begins anew at its start,
// after a padding entry. Positions count bytes since the ring was made; they never go back.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/socket_address.hpp"

namespace perdure::edge {

inline constexpr std::size_t ring_alignment = 64;

enum class EntryKind : std::uint8_t {
  Padding,      // nothing: the rest of the memory, or what was taken out
  Message,      // edge to worker: received; worker to edge: to be sent
  Undelivered,  // edge to worker: a message of the worker that did not leave
  Alias,        // worker to edge: what is sent to `address` takes `connection`; no bytes
};

struct Entry {
  EntryKind kind = EntryKind::Message;
  std::uint8_t blame = 0;        // as of a receive slot, see blame_max
  bool again = false;            // worker to edge: may have left before an engine died
  std::uint16_t socket = 0;      // index of the listen address
  std::uint64_t connection = 0;  // 0: none is named
  SocketAddress address;         // of the peer
  std::string_view bytes;
  std::string_view server_name = {};  // worker to edge: for a new connection, see proxy::Send
  bool may_connect = true;            // worker to edge, as is the next
  bool closes = false;
  std::uint64_t appended_ns = 0;  // by append(), which ignores what is said here; 0: by an older program, which did not note it
};

// Since it was appended; nullopt: not known. What stands there is not taken on trust.
[[nodiscard]] std::optional<std::uint64_t> waited_ns(const Entry& entry);

// Written by one side each, so that they do not share a cache line.
struct RingControl {
  alignas(64) std::atomic<std::uint64_t> tail{0};  // by the producer: entries before it are published
  alignas(64) std::atomic<std::uint64_t> head{0};  // by the consumer: entries before it are done with
};

struct EntryHeader {
  std::uint32_t size = 0;    // with header, a multiple of ring_alignment
  std::uint32_t length = 0;  // of the message
  std::uint64_t connection = 0;
  SocketAddress address;
  std::uint16_t socket = 0;
  EntryKind kind = EntryKind::Padding;
  std::uint8_t blame = 0;
  std::uint16_t name_length = 0;  // of the server name, which stands behind the message
  std::uint8_t again = 0;
  std::uint8_t no_connect = 0, closes = 0;  // 0 from older programs
  std::uint8_t reserved[3] = {};
  std::uint64_t appended_ns = 0;  // CLOCK_MONOTONIC; 0 from older programs
  std::uint8_t reserved_too[8] = {};
};
static_assert(sizeof(EntryHeader) == ring_alignment && std::is_trivially_copyable_v<EntryHeader>);

struct RingMemory {
  RingControl* control = nullptr;
  char* data = nullptr;
  std::uint64_t capacity = 0;  // a power of two
};

// Bytes of the longest message, with its server name, that always fits into an empty ring.
[[nodiscard]] constexpr std::uint64_t ring_message_bytes_max(std::uint64_t capacity) {
  return capacity / 2 - sizeof(EntryHeader);
}

class RingProducer {
 public:
  // Goes on where the last producer published.
  explicit RingProducer(RingMemory memory);
  // False: no room now. What is appended is seen by nobody before publish().
  [[nodiscard]] bool append(const Entry& entry);
  void publish();
  [[nodiscard]] bool has_unpublished() const { return tail_ != published_; }
  [[nodiscard]] std::uint64_t tail() const { return tail_; }

 private:
  [[nodiscard]] EntryHeader* header_at(std::uint64_t position) const;

  RingMemory memory_;
  std::uint64_t tail_ = 0, published_ = 0;
};

class RingConsumer {
 public:
  // Begins with what is not released.
  explicit RingConsumer(RingMemory memory);
  // The next published entry; its bytes stay until it is released.
  [[nodiscard]] std::optional<Entry> next();
  [[nodiscard]] bool empty() const { return memory_.control->tail.load(std::memory_order_acquire) == cursor_; }
  // Everything that next() gave: the producer may write there.
  void release() { memory_.control->head.store(cursor_, std::memory_order_release); }

  // Of the entry that next() gave last.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  // Everything before has been given by next().
  [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
  [[nodiscard]] std::uint64_t published() const { return memory_.control->tail.load(std::memory_order_acquire); }
  // A published entry that next() has not given, by its position.
  [[nodiscard]] std::optional<Entry> find(std::uint64_t position) const;
  // Of an entry that find() gives.
  void set_blame(std::uint64_t position, std::uint8_t blame);
  // It becomes padding: next() will not give it.
  void discard(std::uint64_t position);
  // Everything published that next() has not given, with its position.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, Entry>> waiting() const;
  // How often the memory made no sense: everything that was published then is skipped.
  [[nodiscard]] std::uint64_t damages() const { return damages_; }

 private:
  // A copy that has been checked; what is in the memory may change.
  [[nodiscard]] std::optional<EntryHeader> read(std::uint64_t position, std::uint64_t tail) const;
  [[nodiscard]] Entry entry_of(const EntryHeader& header, std::uint64_t position) const;
  void skip_to(std::uint64_t tail);

  RingMemory memory_;
  std::uint64_t cursor_ = 0, position_ = 0, damages_ = 0;
};

}  // namespace perdure::edge

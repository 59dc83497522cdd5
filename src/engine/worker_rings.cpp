#include "engine/worker_rings.hpp"

#include <time.h>

#include <algorithm>
#include <cstdint>

#include "edge/shared_region.hpp"

namespace perdure::engine {
namespace {

// The edge only moves bytes: what it has not taken after so long, it will not take soon.
constexpr int room_attempts = 1000;
constexpr timespec room_pause{0, 100'000};

}  // namespace

// An engine that died between publishing its outputs and releasing their inputs has released them all the same.
edge::RingRegion& WorkerRings::recovered(edge::RingRegion& region, std::uint32_t worker) {
  edge::RingMarks& marks = region.marks(worker);
  const std::uint64_t tail = marks.batch_tail.load(), head = marks.batch_head.load();
  edge::RingControl& inbound = *region.inbound(worker).control;
  if (tail != 0 && tail == region.outbound(worker).control->tail.load() && head - inbound.head.load() <= region.capacity() &&
      inbound.tail.load() - head <= region.capacity())
    inbound.head.store(head);
  marks.batch_tail.store(0);
  return region;
}

WorkerRings::WorkerRings(edge::RingRegion& region, std::uint32_t worker)
    : region_(recovered(region, worker)),
      worker_(worker),
      marks_(region.marks(worker)),
      inbound_(region.inbound(worker)),
      outbound_(region.outbound(worker)) {}

bool WorkerRings::blame(std::uint8_t weight) {
  const std::uint64_t mark = marks_.in_work.load();
  // Blame first, then take the mark down: rather twice than never.
  bool poison = false;
  if (const auto entry = mark != 0 && weight != 0 ? inbound_.find(mark - 1) : std::nullopt) {
    const auto blame = static_cast<std::uint8_t>(std::min(entry->blame + weight, UINT8_MAX));
    inbound_.set_blame(mark - 1, blame);
    poison = blame >= edge::blame_max;
  }
  marks_.in_work.store(0);
  return poison;
}

std::vector<std::pair<std::uint64_t, edge::Entry>> WorkerRings::poison() const {
  auto entries = inbound_.waiting();
  std::erase_if(entries, [](const auto& entry) { return entry.second.blame < edge::blame_max; });
  return entries;
}

std::optional<edge::Entry> WorkerRings::next() {
  auto entry = inbound_.next();
  if (entry) marks_.in_work.store(inbound_.position() + 1, std::memory_order_relaxed);
  return entry;
}

bool WorkerRings::send(const proxy::Send& send, bool again) {
  const edge::Entry entry{.kind = edge::EntryKind::Message,
                          .again = again,
                          .socket = send.socket,
                          .connection = send.connection,
                          .address = send.destination,
                          .bytes = send.bytes,
                          .server_name = send.server_name,
                          .may_connect = send.may_connect,
                          .closes = send.closes};
  if (outbound_.append(entry)) return true;
  if (send.bytes.size() + entry.server_name.size() > edge::ring_message_bytes_max(region_.capacity())) return false;
  for (int attempt = 0; attempt < room_attempts; ++attempt) {
    outbound_.publish();
    region_.wake_edge();
    (void)nanosleep(&room_pause, nullptr);
    if (outbound_.append(entry)) return true;
  }
  return false;
}

void WorkerRings::alias(const proxy::ConnectionAlias& alias) {
  (void)outbound_.append(
      {.kind = edge::EntryKind::Alias, .socket = alias.socket, .connection = alias.connection, .address = alias.address, .bytes = {}});
}

void WorkerRings::commit() {
  const bool speaks = outbound_.has_unpublished();
  if (speaks) {
    // Who dies before the last line has published nothing; who dies after it has released the inputs, too.
    marks_.batch_tail.store(0, std::memory_order_release);
    marks_.batch_head.store(inbound_.cursor(), std::memory_order_release);
    marks_.batch_tail.store(outbound_.tail(), std::memory_order_release);
    outbound_.publish();
  }
  inbound_.release();
  if (speaks || marks_.edge_wants_room.exchange(0, std::memory_order_acq_rel) != 0) region_.wake_edge();
}

}  // namespace perdure::engine

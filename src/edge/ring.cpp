#include "edge/ring.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace perdure::edge {
namespace {

constexpr std::uint64_t aligned(std::uint64_t size) {
  return (size + ring_alignment - 1) / ring_alignment * ring_alignment;
}

// CLOCK_MONOTONIC, which both processes see alike.
std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

bool is_sane(std::uint64_t head, std::uint64_t tail, std::uint64_t capacity) {
  return tail % ring_alignment == 0 && head % ring_alignment == 0 && tail - head <= capacity;
}

}  // namespace

std::optional<std::uint64_t> waited_ns(const Entry& entry) {
  const std::uint64_t now = now_ns();
  if (entry.appended_ns == 0 || entry.appended_ns > now) return std::nullopt;
  return now - entry.appended_ns;
}

RingProducer::RingProducer(RingMemory memory) : memory_(memory), tail_(memory.control->tail.load(std::memory_order_acquire)) {
  const std::uint64_t head = memory_.control->head.load(std::memory_order_acquire);
  if (!is_sane(head, tail_, memory_.capacity)) tail_ = head / ring_alignment * ring_alignment;
  published_ = tail_;
  memory_.control->tail.store(tail_, std::memory_order_release);
}

EntryHeader* RingProducer::header_at(std::uint64_t position) const {
  return reinterpret_cast<EntryHeader*>(memory_.data + (position & (memory_.capacity - 1)));
}

bool RingProducer::append(const Entry& entry) {
  const std::uint64_t content = entry.bytes.size() + entry.server_name.size();
  if (content > ring_message_bytes_max(memory_.capacity) || entry.server_name.size() > UINT16_MAX) return false;
  const std::uint64_t size = sizeof(EntryHeader) + aligned(content);
  const std::uint64_t rest = memory_.capacity - (tail_ & (memory_.capacity - 1));
  const std::uint64_t padding = size <= rest ? 0 : rest;
  // More than the capacity: the consumer's word makes no sense, and nothing is written until it does.
  const std::uint64_t used = tail_ - memory_.control->head.load(std::memory_order_acquire);
  if (used > memory_.capacity || memory_.capacity - used < padding + size) return false;
  if (padding != 0) {
    EntryHeader header;
    header.size = static_cast<std::uint32_t>(padding);
    *header_at(tail_) = header;
    tail_ += padding;
  }
  EntryHeader header;
  header.size = static_cast<std::uint32_t>(size);
  header.length = static_cast<std::uint32_t>(entry.bytes.size());
  header.name_length = static_cast<std::uint16_t>(entry.server_name.size());
  header.connection = entry.connection;
  header.address = entry.address;
  header.socket = entry.socket;
  header.kind = entry.kind;
  header.blame = entry.blame;
  header.again = entry.again ? 1 : 0;
  header.no_connect = entry.may_connect ? 0 : 1;
  header.closes = entry.closes ? 1 : 0;
  header.appended_ns = now_ns();
  EntryHeader* const place = header_at(tail_);
  *place = header;
  char* const bytes = reinterpret_cast<char*>(place + 1);
  std::ranges::copy(entry.bytes, bytes);
  std::ranges::copy(entry.server_name, bytes + entry.bytes.size());
  tail_ += size;
  return true;
}

void RingProducer::publish() {
  published_ = tail_;
  memory_.control->tail.store(tail_, std::memory_order_release);
}

RingConsumer::RingConsumer(RingMemory memory) : memory_(memory), cursor_(memory.control->head.load(std::memory_order_acquire)) {
  const std::uint64_t tail = memory_.control->tail.load(std::memory_order_acquire);
  if (!is_sane(cursor_, tail, memory_.capacity)) skip_to(tail);
  release();
}

void RingConsumer::skip_to(std::uint64_t tail) {
  ++damages_;
  cursor_ = tail / ring_alignment * ring_alignment;
}

std::optional<EntryHeader> RingConsumer::read(std::uint64_t position, std::uint64_t tail) const {
  const std::uint64_t offset = position & (memory_.capacity - 1);
  EntryHeader header;
  std::memcpy(&header, memory_.data + offset, sizeof header);
  const std::uint64_t room = std::min(tail - position, memory_.capacity - offset);
  if (header.size < sizeof header || header.size % ring_alignment != 0 || header.size > room) return std::nullopt;
  if (std::uint64_t{header.length} + header.name_length > header.size - sizeof header || header.kind > EntryKind::Alias)
    return std::nullopt;
  const bool has_address = header.address.family == Family::IPv4 || header.address.family == Family::IPv6;
  if (header.kind != EntryKind::Padding && !has_address) return std::nullopt;
  return header;
}

std::optional<Entry> RingConsumer::next() {
  while (true) {
    const std::uint64_t tail = published();
    if (cursor_ == tail) return std::nullopt;
    if (!is_sane(cursor_, tail, memory_.capacity)) {
      skip_to(tail);
      release();
      return std::nullopt;
    }
    const auto header = read(cursor_, tail);
    if (!header) {
      skip_to(tail);
      return std::nullopt;
    }
    position_ = cursor_;
    cursor_ += header->size;
    if (header->kind == EntryKind::Padding) continue;
    return entry_of(*header, position_);
  }
}

Entry RingConsumer::entry_of(const EntryHeader& header, std::uint64_t position) const {
  Entry entry;
  entry.kind = header.kind;
  entry.blame = header.blame;
  entry.again = header.again != 0;
  entry.may_connect = header.no_connect == 0;
  entry.closes = header.closes != 0;
  entry.appended_ns = header.appended_ns;
  entry.socket = header.socket;
  entry.connection = header.connection;
  entry.address = header.address;
  const char* const bytes = memory_.data + (position & (memory_.capacity - 1)) + sizeof(EntryHeader);
  entry.bytes = {bytes, header.length};
  entry.server_name = {bytes + header.length, header.name_length};
  return entry;
}

// From entry to entry: a position between two of them would be somewhere in a message.
std::vector<std::pair<std::uint64_t, Entry>> RingConsumer::waiting() const {
  std::vector<std::pair<std::uint64_t, Entry>> entries;
  const std::uint64_t tail = published();
  if (!is_sane(cursor_, tail, memory_.capacity)) return entries;
  for (std::uint64_t at = cursor_; at != tail;) {
    const auto header = read(at, tail);
    if (!header) break;
    if (header->kind != EntryKind::Padding) entries.emplace_back(at, entry_of(*header, at));
    at += header->size;
  }
  return entries;
}

std::optional<Entry> RingConsumer::find(std::uint64_t position) const {
  for (const auto& [at, entry] : waiting())
    if (at == position) return entry;
  return std::nullopt;
}

void RingConsumer::set_blame(std::uint64_t position, std::uint8_t blame) {
  memory_.data[(position & (memory_.capacity - 1)) + offsetof(EntryHeader, blame)] = static_cast<char>(blame);
}

void RingConsumer::discard(std::uint64_t position) {
  memory_.data[(position & (memory_.capacity - 1)) + offsetof(EntryHeader, kind)] = static_cast<char>(EntryKind::Padding);
}

}  // namespace perdure::edge

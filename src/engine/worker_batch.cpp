// What a worker does with one batch: reads it, hands over what belongs to others, works on it, and lets go of it when its effect has left.
#include <sys/socket.h>

#include <array>
#include <utility>

#include "base/assert.hpp"
#include "engine/clock.hpp"
#include "engine/worker.hpp"

namespace perdure::engine {
namespace {

constexpr int messages_per_turn = 256;  // of connections

}  // namespace

// Reads one batch of a socket. What belongs to another worker goes to its queue; it finishes the slot.
void Worker::receive(std::uint16_t socket) {
  // The first free one, not the next one: under little load the same slots stay in the cache.
  std::uint32_t batch = 0;
  while (batch < edge::batches_per_worker && !region_.is_free(index_, batch)) ++batch;
  full_ = batch == edge::batches_per_worker;
  if (full_) return;  // the others are behind: the kernel keeps the rest
  region_.prepare(index_, batch, socket, sequence_);
  sequence_ += edge::batch_size;
  const int count = recvmmsg(sockets_[socket], region_.headers(index_, batch), edge::batch_size, MSG_DONTWAIT, nullptr);
  if (count <= 0) return;
  local_.datagrams_received += static_cast<std::uint64_t>(count);
  const std::uint32_t own = hand_over(batch, static_cast<std::uint32_t>(count));
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i)
    if (own >> i & 1U) process({index_, batch * edge::batch_size + i});
}

// Before the own ones are processed, so that the others do not wait for us. Returns a bit for each of our own.
std::uint32_t Worker::hand_over(std::uint32_t batch, std::uint32_t count) {
  static_assert(edge::batch_size <= 32, "one bit each");
  const std::uint32_t partitions = engine_.partition_count();
  std::uint32_t own = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const edge::SlotId slot{index_, batch * edge::batch_size + i};
    if (region_.length(slot) == 0) {
      ++local_.empty;  // nothing to finish: its slot is free as it is
      continue;
    }
    const std::uint32_t owner = count_ == 1 ? 0 : proxy::partition_of(region_.bytes(slot), partitions) % count_;
    if (owner == index_) {
      own |= 1U << i;
      continue;
    }
    const bool pushed = engine_.workers_[owner]->queue_from(index_).push(slot);
    PERDURE_ASSERT(pushed);
    notify_[owner] = 1;
    ++local_.handed_over;
  }
  for (std::uint32_t owner = 0; owner < count_; ++owner) {
    if (!std::exchange(notify_[owner], std::uint8_t{0})) continue;
    Worker& other = *engine_.workers_[owner];
    if (other.sleeping_.exchange(false, std::memory_order_acq_rel)) other.wake();
  }
  return own;
}

void Worker::take_over() {
  for (const auto& queue : queues_)
    while (const auto slot = queue->pop()) process(*slot);
}

void Worker::process(edge::SlotId slot) {
  mark_.slot_worker.store(slot.worker, std::memory_order_relaxed);
  mark_.slot.store(slot.slot + 1, std::memory_order_relaxed);
  const proxy::Received received{region_.bytes(slot), region_.source(slot), region_.info(slot).socket, 0};
  if (trace_) trace_->received(received, WorkerTrace::datagram_id(slot.worker, region_.info(slot).sequence));
  proxy_->on_received(received, now_, outputs_);
  mark_.slot.store(0, std::memory_order_relaxed);
  done_.push_back(slot);
  ++messages_;
}

// The next message of a connection. False: there is none.
bool Worker::take_message() {
  const auto entry = rings_->next();
  if (!entry) return false;
  if (const auto waited = edge::waited_ns(*entry)) block_.ring_inbound.record(*waited);
  const bool sound = entry->socket < engine_.options_.proxy.sockets.size() &&
                     (count_ == 1 || proxy::partition_of(entry->bytes, engine_.partition_count()) % count_ == index_);
  if (!sound) {
    ++local_.ring_damaged;
  } else if (entry->kind == edge::EntryKind::Undelivered) {
    ++local_.undelivered;
    proxy_->on_undelivered(entry->bytes, now_, outputs_);
  } else {
    ++local_.ring_received;
    ++messages_;
    const proxy::Received received{entry->bytes, entry->address, entry->socket, entry->connection};
    if (trace_) trace_->received(received, WorkerTrace::message_id(index_, rings_->position()));
    proxy_->on_received(received, now_, outputs_);
  }
  rings_->done();
  return true;
}

void Worker::receive_messages() {
  for (int i = 0; i < messages_per_turn && take_message(); ++i) {
  }
}

void Worker::send_message(const proxy::Send& send) {
  if (rings_ && rings_->send(send, again_)) {
    ++local_.ring_sent;
    return;
  }
  ++local_.ring_full;
  unsent_.emplace_back(send.bytes);
}

// The edge did not take these: the transactions hear of it as if a connection had failed.
void Worker::return_undelivered() {
  const auto unsent = std::exchange(unsent_, {});
  for (const auto& bytes : unsent) proxy_->on_undelivered(bytes, now_, outputs_);
}

// Everything of the batch is committed: it leaves, and only then the slots are finished. Whoever dies in between does it again.
void Worker::finish_batch() {
  if (!outputs_.empty()) {
    for (std::uint16_t socket = 0; socket < sockets_.size(); ++socket) {
      if (sockets_[socket] < 0) continue;
      sending_.clear();
      for (const auto& send : outputs_.sends())
        if (send.socket == socket) sending_.push_back({send.bytes, send.destination});
      if (sending_.empty()) continue;
      const auto counts = net::send_datagrams(sockets_[socket], sending_);
      local_.datagrams_sent += counts.sent;
      local_.send_errors += counts.failed;
    }
    for (const auto& alias : outputs_.aliases())
      if (rings_) rings_->alias(alias);
    for (const auto& send : outputs_.sends())
      if (sockets_[send.socket] < 0) send_message(send);
    if (trace_) trace_->sent(outputs_.sends());
    if (engine_.options_.on_account)
      for (const auto line : outputs_.account_lines()) engine_.options_.on_account(line);
    outputs_.clear();
  }
  if (rings_) rings_->commit();
  proxy_->outputs_sent();
  for (const auto slot : done_) region_.finish(slot);
  done_.clear();
  if (const auto messages = std::exchange(messages_, 0)) block_.added_latency.record(monotonic_ns() - received_ns_, messages);
  // What they lead to leaves with the next batch, which is not long.
  if (!unsent_.empty()) return_undelivered();
}

}  // namespace perdure::engine

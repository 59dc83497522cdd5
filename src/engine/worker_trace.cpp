#include "engine/worker_trace.hpp"

#include "engine/clock.hpp"

namespace perdure::engine {

void WorkerTrace::started(std::uint64_t id, std::string_view why) {
  writer_.append({.kind = trace::EntryKind::Start, .id = id, .wall_us = wall_us(), .remote = {}, .local = {}, .bytes = why});
}

void WorkerTrace::received(const proxy::Received& received, std::uint64_t id) {
  const proxy::LocalSocket& socket = sockets_[received.socket];
  writer_.append({.kind = trace::EntryKind::Received,
                  .transport = socket.transport,
                  .id = id,
                  .wall_us = wall_us(),
                  .remote = received.source,
                  .local = socket.address,
                  .bytes = received.bytes});
}

void WorkerTrace::sent(std::span<const proxy::Send> sends) {
  const std::int64_t now_us = wall_us();
  for (const auto& send : sends) {
    const proxy::LocalSocket& socket = sockets_[send.socket];
    writer_.append({.kind = trace::EntryKind::Sent,
                    .transport = socket.transport,
                    .wall_us = now_us,
                    .remote = send.destination,
                    .local = socket.address,
                    .bytes = send.bytes});
  }
}

}  // namespace perdure::engine

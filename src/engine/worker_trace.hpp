#pragma once
// What a worker writes into its ring of the trace.
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/outputs.hpp"
#include "proxy/received.hpp"
#include "trace/ring_file.hpp"

namespace perdure::engine {

class WorkerTrace {
 public:
  // `sockets` outlive it.
  WorkerTrace(trace::Ring ring, std::span<const proxy::LocalSocket> sockets) : writer_(ring), sockets_(sockets) {}

  // This engine begins; `id` is the same for all its workers.
  void started(std::uint64_t id, std::string_view why);
  // `id` is the same when another engine does the message again.
  void received(const proxy::Received& received, std::uint64_t id);
  // Of one batch.
  void sent(std::span<const proxy::Send> sends);

  // Ids: of a datagram by its receive slot, of a message of a connection by its place in the ring of the edge.
  [[nodiscard]] static std::uint64_t datagram_id(std::uint32_t worker, std::uint64_t sequence) {
    return std::uint64_t{worker} << 55 | (sequence & ((std::uint64_t{1} << 55) - 1));
  }
  [[nodiscard]] static std::uint64_t message_id(std::uint32_t worker, std::uint64_t position) {
    return std::uint64_t{1} << 63 | datagram_id(worker, position);
  }

 private:
  trace::RingWriter writer_;
  std::span<const proxy::LocalSocket> sockets_;
};

}  // namespace perdure::engine

#pragma once
// What is counted in the shared memory of metrics/region.hpp. A change of what stands here is another layout: see Region::create.
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "metrics/counter.hpp"
#include "metrics/histogram.hpp"

namespace perdure::metrics {

inline constexpr std::size_t methods_max = 16, status_end = 700, engine_words_max = 128, gateways_max = 4096, gateway_uri_max = 191;

// Of one worker, whichever engine it belongs to. It alone writes.
struct alignas(64) WorkerBlock {
  std::array<Counter, engine_words_max> engine;  // EngineCounters, word by word
  std::array<Counter, methods_max> requests;     // received, by sip::Method
  std::array<Counter, 7> responses;              // received, by class: [1] to [6]
  // The final response of each transaction that has been proxied or answered, by status; of INVITE and of other requests.
  std::array<Counter, status_end> invite_finals, other_finals;
  std::array<Counter, status_end> stateless_replies;
  Histogram added_latency, post_dial_delay, setup_time, script_time, commit_time;
  Histogram ring_inbound;  // what messages of connections waited there for this worker
  Counter script_runs, script_errors;
  Counter script_bytes;  // now
};

// Of a destination, wherever a branch goes there. All workers write.
struct alignas(64) GatewayBlock {
  std::array<char, gateway_uri_max + 1> uri;  // empty: free
  [[nodiscard]] std::string_view name() const { return {uri.data(), strnlen(uri.data(), uri.size())}; }
  Counter requests, timeouts;
  std::array<Counter, 7> responses;  // final ones by class, provisional ones at [1]
};

// Of the engines that have attached, one after the other.
struct alignas(64) AttachBlock {
  Counter attached, recovered, dropped, redelivered, quarantined_messages, quarantined_records, duration_us;
};

}  // namespace perdure::metrics

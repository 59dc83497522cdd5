#pragma once
// What the clients of databases, Redis and HTTP servers count, in one shape, so that administration shows them alike.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace perdure::net {

struct ServiceCounters {
  std::uint64_t requests = 0;    // all that were asked for
  std::uint64_t errors = 0;      // all that ended with an error, those of the next two lines included
  std::uint64_t timeouts = 0;    // not answered before their deadline
  std::uint64_t overloads = 0;   // refused because as many as are allowed were waiting
  std::uint64_t connects = 0;    // connections that were set up
  std::uint64_t latency_us = 0;  // from the request to its callback, sum of all that were not refused
  std::size_t waiting = 0;       // now: not yet begun
  std::size_t in_flight = 0;     // now: begun and not answered
};

using ServiceTime = std::chrono::steady_clock::time_point;

[[nodiscard]] inline ServiceTime service_now() {
  return std::chrono::steady_clock::now();
}

// The end of `timeout` from now; hours for what would overflow.
[[nodiscard]] inline ServiceTime service_deadline(Duration timeout) {
  return service_now() + std::clamp(timeout, Duration(0), Duration(24h));
}

}  // namespace perdure::net

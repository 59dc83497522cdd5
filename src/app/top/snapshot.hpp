#pragma once
// What `perdure top` asks the server for each second, and what it makes of two answers in a row.
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "admin/json_rpc.hpp"
#include "metrics/histogram.hpp"

namespace perdure::app::top {

struct Call {
  std::string call_id, method, state, from, to, uri, branches;
  std::int64_t age_ms = 0;
};

struct Gateway {
  std::string set, uri, state;
  std::uint64_t load = 0, failures = 0;
};

// The answers of one moment.
struct Snapshot {
  std::chrono::steady_clock::time_point at{};
  bool reached = false;
  std::string error;  // why not
  std::string version, listen, drain;
  std::uint64_t uptime_s = 0, edge = 0, engine = 0, starts = 0, recovered = 0, last_pause_us = 0, longest_pause_us = 0, open = 0,
                waiting = 0, store_used = 0, store_max = 0;
  std::string last_reason;
  std::map<std::string, std::uint64_t> counters;     // "proxy.requests"
  std::map<std::string, std::uint64_t> connections;  // by transport
  std::map<std::string, std::uint64_t> codes;        // "INVITE 486"
  std::map<std::string, metrics::Distribution> latency;
  std::vector<Call> calls;
  std::vector<Gateway> gateways;
};

// Of the answers of status, stats.fetchn, stats.responses, stats.latency, tm.list and dispatcher.list; null for what has not come.
struct Answers {
  admin::Json status, counters, responses, latency, calls, gateways;
};
[[nodiscard]] Snapshot read(const Answers& answers, std::chrono::steady_clock::time_point at);

// What has happened between two of them.
struct Rates {
  double seconds = 0;
  [[nodiscard]] double per_second(const std::string& counter) const;
  std::map<std::string, double> counters, codes;  // per second
  std::map<std::string, metrics::Distribution> latency;
};
[[nodiscard]] Rates between(const Snapshot& before, const Snapshot& after);

}  // namespace perdure::app::top

#pragma once
// Where the metrics come from: memory that workers count in, what the edge knows, and what the engine says when it is asked.
#include <map>
#include <string>

#include "admin/http_server.hpp"
#include "admin/json_rpc.hpp"
#include "app/connections_host.hpp"
#include "app/engine_methods.hpp"
#include "app/metrics/calls.hpp"
#include "app/metrics/metric_set.hpp"
#include "edge/supervisor.hpp"
#include "metrics/region.hpp"
#include "trace/hep_exporter.hpp"

namespace perdure::app {

// What engines count each for itself, and begin anew: the sum of all of them.
class Continued {
 public:
  [[nodiscard]] double value(const std::string& name, double now);

 private:
  struct Entry {
    double before = 0, last = 0;
  };
  std::map<std::string, Entry> entries_;
};

// Sums of all workers.
[[nodiscard]] engine::EngineCounters sum_counters(const metrics::Region& region);
[[nodiscard]] CallCounts sum_calls(const metrics::Region& region);

void collect_workers(MetricSet& set, const metrics::Region& region);
void collect_calls(MetricSet& set, const CallCounts& counts, const CallRatios& ratios);
void collect_supervisor(MetricSet& set, const edge::Supervisor& supervisor);
void collect_connections(MetricSet& set, const ConnectionsHost& host);
void collect_http(MetricSet& set, const admin::HttpCounters& counters);
void collect_hep(MetricSet& set, const trace::HepExporter::Counters& counters);

// In the engine: what only it knows. In no thread of a worker, and no worker waits for it.
[[nodiscard]] admin::Json engine_gauges(EngineParts parts);
// In the edge: what the above has said. Nothing of it is taken on trust.
void collect_engine(MetricSet& set, const admin::Json& gauges, Continued& continued);

}  // namespace perdure::app

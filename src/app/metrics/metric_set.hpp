#pragma once
// The metrics of one moment, gathered and written out.
#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/histogram.hpp"

namespace perdure::app {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class MetricSet {
 public:
  // Counters and gauges, by the catalogue's word. A name that is not in the catalogue is a bug: it is left out, and unknown() has it.
  void add(std::string_view name, double value, MetricLabels labels = {});
  // Buckets from `first_ns` to `last_ns`; what is outside of them is in the first, or above all.
  void add(std::string_view name, const metrics::Distribution& distribution, std::uint64_t first_ns, std::uint64_t last_ns);

  // The text format of Prometheus, version 0.0.4.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const std::vector<prometheus::MetricFamily>& families() const { return families_; }
  [[nodiscard]] const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  prometheus::MetricFamily* family(std::string_view name);

  std::vector<prometheus::MetricFamily> families_;
  std::vector<std::string> unknown_;
};

}  // namespace perdure::app

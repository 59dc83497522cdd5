#pragma once
// The one table of metrics: /metrics takes type and text from it, docs/metrics.md is written from it, and what is not in it is not shown.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace perdure::app {

enum class MetricType : std::uint8_t { Counter, Gauge, Histogram };

struct MetricInfo {
  std::string name;  // with the unit at the end
  MetricType type;
  std::string_view labels;  // "method", "worker, direction"; empty: none
  std::string text;
};

[[nodiscard]] std::span<const MetricInfo> metric_catalogue();
// Null: there is none.
[[nodiscard]] const MetricInfo* find_metric(std::string_view name);
// docs/metrics.md
[[nodiscard]] std::string metrics_reference();

}  // namespace perdure::app

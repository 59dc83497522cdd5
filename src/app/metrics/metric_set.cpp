#include "app/metrics/metric_set.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>

#include "app/metrics/catalogue.hpp"

namespace perdure::app {
namespace {

prometheus::MetricType type_of(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return prometheus::MetricType::Counter;
    case MetricType::Gauge:
      return prometheus::MetricType::Gauge;
    case MetricType::Histogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

}  // namespace

prometheus::MetricFamily* MetricSet::family(std::string_view name) {
  if (!families_.empty() && families_.back().name == name) return &families_.back();
  const auto found = std::ranges::find(families_, name, &prometheus::MetricFamily::name);
  if (found != families_.end()) return &*found;
  const MetricInfo* const info = find_metric(name);
  if (!info) {
    unknown_.emplace_back(name);
    return nullptr;
  }
  auto& made = families_.emplace_back();
  made.name = info->name;
  made.help = info->text;
  made.type = type_of(info->type);
  return &made;
}

void MetricSet::add(std::string_view name, double value, MetricLabels labels) {
  auto* const in = family(name);
  if (!in) return;
  auto& metric = in->metric.emplace_back();
  for (auto& [label, text] : labels) metric.label.push_back({std::move(label), std::move(text)});
  if (in->type == prometheus::MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
}

void MetricSet::add(std::string_view name, const metrics::Distribution& distribution, std::uint64_t first_ns, std::uint64_t last_ns) {
  auto* const in = family(name);
  if (!in) return;
  auto& histogram = in->metric.emplace_back().histogram;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < metrics::bounds_count; ++i) {
    seen += distribution.buckets[i];
    const auto bound = metrics::bound_ns(i);
    if (bound >= first_ns && bound <= last_ns) histogram.bucket.push_back({seen, static_cast<double>(bound) / 1e9});
  }
  histogram.sample_count = distribution.count();
  histogram.sample_sum = static_cast<double>(distribution.sum_ns) / 1e9;
}

std::string MetricSet::text() const {
  return prometheus::TextSerializer().Serialize(families_);
}

}  // namespace perdure::app

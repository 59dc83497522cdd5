#include "metrics/histogram.hpp"

#include <cmath>
#include <numeric>

namespace perdure::metrics {

std::uint64_t Distribution::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

std::uint64_t Distribution::quantile_ns(double share) const {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bounds_count; ++i) {
    seen += buckets[i];
    if (seen >= wanted) return bound_ns(i);
  }
  return bound_ns(bounds_count - 1);
}

void Histogram::add_to(Distribution& distribution) const {
  for (std::size_t i = 0; i < buckets_.size(); ++i) distribution.buckets[i] += buckets_[i].get();
  distribution.sum_ns += sum_ns_.get();
}

}  // namespace perdure::metrics

#pragma once
// Durations in fixed buckets: nine to a decade, from 100 ns to 900 s, so that bounds are round numbers and no bucket is wider than what it
// holds. Lives in shared memory; one thread records.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "metrics/counter.hpp"

namespace perdure::metrics {

inline constexpr std::size_t decades = 10, bounds_count = 9 * decades;
inline constexpr std::uint64_t first_bound_ns = 100;

// Bucket i holds durations up to bound_ns(i); the last bucket, bounds_count, those above all bounds.
[[nodiscard]] constexpr std::uint64_t bound_ns(std::size_t i) {
  std::uint64_t bound = first_bound_ns * (i % 9 + 1);
  for (std::size_t decade = i / 9; decade > 0; --decade) bound *= 10;
  return bound;
}

[[nodiscard]] constexpr std::size_t bucket_of(std::uint64_t ns) {
  constexpr auto powers = [] {
    std::array<std::uint64_t, 20> table{1};
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = table[i - 1] * 10;
    return table;
  }();
  if (ns <= first_bound_ns) return 0;
  const std::uint64_t below = ns - 1;                                          // a bound belongs to the bucket that ends there
  auto digits = static_cast<std::size_t>(std::bit_width(below)) * 1233 >> 12;  // log10(2) is 1233 / 4096
  if (below < powers[digits]) --digits;
  return std::min((digits - 2) * 9 + below / powers[digits], bounds_count);
}

// What a histogram held at one moment.
struct Distribution {
  std::array<std::uint64_t, bounds_count + 1> buckets{};
  std::uint64_t sum_ns = 0;

  [[nodiscard]] std::uint64_t count() const;
  // The bound that `share` (0 to 1) of all durations do not pass; 0 if there are none.
  [[nodiscard]] std::uint64_t quantile_ns(double share) const;
};

class Histogram {
 public:
  void record(std::uint64_t ns, std::uint64_t times = 1) {
    buckets_[bucket_of(ns)].add(times);
    sum_ns_.add(ns * times);
  }
  void add_to(Distribution& distribution) const;

 private:
  std::array<Counter, bounds_count + 1> buckets_;
  Counter sum_ns_;
};

}  // namespace perdure::metrics

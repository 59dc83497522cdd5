// Times in nanoseconds in buckets that are at most 1 % wide, so that nothing is allocated while it is filled.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace perdure::bench {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++buckets_[bucket_of(nanoseconds)];
    ++count_;
    if (nanoseconds > max_) max_ = nanoseconds;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }

  // Upper end of the bucket that holds this quantile (0 to 1); 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) return end_of(i) < max_ ? end_of(i) : max_;
    }
    return max_;
  }

 private:
  // Each power of two is cut into 128 equal buckets.
  static constexpr unsigned fine_bits = 7;
  static constexpr std::size_t fine = 1U << fine_bits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < fine) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - fine_bits - 1;
    return ((shift + 1) * fine) + ((value >> shift) - fine);
  }
  static std::uint64_t end_of(std::size_t bucket) {
    if (bucket < fine) return bucket;
    const auto shift = (bucket / fine) - 1;
    return (((bucket % fine) + fine + 1) << shift) - 1;
  }

  std::array<std::uint32_t, (64 - fine_bits + 1) * fine> buckets_{};
  std::uint64_t count_ = 0, max_ = 0;
};

}  // namespace perdure::bench

#include "metrics/histogram.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace perdure::metrics {
namespace {

TEST(Histogram, BoundsAreNineToADecade) {
  EXPECT_EQ(bound_ns(0), 100U);
  EXPECT_EQ(bound_ns(8), 900U);
  EXPECT_EQ(bound_ns(9), 1'000U);
  EXPECT_EQ(bound_ns(bounds_count - 1), 900'000'000'000U);
}

TEST(Histogram, EachDurationIsInTheBucketThatEndsAtOrAfterIt) {
  EXPECT_EQ(bucket_of(0), 0U);
  for (std::size_t i = 0; i < bounds_count; ++i) {
    EXPECT_EQ(bucket_of(bound_ns(i)), i) << bound_ns(i);
    EXPECT_EQ(bucket_of(bound_ns(i) + 1), i + 1) << bound_ns(i);
  }
  EXPECT_EQ(bucket_of(UINT64_MAX), bounds_count);
}

TEST(Histogram, QuantilesAreBoundsThatTheShareDoesNotPass) {
  const auto histogram = std::make_unique<Histogram>();
  Distribution none;
  histogram->add_to(none);
  EXPECT_EQ(none.quantile_ns(0.5), 0U);
  histogram->record(1'500, 90);
  histogram->record(1'000'000, 9);
  histogram->record(5'000'000'000'000);
  Distribution all;
  histogram->add_to(all);
  EXPECT_EQ(all.count(), 100U);
  EXPECT_EQ(all.sum_ns, 90U * 1'500 + 9U * 1'000'000 + 5'000'000'000'000U);
  EXPECT_EQ(all.quantile_ns(0.5), 2'000U);
  EXPECT_EQ(all.quantile_ns(0.9), 2'000U);
  EXPECT_EQ(all.quantile_ns(0.99), 1'000'000U);
  EXPECT_EQ(all.quantile_ns(1), bound_ns(bounds_count - 1));
}

}  // namespace
}  // namespace perdure::metrics

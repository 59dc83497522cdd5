// The metrics without a server: catalogue, outcomes of calls, and what goes on over engines.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "app/administration.hpp"
#include "app/engine_counters.hpp"
#include "app/metrics/calls.hpp"
#include "app/metrics/catalogue.hpp"
#include "app/metrics/collect.hpp"

namespace perdure::app {
namespace {

using namespace std::chrono_literals;

TEST(Metrics, EachHasANameWithItsUnitAndAText) {
  std::string before;
  for (const auto& metric : metric_catalogue()) {
    EXPECT_LT(before, metric.name);
    EXPECT_TRUE(metric.name.starts_with("perdure_")) << metric.name;
    EXPECT_GT(metric.text.size(), 10U) << metric.name;
    EXPECT_EQ(metric.type == MetricType::Counter, metric.name.ends_with("_total")) << metric.name;
    if (metric.type == MetricType::Histogram) {
      EXPECT_TRUE(metric.name.ends_with("_seconds")) << metric.name;
    }
    before = metric.name;
  }
  EXPECT_EQ(find_metric("perdure_nothing"), nullptr);
}

TEST(Metrics, WhatIsNotInTheCatalogueIsLeftOutAndNoticed) {
  MetricSet set;
  set.add("perdure_nothing", 1);
  set.add("perdure_up", 1);
  EXPECT_EQ(set.unknown(), std::vector<std::string>{"perdure_nothing"});
  EXPECT_EQ(set.text().find("nothing"), std::string::npos);
  EXPECT_NE(set.text().find("# TYPE perdure_up gauge\nperdure_up 1\n"), std::string::npos) << set.text();
}

TEST(Metrics, AHistogramHasRoundBoundsAndCountsWhatIsOutsideOfThem) {
  metrics::Distribution distribution;
  distribution.buckets[metrics::bucket_of(50)] = 1;
  distribution.buckets[metrics::bucket_of(1'500'000)] = 2;
  distribution.buckets[metrics::bucket_of(100'000'000'000)] = 3;
  distribution.sum_ns = 2'500'000'000;
  MetricSet set;
  set.add("perdure_script_seconds", distribution, 1'000'000, 1'000'000'000);
  const auto text = set.text();
  for (const char* line : {"_bucket{le=\"0.001\"} 1\n", "_bucket{le=\"0.002\"} 3\n", "_bucket{le=\"1\"} 3\n", "_bucket{le=\"+Inf\"} 6\n",
                           "_count 6\n", "_sum 2.5\n"})
    EXPECT_NE(text.find(std::string("perdure_script_seconds") + line), std::string::npos) << line << text;
}

TEST(Metrics, EveryCounterOfEnginesIsInTheTableOnce) {
  std::set<std::string> names;
  for (const auto& counter : engine_counters()) EXPECT_TRUE(names.insert(std::string(counter.name)).second) << counter.name;
  // All words of the struct but the two that say what is now.
  EXPECT_EQ(engine_counters().size(), sizeof(engine::EngineCounters) / sizeof(std::uint64_t) - 2)
      << "a counter without a name and a text in engine_counters.cpp";
}

TEST(Metrics, CountersOfEnginesGoOnOverTheirEnds) {
  Continued continued;
  EXPECT_EQ(continued.value("a", 5), 5);
  EXPECT_EQ(continued.value("a", 7), 7);
  EXPECT_EQ(continued.value("a", 2), 9) << "another engine counts from the beginning";
  EXPECT_EQ(continued.value("a", 3), 10);
  EXPECT_EQ(continued.value("b", 1), 1);
}

TEST(Calls, OutcomesSayWhetherTheNetworkOrTheUserEndedThem) {
  EXPECT_EQ(outcome_of(200), CallOutcome::Answered);
  EXPECT_EQ(outcome_of(302), CallOutcome::Redirected);
  EXPECT_EQ(outcome_of(407), CallOutcome::Challenged);
  EXPECT_EQ(outcome_of(486), CallOutcome::Busy);
  EXPECT_EQ(outcome_of(487), CallOutcome::NoAnswer);
  EXPECT_EQ(outcome_of(603), CallOutcome::Rejected);
  EXPECT_EQ(outcome_of(404), CallOutcome::NotFound);
  EXPECT_EQ(outcome_of(503), CallOutcome::Failed);
}

TEST(Calls, RatiosAreOfTheLastFiveMinutes) {
  CallRatios ratios;
  const CallRatios::Clock::time_point start{};
  std::array<std::uint64_t, 700> counts{};
  ratios.sample(count_calls(counts), start);
  EXPECT_FALSE(ratios.ratios().has_value());
  counts[200] = 6;
  counts[486] = 2;
  counts[503] = 2;
  counts[407] = 90;  // no call has ended by these
  ratios.sample(count_calls(counts), start + 60s);
  ASSERT_TRUE(ratios.ratios().has_value());
  EXPECT_DOUBLE_EQ(ratios.ratios()->answer_seizure, 0.6);
  EXPECT_DOUBLE_EQ(ratios.ratios()->network_efficiency, 0.8);
  counts[503] += 10;
  for (int second = 65; second <= 500; second += 5) ratios.sample(count_calls(counts), start + std::chrono::seconds(second));
  EXPECT_FALSE(ratios.ratios().has_value()) << "all of that is longer ago";
}

TEST(Audit, ALineSaysWhoAskedForWhatAndHowItEnded) {
  EXPECT_EQ(audit_line("user 0, process 7", "dispatcher.set_state", {"i", 1, "all"}, admin::Json::object()),
            "administration: dispatcher.set_state [\"i\",1,\"all\"] by user 0, process 7: done");
  const auto refused = audit_line("http 192.0.2.1:5", "reload", admin::Json::array({std::string(1000, 'x')}), admin::rpc_fail("no"));
  EXPECT_LT(refused.size(), 300U);
  EXPECT_TRUE(refused.ends_with("by http 192.0.2.1:5: no")) << refused;
}

}  // namespace
}  // namespace perdure::app

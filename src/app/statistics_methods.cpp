#include "app/statistics_methods.hpp"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/engine_counters.hpp"
#include "app/metrics/collect.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using admin::rpc_code::invalid_params;

// Layout of Kamailio's stats.fetch and stats.fetchn: values as texts, or as numbers.
RpcResult fetch(const metrics::Region& region, const Json& params, bool numbers) {
  if (!params.is_array()) return rpc_fail("parameters are names", invalid_params);
  std::vector<std::string> wanted;
  for (const auto& param : params) wanted.push_back(param.get<std::string>());
  if (wanted.empty()) wanted.emplace_back("all");
  Json out = Json::object();
  const auto counters = named_counters(sum_counters(region));
  for (const auto& name : wanted) {
    bool found = false;
    for (const auto& counter : counters) {
      const auto full = fmt::format("{}.{}", counter.group, counter.name);
      if (name != "all" && name != fmt::format("{}:", counter.group) && name != counter.name && name != full) continue;
      out[full] = numbers ? Json(counter.value) : Json(std::to_string(counter.value));
      found = true;
    }
    if (!found) return rpc_fail(fmt::format("there is no counter or group '{}'", name), invalid_params);
  }
  return out;
}

// Layout of Kamailio's sl.stats: each code, and each class for the codes that it has no line for.
Json stateless(const metrics::Region& region) {
  constexpr std::uint16_t shown[] = {200, 202, 300, 301, 302, 400, 401, 403, 404, 407, 408, 483, 500};
  std::map<std::string, std::uint64_t> counts;
  for (const auto code : shown) counts[std::to_string(code)] = 0;
  for (const char* group : {"2xx", "3xx", "4xx", "5xx", "6xx", "xxx"}) counts[group] = 0;
  for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker)
    for (std::size_t code = 100; code < metrics::status_end; ++code) {
      const auto count = region.worker(worker).stateless_replies[code].get();
      const auto exact = counts.find(std::to_string(code));
      if (exact != counts.end())
        exact->second += count;
      else
        counts[code < 200 ? "xxx" : fmt::format("{}xx", code / 100)] += count;
    }
  return counts;
}

Json distribution_json(const metrics::Distribution& distribution) {
  const auto ms = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e6; };
  const auto count = distribution.count();
  return {{"count", count},
          {"mean_ms", count ? ms(distribution.sum_ns / count) : 0.0},
          {"p50_ms", ms(distribution.quantile_ns(0.5))},
          {"p90_ms", ms(distribution.quantile_ns(0.9))},
          {"p99_ms", ms(distribution.quantile_ns(0.99))},
          {"max_ms", ms(distribution.quantile_ns(1))},
          {"sum_ns", distribution.sum_ns},
          {"buckets", distribution.buckets}};
}

// Final responses of transactions by code.
Json responses(const metrics::Region& region) {
  using metrics::WorkerBlock;
  const auto of = [&](auto member) {
    Json counts = Json::object();
    for (std::size_t code = 100; code < metrics::status_end; ++code) {
      std::uint64_t count = 0;
      for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker) count += (region.worker(worker).*member)[code].get();
      if (count) counts[std::to_string(code)] = count;
    }
    return counts;
  };
  return {{"INVITE", of(&WorkerBlock::invite_finals)}, {"other", of(&WorkerBlock::other_finals)}};
}

Json latency(const metrics::Region& region, const metrics::Histogram* ring_outbound) {
  using metrics::WorkerBlock;
  const auto of = [&](metrics::Histogram WorkerBlock::*member) {
    metrics::Distribution all;
    for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker) (region.worker(worker).*member).add_to(all);
    return distribution_json(all);
  };
  metrics::Distribution outbound;
  if (ring_outbound) ring_outbound->add_to(outbound);
  return {{"added_latency", of(&WorkerBlock::added_latency)}, {"post_dial_delay", of(&WorkerBlock::post_dial_delay)},
          {"call_setup", of(&WorkerBlock::setup_time)},       {"script", of(&WorkerBlock::script_time)},
          {"commit", of(&WorkerBlock::commit_time)},          {"ring_inbound", of(&WorkerBlock::ring_inbound)},
          {"ring_outbound", distribution_json(outbound)}};
}

}  // namespace

void add_statistics_methods(admin::MethodTable& methods, std::function<const metrics::Region*()> region,
                            std::function<const metrics::Histogram*()> ring_outbound) {
  const auto add = [&](const char* name, auto answer) {
    methods.add(name, [region, answer](const Json& params) -> RpcResult {
      const auto* const counted = region();
      if (!counted) return rpc_fail("the server is starting");
      return answer(*counted, params);
    });
  };
  add("stats.fetch", [](const metrics::Region& counted, const Json& params) { return fetch(counted, params, false); });
  add("stats.fetchn", [](const metrics::Region& counted, const Json& params) { return fetch(counted, params, true); });
  add("stats.latency",
      [ring_outbound](const metrics::Region& counted, const Json&) -> RpcResult { return latency(counted, ring_outbound()); });
  add("stats.responses", [](const metrics::Region& counted, const Json&) -> RpcResult { return responses(counted); });
  add("sl.stats", [](const metrics::Region& counted, const Json&) -> RpcResult { return stateless(counted); });
}

}  // namespace perdure::app

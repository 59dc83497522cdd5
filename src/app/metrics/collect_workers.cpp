#include <fmt/format.h>

#include <array>
#include <bit>

#include "app/engine_counters.hpp"
#include "app/metrics/collect.hpp"
#include "sip/method.hpp"

namespace perdure::app {
namespace {

using metrics::WorkerBlock;

constexpr std::uint64_t us = 1'000, ms = 1'000'000, s = 1'000'000'000;

template <std::size_t size>
std::array<std::uint64_t, size> sum(const metrics::Region& region, std::array<metrics::Counter, size> WorkerBlock::*member) {
  std::array<std::uint64_t, size> total{};
  for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker)
    for (std::size_t i = 0; i < size; ++i) total[i] += (region.worker(worker).*member)[i].get();
  return total;
}

std::uint64_t sum(const metrics::Region& region, metrics::Counter WorkerBlock::*member) {
  std::uint64_t total = 0;
  for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker) total += (region.worker(worker).*member).get();
  return total;
}

metrics::Distribution sum(const metrics::Region& region, metrics::Histogram WorkerBlock::*member) {
  metrics::Distribution total;
  for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker) (region.worker(worker).*member).add_to(total);
  return total;
}

engine::EngineCounters counters_of(const WorkerBlock& block) {
  std::array<std::uint64_t, sizeof(engine::EngineCounters) / sizeof(std::uint64_t)> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = block.engine[i].get();
  return std::bit_cast<engine::EngineCounters>(words);
}

std::string text_of(std::size_t number) {
  return fmt::format("{}", number);
}

void collect_messages(MetricSet& set, const metrics::Region& region) {
  const auto requests = sum(region, &WorkerBlock::requests);
  for (std::size_t i = 0; i <= static_cast<std::size_t>(sip::Method::Publish); ++i) {
    const auto method = name(static_cast<sip::Method>(i));
    set.add("perdure_requests_received_total", static_cast<double>(requests[i]),
            {{"method", method.empty() ? "other" : std::string(method)}});
  }
  const auto responses = sum(region, &WorkerBlock::responses);
  for (std::size_t i = 1; i < responses.size(); ++i)
    set.add("perdure_responses_received_total", static_cast<double>(responses[i]), {{"class", fmt::format("{}xx", i)}});
  const auto finals = [&](const auto& counts, const char* request) {
    for (std::size_t status = 200; status < counts.size(); ++status)
      if (counts[status])
        set.add("perdure_final_responses_total", static_cast<double>(counts[status]), {{"request", request}, {"code", text_of(status)}});
  };
  finals(sum(region, &WorkerBlock::invite_finals), "INVITE");
  finals(sum(region, &WorkerBlock::other_finals), "other");
  const auto stateless = sum(region, &WorkerBlock::stateless_replies);
  for (std::size_t status = 100; status < stateless.size(); ++status)
    if (stateless[status]) set.add("perdure_stateless_replies_total", static_cast<double>(stateless[status]), {{"code", text_of(status)}});
}

void collect_gateways(MetricSet& set, const metrics::Region& region) {
  for (const auto* const gateway : region.gateways()) {
    const std::string uri(gateway->name());
    set.add("perdure_gateway_requests_total", static_cast<double>(gateway->requests.get()), {{"gateway", uri}});
    set.add("perdure_gateway_timeouts_total", static_cast<double>(gateway->timeouts.get()), {{"gateway", uri}});
    for (std::size_t i = 1; i < gateway->responses.size(); ++i)
      set.add("perdure_gateway_responses_total", static_cast<double>(gateway->responses[i].get()),
              {{"gateway", uri}, {"class", fmt::format("{}xx", i)}});
  }
}

void collect_attaches(MetricSet& set, const metrics::AttachBlock& attaches) {
  const auto add = [&](const char* name, const metrics::Counter& counter) { set.add(name, static_cast<double>(counter.get())); };
  set.add("perdure_attach_seconds_total", static_cast<double>(attaches.duration_us.get()) / 1e6);
  add("perdure_records_recovered_total", attaches.recovered);
  add("perdure_records_dropped_total", attaches.dropped);
  add("perdure_records_quarantined_total", attaches.quarantined_records);
  add("perdure_messages_redelivered_total", attaches.redelivered);
  add("perdure_messages_quarantined_total", attaches.quarantined_messages);
}

}  // namespace

engine::EngineCounters sum_counters(const metrics::Region& region) {
  const auto words = sum(region, &WorkerBlock::engine);
  std::array<std::uint64_t, sizeof(engine::EngineCounters) / sizeof(std::uint64_t)> used;
  std::copy_n(words.begin(), used.size(), used.begin());
  return std::bit_cast<engine::EngineCounters>(used);
}

CallCounts sum_calls(const metrics::Region& region) {
  return count_calls(sum(region, &WorkerBlock::invite_finals));
}

void collect_workers(MetricSet& set, const metrics::Region& region) {
  for (const auto& counter : named_counters(sum_counters(region)))
    set.add(fmt::format("perdure_{}_{}_total", counter.group, counter.name), static_cast<double>(counter.value));
  collect_messages(set, region);
  set.add("perdure_added_latency_seconds", sum(region, &WorkerBlock::added_latency), 10 * us, 10 * s);
  set.add("perdure_post_dial_delay_seconds", sum(region, &WorkerBlock::post_dial_delay), ms, 300 * s);
  set.add("perdure_call_setup_seconds", sum(region, &WorkerBlock::setup_time), ms, 300 * s);
  set.add("perdure_script_seconds", sum(region, &WorkerBlock::script_time), us, s);
  set.add("perdure_commit_seconds", sum(region, &WorkerBlock::commit_time), 100, 100 * ms);
  set.add("perdure_ring_inbound_seconds", sum(region, &WorkerBlock::ring_inbound), us, s);
  set.add("perdure_script_runs_total", static_cast<double>(sum(region, &WorkerBlock::script_runs)));
  set.add("perdure_script_failures_total", static_cast<double>(sum(region, &WorkerBlock::script_errors)));
  for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker) {
    const auto counters = counters_of(region.worker(worker));
    const std::string number = text_of(worker);
    set.add("perdure_transactions_open", static_cast<double>(counters.open_transactions), {{"worker", number}});
    set.add("perdure_callbacks_waiting", static_cast<double>(counters.waiting), {{"worker", number}});
    set.add("perdure_script_memory_bytes", static_cast<double>(region.worker(worker).script_bytes.get()), {{"worker", number}});
  }
  collect_gateways(set, region);
  collect_attaches(set, region.attaches());
}

void collect_calls(MetricSet& set, const CallCounts& counts, const CallRatios& ratios) {
  for (std::size_t i = 0; i < counts.size(); ++i)
    set.add("perdure_calls_total", static_cast<double>(counts[i]), {{"outcome", std::string(name(static_cast<CallOutcome>(i)))}});
  const auto now = ratios.ratios();
  if (!now) return;
  set.add("perdure_answer_seizure_ratio", now->answer_seizure);
  set.add("perdure_network_efficiency_ratio", now->network_efficiency);
}

}  // namespace perdure::app

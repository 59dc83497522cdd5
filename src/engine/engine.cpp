#include "engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/assert.hpp"
#include "base/logging.hpp"
#include "engine/blame.hpp"
#include "engine/clock.hpp"
#include "engine/quarantine.hpp"
#include "engine/worker.hpp"
#include "engine/worker_rings.hpp"

namespace perdure::engine {

Engine::Engine(EngineOptions options) : options_(std::move(options)) {
  PERDURE_ASSERT(options_.region && options_.region->worker_count() == options_.workers);
  PERDURE_ASSERT(!options_.rings || options_.rings->worker_count() == options_.workers);
  PERDURE_ASSERT(options_.sockets.size() == options_.proxy.sockets.size() * options_.workers);
}

Engine::~Engine() {
  stop();
}

Time Engine::now() const {
  return surviving().now(monotonic_us());
}

Result<> Engine::open_stores() {
  store::Options options = options_.store;
  options.kinds = proxy::store_kinds();
  options.quarantine = options_.quarantine;
  options.monotonic_us = monotonic_us();
  options.wall_us = wall_us();
  if (options_.persist == proxy::Persist::Off) options.path.clear();  // memory of this process
  auto surviving = store::Store::open(options);
  if (!surviving) return std::unexpected(surviving.error());
  stores_.push_back(std::move(*surviving));
  if (options_.persist != proxy::Persist::Routes) return {};
  // The transactions themselves stay in this process; as many partitions as the file has.
  options.path.clear();
  options.partitions = stores_.front()->partition_count();
  options.durability = store::Durability::Process;
  auto transactions = store::Store::open(options);
  if (!transactions) return std::unexpected(transactions.error());
  stores_.push_back(std::move(*transactions));
  return {};
}

Result<EngineReport> Engine::attach(edge::Death death) {
  const auto began = std::chrono::steady_clock::now();
  report_ = {};
  if (auto opened = open_stores(); !opened) {
    stores_.clear();
    return std::unexpected(opened.error());
  }
  report_.recovered = surviving().attached().records;
  report_.dropped = surviving().attached().dropped;
  if (options_.on_opened)
    if (auto opened = options_.on_opened(now()); !opened) {
      stores_.clear();
      return std::unexpected(opened.error());
    }
  open_trace();
  if (options_.rings) options_.rings->set_partitions(partition_count());
  put_poison_aside(death);
  options_.proxy.secret = surviving().secret();
  const proxy::Stores stores(*stores_.back(), options_.persist == proxy::Persist::Routes ? stores_.front().get() : nullptr);
  for (std::uint32_t i = 0; i < options_.workers; ++i) workers_.push_back(std::make_unique<Worker>(*this, i, stores));
  const auto start_id = static_cast<std::uint64_t>(wall_us());
  const auto why =
      death == edge::Death::None ? std::string("an engine starts") : fmt::format("the engine {}, the next one goes on", edge::how(death));
  for (const auto& worker : workers_) worker->trace_start(start_id, why);
  attach_workers();
  redeliver();
  report_.attach_duration = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began);
  if (options_.metrics) count_attach();
  return report_;
}

void Engine::count_attach() {
  auto& counts = options_.metrics->attaches();
  counts.attached.add();
  counts.recovered.add(report_.recovered);
  counts.dropped.add(report_.dropped);
  counts.redelivered.add(report_.redelivered);
  counts.quarantined_messages.add(report_.quarantined_messages);
  counts.quarantined_records.add(report_.quarantined_records);
  counts.duration_us.add(static_cast<std::uint64_t>(report_.attach_duration.count()));
}

void Engine::set_gateways(const std::shared_ptr<const metrics::Gateways>& gateways) {
  for (const auto& worker : workers_) worker->set_gateways(gateways);
}

// Calls do not wait for it.
void Engine::open_trace() {
  if (options_.trace.empty()) return;
  auto opened = trace::RingFile::open(options_.trace, options_.workers, options_.trace_bytes);
  if (opened)
    trace_ = std::move(*opened);
  else
    log::error("messages are not kept: {}", opened.error().message);
}

// They share nothing, so each takes over its part in a thread of its own.
void Engine::attach_workers() {
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < workers_.size(); ++i) helpers.emplace_back([this, i] { workers_[i]->attach(now()); });
  workers_.front()->attach(now());
}

void Engine::put_poison_aside(edge::Death death) {
  edge::SharedRegion& region = *options_.region;
  const Poison poison = assign_blame(region, options_.rings, death);
  for (const auto slot : poison.messages) {
    quarantine_message(region.bytes(slot), region.source(slot), region.info(slot).sequence, death);
    region.finish(slot);
  }
  for (std::uint32_t worker = 0; options_.rings && worker < options_.workers; ++worker) {
    WorkerRings rings(*options_.rings, worker);
    for (const auto& [position, entry] : rings.poison()) {
      quarantine_message(entry.bytes, entry.address, position, death);
      rings.discard(position);
    }
    report_.redelivered += rings.waiting();
  }
  // A record of a store that died with its process is nobody's any more; the id may be that of another one by now.
  if (options_.persist != proxy::Persist::Full) return;
  for (const auto record : poison.records) {
    if (!surviving().quarantine(store::RecordId{record}, fmt::format("engines died with it in work, the last one {}", edge::name(death))))
      continue;
    ++report_.quarantined_records;
    log::error("record {} was in work when engines died: it is in quarantine", record);
  }
}

void Engine::quarantine_message(std::string_view bytes, const SocketAddress& address, std::uint64_t sequence, edge::Death death) {
  ++report_.quarantined_messages;
  const std::string source = address.text();
  if (options_.quarantine.empty()) {
    log::error("a message from {} was in work when engines died: it is dropped", source);
    return;
  }
  const auto reason = fmt::format("from {}; engines died with it in work, the last one {}", source, edge::name(death));
  const auto written = write_poison_message(options_.quarantine, bytes, reason, sequence, wall_us());
  if (written)
    log::error("a message from {} was in work when engines died: it is in {}", source, *written);
  else
    log::error("a message from {} was in work when engines died: it is dropped, it cannot be written to {}", source,
               written.error().message);
}

void Engine::redeliver() {
  edge::SharedRegion& region = *options_.region;
  std::vector<std::uint64_t> next(options_.workers, 1);
  for (const auto slot : region.taken()) {
    if (!region.is_sound(slot, options_.proxy.sockets.size())) {
      log::error("a receive slot that the engine before damaged is dropped");
      region.finish(slot);
      continue;
    }
    const std::uint32_t owner = proxy::partition_of(region.bytes(slot), partition_count()) % options_.workers;
    next[slot.worker] = std::max(next[slot.worker], region.info(slot).sequence + 1);
    workers_[owner]->redeliver(slot);
    ++report_.redelivered;
  }
  // By the clock, so that no two datagrams ever have the same: a worker receives fewer than 64 in a microsecond.
  const auto first = static_cast<std::uint64_t>(monotonic_us()) * 64;
  reading_.store(options_.workers, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < options_.workers; ++i) workers_[i]->start(std::max(next[i], first));
}

void Engine::stop() {
  for (const auto& worker : workers_) worker->request_stop();
  for (const auto& worker : workers_) worker->join();
  if (options_.on_joined) options_.on_joined();
  if (!stores_.empty()) surviving().heartbeat(now(), wall_us());
  workers_.clear();
  stores_.clear();
}

void Engine::run_on_worker(std::uint32_t worker, std::function<void(proxy::Proxy&)> f) {
  PERDURE_ASSERT(worker < workers_.size());
  workers_[worker]->post([f = std::move(f)](proxy::Proxy& proxy, Time, proxy::Outputs&) { f(proxy); });
}

void Engine::run_on_worker(std::uint32_t worker, std::function<void(proxy::Proxy&, Time, proxy::Outputs&)> f) {
  PERDURE_ASSERT(worker < workers_.size());
  workers_[worker]->post(std::move(f));
}

bool Engine::run_on_all(const std::function<void(std::uint32_t, proxy::Proxy&)>& f, Duration timeout) {
  // Outlives this call if a worker is late; `f` itself is not touched after it.
  struct State {
    std::mutex mutex;
    std::condition_variable done;
    std::size_t left = 0;
    bool given_up = false;
  };
  const auto state = std::make_shared<State>();
  state->left = workers_.size();
  for (std::uint32_t i = 0; i < workers_.size(); ++i)
    workers_[i]->post([state, &f, i](proxy::Proxy& proxy, Time, proxy::Outputs&) {
      const std::scoped_lock lock(state->mutex);
      if (state->given_up) return;
      f(i, proxy);
      if (--state->left == 0) state->done.notify_all();
    });
  std::unique_lock lock(state->mutex);
  const bool all = state->done.wait_for(lock, timeout, [&] { return state->left == 0; });
  state->given_up = true;
  return all;
}

EngineCounters Engine::counters() const {
  constexpr std::size_t words = sizeof(EngineCounters) / sizeof(std::uint64_t);
  std::array<std::uint64_t, words> sum{};
  for (const auto& worker : workers_) {
    const auto part = std::bit_cast<std::array<std::uint64_t, words>>(worker->counters());
    for (std::size_t i = 0; i < words; ++i) sum[i] += part[i];
  }
  return std::bit_cast<EngineCounters>(sum);
}

store::Usage Engine::store_usage() const {
  store::Usage usage = stores_.back()->usage();
  if (stores_.size() == 1) return usage;
  const store::Usage routes = stores_.front()->usage();
  return {usage.used_bytes + routes.used_bytes, usage.claimed_bytes + routes.claimed_bytes, usage.max_bytes};
}

}  // namespace perdure::engine

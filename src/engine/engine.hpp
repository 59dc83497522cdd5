#pragma once
// The engine process without its command channel: stores, proxies and worker threads. One per process.
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "edge/channel.hpp"
#include "edge/ring_region.hpp"
#include "edge/shared_region.hpp"
#include "metrics/gateways.hpp"
#include "metrics/region.hpp"
#include "proxy/proxy.hpp"
#include "store/store.hpp"
#include "trace/ring_file.hpp"

namespace perdure::engine {

class Worker;

struct EngineOptions {
  proxy::ProxyOptions proxy;
  proxy::Persist persist = proxy::Persist::Full;
  store::Options store;  // of what survives; kinds and the readings of the clocks are filled in by attach()
  std::uint32_t workers = 1;
  std::vector<int> sockets;              // UDP: of listen address i and worker w at i * workers + w; not owned; -1: not of UDP
  edge::SharedRegion* region = nullptr;  // for `workers`
  edge::RingRegion* rings = nullptr;     // the same; null: no listen address has connections
  metrics::Region* metrics = nullptr;    // the same; null: what is counted ends with the engine
  std::string trace;                     // file of the last messages; empty: they are not kept
  std::uint64_t trace_bytes = 0;         // its size
  Duration gather = 500us;               // how long a worker leaves datagrams alone that come closely after others
  std::string quarantine;                // folder of poison messages and records; empty: they are dropped and counted
  std::uint64_t seed = 0;                // of the random numbers; another one in each process
  // One per worker, used in its thread only.
  std::function<std::unique_ptr<proxy::RouteRunner>(std::uint32_t worker)> make_runner;
  // The store is open, no worker runs yet: what else must outlive an engine attaches here. May be empty.
  std::function<Result<>(Time now)> on_opened;
  // No worker runs any more, and all are still there: who wakes their callbacks from other threads ends here. May be empty.
  std::function<void()> on_joined;
  // The worker's proxy has attached, no worker runs yet. May be empty.
  std::function<void(std::uint32_t worker, Time now, proxy::Proxy&, proxy::Outputs&)> on_worker_attached;
  // A line for the accounting log, in the thread of a worker or of attach(). May be empty.
  std::function<void(std::string_view line)> on_account;
  // In the worker's thread about every 50 ms, with what it sends: probes and the like. May be empty.
  std::function<void(std::uint32_t worker, Time now, proxy::Proxy&, proxy::Outputs&)> on_worker_tick;
};

struct EngineReport {
  std::uint64_t recovered = 0, dropped = 0, redelivered = 0, quarantined_messages = 0, quarantined_records = 0;
  Duration attach_duration{};
};

// Counters of one worker or the sum of all, since the engine attached.
struct EngineCounters {
  proxy::ProxyCounters proxy;
  std::uint64_t datagrams_received = 0, empty = 0 /* of them */, datagrams_sent = 0, send_errors = 0, handed_over = 0;
  // Of connections; `ring_full`: messages that the edge did not take in time, `ring_damaged`: the memory made no sense.
  std::uint64_t ring_received = 0, ring_sent = 0, undelivered = 0, ring_full = 0, ring_damaged = 0;
  std::uint64_t turns = 0 /* of the loop, idle ones too */, open_transactions = 0, waiting = 0 /* callbacks */;
};

class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();  // stop()
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Opens the store, rebuilds what is derived, puts aside what has killed engines and starts the workers, which begin with what the dead
  // engine had taken and not finished. `death`: how that engine ended.
  [[nodiscard]] Result<EngineReport> attach(edge::Death death);
  // The workers end what they have read, for each other too; the store is closed. Nothing is lost: what is in the sockets stays there.
  void stop();

  // Runs `f` in the worker's thread between two batches.
  void run_on_worker(std::uint32_t worker, std::function<void(proxy::Proxy&)> f);
  // The same of what sends messages.
  void run_on_worker(std::uint32_t worker, std::function<void(proxy::Proxy&, Time now, proxy::Outputs&)> f);
  // Runs `f` in every worker and waits. False: not all did in time; those that have not will not run it any more.
  [[nodiscard]] bool run_on_all(const std::function<void(std::uint32_t worker, proxy::Proxy&)>& f, Duration timeout);

  [[nodiscard]] EngineCounters counters() const;
  [[nodiscard]] store::Usage store_usage() const;
  [[nodiscard]] const EngineReport& report() const { return report_; }
  // From now on branches to these destinations are counted for them.
  void set_gateways(const std::shared_ptr<const metrics::Gateways>& gateways);
  [[nodiscard]] std::uint32_t workers() const { return options_.workers; }
  [[nodiscard]] std::uint32_t partition_count() const { return stores_.front()->partition_count(); }
  [[nodiscard]] const trace::RingFile* trace() const { return trace_.get(); }
  // Logical time now.
  [[nodiscard]] Time now() const;

 private:
  friend class Worker;
  [[nodiscard]] Result<> open_stores();
  void open_trace();
  void attach_workers();
  void count_attach();
  void put_poison_aside(edge::Death death);
  void quarantine_message(std::string_view bytes, const SocketAddress& source, std::uint64_t sequence, edge::Death death);
  void redeliver();
  [[nodiscard]] store::Store& surviving() const { return *stores_.front(); }

  EngineOptions options_;
  std::vector<std::unique_ptr<store::Store>>
      stores_;  // what survives; after it, with persist other than full, the transactions of this process
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<trace::RingFile> trace_;  // null: messages are not kept
  std::atomic<std::uint32_t> reading_{0};   // workers that may still hand over
  EngineReport report_;
};

}  // namespace perdure::engine

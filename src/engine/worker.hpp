#pragma once
// A worker: one thread, its sockets, its share of the partitions. Receives in batches into the shared region, hands over what belongs to
// another.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.hpp"
#include "engine/measures.hpp"
#include "engine/spsc_queue.hpp"
#include "engine/worker_rings.hpp"
#include "engine/worker_trace.hpp"
#include "net/udp_batch.hpp"

namespace perdure::engine {

// As many as a worker has receive slots: a push never fails.
using HandOver = SpscQueue<edge::SlotId, edge::slots_per_worker>;

class Worker final : public proxy::Mailbox {
 public:
  Worker(Engine& engine, std::uint32_t index, const proxy::Stores& stores);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // ---- before the thread starts, in the attaching thread ----
  void attach(Time now);
  void trace_start(std::uint64_t id, std::string_view why);
  // A datagram of a dead engine: the thread begins with these, in this order.
  void redeliver(edge::SlotId slot);
  void start(std::uint64_t first_sequence);

  // ---- any thread ----
  void post(std::function<void(proxy::Proxy&, Time now, proxy::Outputs&)> f) override;
  void wake();
  void request_stop();
  void join();
  [[nodiscard]] EngineCounters counters() const;
  void set_gateways(std::shared_ptr<const metrics::Gateways> gateways);
  // The queue by which worker `from` hands over to this one.
  [[nodiscard]] HandOver& queue_from(std::uint32_t from) { return *queues_[from]; }

 private:
  void run();
  void process_redelivered();
  void turn();
  void tick();
  void gather();
  void wait();
  bool wait_for_event(int wait_ms);
  void receive(std::uint16_t socket);
  [[nodiscard]] std::uint32_t hand_over(std::uint32_t batch, std::uint32_t count);
  void take_over();
  void process(edge::SlotId slot);
  bool take_message();
  void receive_messages();
  void send_message(const proxy::Send& send);
  void return_undelivered();
  void finish_batch();
  void run_mailbox();
  [[nodiscard]] int wait_ms();
  [[nodiscard]] bool has_work() const;
  void publish();

  Engine& engine_;
  const std::uint32_t index_, count_;
  edge::SharedRegion& region_;
  edge::WorkerMark& mark_;
  std::unique_ptr<metrics::WorkerBlock> own_block_;  // without shared memory
  metrics::WorkerBlock& block_;
  Measures measures_;
  std::unique_ptr<proxy::RouteRunner> runner_;
  std::unique_ptr<proxy::Proxy> proxy_;
  proxy::Outputs outputs_;
  std::vector<int> sockets_;  // UDP, of each listen address; -1: not of UDP
  std::optional<WorkerRings> rings_;
  std::optional<WorkerTrace> trace_;
  std::uint64_t old_messages_end_ = 0;  // of the inbound ring, when this engine came
  bool again_ = false;                  // what is sent now may have left before an engine died
  std::vector<std::unique_ptr<HandOver>> queues_;
  std::vector<edge::SlotId> redelivered_;
  std::vector<edge::SlotId> done_;  // processed in this batch, to be finished when the outputs have left
  std::vector<net::Datagram> sending_;
  std::vector<std::string> unsent_;  // what the edge did not take
  std::vector<std::uint8_t> readable_, notify_;
  int epoll_ = -1, event_ = -1;
  bool gathering_ = false;
  bool full_ = false;  // a socket could be read, but no batch was free
  std::uint64_t sequence_ = 0;
  Time now_{}, turn_begin_{}, next_tick_{}, next_heartbeat_{};
  EngineCounters local_;
  std::uint64_t received_ns_ = 0, messages_ = 0;  // of this batch: when it was received, how many there are

  std::atomic<bool> sleeping_{false}, stop_{false}, mail_{false};
  std::mutex mailbox_mutex_;
  std::vector<std::function<void(proxy::Proxy&, Time, proxy::Outputs&)>> mailbox_;
  // What the engines before had counted: the block shows that and local_ together.
  std::array<std::uint64_t, sizeof(EngineCounters) / sizeof(std::uint64_t)> before_{};
  std::thread thread_;
};

}  // namespace perdure::engine

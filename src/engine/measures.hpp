#pragma once
// What a worker counts beside EngineCounters, in memory that outlives the engine.
#include <memory>

#include "metrics/gateways.hpp"
#include "metrics/region.hpp"
#include "proxy/observer.hpp"
#include "proxy/route_runner.hpp"

namespace perdure::engine {

class Measures final : public proxy::Observer {
 public:
  explicit Measures(metrics::WorkerBlock& block) : block_(block) {}

  void on_request(sip::Method method) override;
  void on_response(std::uint16_t status) override;
  void on_branch(const SocketAddress& destination) override;
  void on_branch_response(const SocketAddress& destination, std::uint16_t status) override;
  void on_branch_timeout(const SocketAddress& destination) override;
  void on_ringing(Duration since_request) override;
  void on_final_response(sip::Method method, std::uint16_t status, Duration since_request) override;
  void on_stateless_reply(std::uint16_t status) override;
  void on_commit_begin() override;
  void on_commit_end() override;

  // In the thread of the worker.
  void set_gateways(std::shared_ptr<const metrics::Gateways> gateways) { gateways_ = std::move(gateways); }
  [[nodiscard]] metrics::WorkerBlock& block() { return block_; }

 private:
  metrics::WorkerBlock& block_;
  std::shared_ptr<const metrics::Gateways> gateways_;
  std::uint64_t commit_began_ns_ = 0;
};

// A runner whose runs are timed, each from its begin to its end or to where it waits. What a run causes to run is a part of it.
class TimedRunner final : public proxy::RouteRunner {
 public:
  TimedRunner(std::unique_ptr<proxy::RouteRunner> runner, metrics::WorkerBlock& block) : runner_(std::move(runner)), block_(block) {}

  [[nodiscard]] bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override;
  [[nodiscard]] bool resume(proxy::RoutingContext& context, bool timed_out) override;
  void complete_account_line(proxy::RoutingContext& context, std::string& line) override { runner_->complete_account_line(context, line); }
  void save_variables(proxy::RoutingContext& context) override { runner_->save_variables(context); }
  void abandon(proxy::RoutingContext& context) override { runner_->abandon(context); }
  void set_mailbox(proxy::Mailbox& mailbox) override { runner_->set_mailbox(mailbox); }

 private:
  template <class Run>
  bool timed(Run run);

  std::unique_ptr<proxy::RouteRunner> runner_;
  metrics::WorkerBlock& block_;
  std::uint32_t depth_ = 0;
};

}  // namespace perdure::engine

#pragma once
// The real proxy core and store on the simulated network, with a death at any write to the store or after any output.
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/proxy.hpp"
#include "sim/network.hpp"
#include "store/store.hpp"

namespace perdure::sim {

// When the process dies. Counted over the whole run, so that a test can try each.
struct CrashPlan {
  std::uint64_t at_write = UINT64_MAX;   // before this write to the store (every piece of 8 bytes is one)
  std::uint64_t at_output = UINT64_MAX;  // after this many datagrams have left
};

class ProxyNode : private store::WriteObserver {
 public:
  // Told of each datagram just before it leaves.
  using OnOutput = std::function<void(const SocketAddress& to, std::string_view bytes)>;
  // Changes what leaves; false: it does not leave. To put bugs in on purpose.
  using Filter = std::function<bool(std::string& bytes)>;

  ProxyNode(Network& network, proxy::ProxyOptions options, proxy::RouteRunner& runner, CrashPlan plan,
            proxy::Persist persist = proxy::Persist::Full, std::uint64_t store_bytes = 4 << 20);
  ~ProxyNode() override;

  // Kills the process now, between two inputs, and starts the next.
  void restart();
  // The next death, instead of the one that was planned.
  void die_at(CrashPlan plan) { plan_ = plan; }
  void set_on_output(OnOutput on_output) { on_output_ = std::move(on_output); }
  void set_filter(Filter filter) { filter_ = std::move(filter); }

  [[nodiscard]] std::uint64_t writes() const { return writes_; }
  [[nodiscard]] std::uint64_t outputs() const { return outputs_sent_; }
  [[nodiscard]] std::uint64_t starts() const { return starts_; }
  [[nodiscard]] proxy::Proxy& proxy() { return *proxy_; }
  [[nodiscard]] store::Store& store() { return *store_; }  // another one after each restart
  // Bytes in use in what survives, and what does not.
  [[nodiscard]] std::uint64_t used_bytes() const {
    return store_->usage().used_bytes + (transactions_ ? transactions_->usage().used_bytes : 0);
  }
  [[nodiscard]] const SocketAddress& address() const { return options_.sockets.front().address; }

 private:
  struct Killed {};
  bool dead_ = false;  // a script's VM stops an exception on its way: until the next start nothing is written and nothing leaves
  void before_write(std::uint64_t offset, std::size_t size) override;
  void start();
  void work();   // the worker's loop for what is in the inbox
  void step();   // one input, may throw Killed
  void flush();  // sends what the input led to, may throw Killed
  void arm_timer();

  Network& network_;
  proxy::ProxyOptions options_;
  proxy::RouteRunner& runner_;
  CrashPlan plan_;
  proxy::Persist persist_;
  std::vector<std::uint64_t> memory_;           // what survives
  std::deque<Packet> inbox_;                    // received, not done: survives, too
  std::unique_ptr<store::Store> store_;         // on memory_
  std::unique_ptr<store::Store> transactions_;  // of this process only; null with Persist::Full
  std::unique_ptr<proxy::Proxy> proxy_;
  proxy::Outputs outputs_;
  OnOutput on_output_;
  Filter filter_;
  std::string filtered_;
  std::uint64_t writes_ = 0, outputs_sent_ = 0, starts_ = 0;
  Time timer_at_ = never;
};

}  // namespace perdure::sim

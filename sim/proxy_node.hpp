#pragma once
// The real proxy core and store on the simulated network, with one worker or several, and a death at any write to the store or after any
// output.
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/proxy.hpp"
#include "sim/faults.hpp"
#include "sim/network.hpp"
#include "store/store.hpp"

namespace perdure::sim {

struct NodeOptions {
  proxy::ProxyOptions proxy;
  CrashPlan crashes;
  proxy::Persist persist = proxy::Persist::Full;
  store::ClockPolicy clock = store::ClockPolicy::Frozen;
  std::uint64_t store_bytes = 4 << 20;
  std::uint32_t partitions = 4;
  unsigned workers = 1;                                      // 1 to workers_max, at most one for each partition
  std::uint64_t seed = 1;                                    // of chance in the proxy and of deaths by chance
  Duration down_time = 20ms;                                 // from the end of a process to the begin of the next; zero: no time passes
  Duration wall_offset = std::chrono::hours(24) * 365 * 50;  // what the wall clock is ahead of the network's time
};

class ProxyNode : private store::WriteObserver {
 public:
  static constexpr unsigned workers_max = 4;
  static constexpr std::size_t inbox_max = 256;  // packets that wait for the next process; more are lost

  // Told of what happens; must neither restart the node nor change it. Times are the network's.
  class Observer {
   public:
    virtual ~Observer() = default;
    // A datagram leaves, after the filter and before the network gets it. `socket`: index of the local one.
    virtual void on_output(Time, const SocketAddress& /*to*/, std::string_view /*bytes*/, std::uint16_t /*socket*/) {}
    // Another process begins, its store is attached. Called again if that one dies while it takes over.
    virtual void on_restart(Time, bool /*crashed*/) {}
    // Everything that was received is done.
    virtual void on_idle(Time) {}
  };
  // Told of each datagram just before it leaves.
  using OnOutput = std::function<void(const SocketAddress& to, std::string_view bytes)>;
  // Changes what leaves, and where to; false: it does not leave. To put bugs in on purpose.
  using Filter = std::function<bool(std::string& bytes, SocketAddress& to)>;
  // The routes of one worker: made anew for each process, as scripts are loaded anew.
  using RunnerFactory = std::function<std::unique_ptr<proxy::RouteRunner>(unsigned worker)>;

  ProxyNode(Network& network, NodeOptions options, RunnerFactory runners);
  // One worker on two partitions whose next process is there at once; `runner` outlives all of them.
  ProxyNode(Network& network, proxy::ProxyOptions options, proxy::RouteRunner& runner, CrashPlan plan,
            proxy::Persist persist = proxy::Persist::Full, std::uint64_t store_bytes = 4 << 20);
  ~ProxyNode() override;

  // Ends the process now, between two inputs, and starts the next after down_time. `workers`: of all that follow; 0: as before.
  void restart(unsigned workers = 0);
  // The processes that follow are of a program whose records have the next layout. Does nothing while the last such one has not attached.
  void upgrade() { layout_wanted_ = layout_ + 1; }
  // The next death, instead of what was planned.
  void die_at(const CrashPlan& plan) { crasher_.set_plan(plan); }
  // The wall clock is set; the monotonic one goes on.
  void jump_wall_clock(Duration by) { options_.wall_offset += by; }
  void set_observer(Observer* observer) { observer_ = observer; }
  void set_on_output(OnOutput on_output) { on_output_ = std::move(on_output); }
  void set_filter(Filter filter) { filter_ = std::move(filter); }
  // A filter that does not care where it goes.
  void set_filter(std::function<bool(std::string& bytes)> filter) {
    filter_ = [filter = std::move(filter)](std::string& bytes, SocketAddress&) { return filter(bytes); };
  }

  // What has been written to the accounting log, by all processes.
  [[nodiscard]] const std::vector<std::string>& account_lines() const { return account_lines_; }
  [[nodiscard]] std::uint64_t writes() const { return crasher_.writes(); }
  [[nodiscard]] std::uint64_t outputs() const { return crasher_.outputs(); }
  [[nodiscard]] std::uint64_t crashes() const { return crasher_.crashes(); }
  [[nodiscard]] std::uint64_t starts() const { return starts_; }
  [[nodiscard]] std::uint64_t inbox_lost() const { return inbox_lost_; }  // received while no process ran, and one too many
  [[nodiscard]] std::uint16_t layout() const { return layout_; }          // how many layouts the records are ahead of those of today
  [[nodiscard]] bool is_down() const { return down_; }
  [[nodiscard]] bool has_store() const { return store_ != nullptr; }  // false after a death in the middle of an attach
  [[nodiscard]] unsigned workers() const { return static_cast<unsigned>(workers_.size()); }
  // Of the process that runs or, while none does, of the last one: others after each restart.
  [[nodiscard]] proxy::Proxy& proxy(unsigned worker = 0) { return *workers_[worker].proxy; }
  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] std::size_t open_transactions() const;  // of all workers
  // Bytes in use in what survives, and what does not.
  [[nodiscard]] std::uint64_t used_bytes() const {
    return store_->usage().used_bytes + (transactions_ ? transactions_->usage().used_bytes : 0);
  }
  [[nodiscard]] const SocketAddress& address() const { return options_.proxy.sockets.front().address; }

 private:
  struct Killed {};
  // What other threads would say to a worker. The next process never hears what was said to the last one.
  class Post final : public proxy::Mailbox {
   public:
    Post(ProxyNode& node, unsigned worker) : node_(node), worker_(worker), process_(node.starts_) {}
    void post(std::function<void(proxy::Proxy&, Time now, proxy::Outputs&)> f) override;

   private:
    ProxyNode& node_;
    const unsigned worker_;
    const std::uint64_t process_;
  };
  struct Order {
    unsigned worker = 0;
    std::uint64_t process = 0;
    std::function<void(proxy::Proxy&, Time now, proxy::Outputs&)> f;
  };
  struct Worker {
    std::unique_ptr<proxy::RouteRunner> runner;
    std::shared_ptr<Post> mailbox;
    std::unique_ptr<proxy::Outputs> outputs;
    std::unique_ptr<proxy::Proxy> proxy;
    Time timer_at = never;
  };
  void before_write(std::uint64_t offset, std::size_t size) override;
  void receive(const Packet& packet);
  void start();  // may throw Killed
  void open_stores();
  void begin();  // starts processes until one lives, or the next has to wait
  void end(bool crashed);
  void work();                 // the workers' loops for what is in the inbox
  void step();                 // one input, may throw Killed
  void obey();                 // what has been posted, may throw Killed
  void flush(Worker& worker);  // sends what the input led to, may throw Killed
  void send(const proxy::Send& send);
  void tick();  // may throw Killed
  void arm_timer(unsigned worker);
  [[nodiscard]] std::int64_t monotonic_us() const { return network_.now().time_since_epoch().count(); }
  [[nodiscard]] std::int64_t wall_us() const { return monotonic_us() + options_.wall_offset.count(); }
  [[nodiscard]] Time now() const { return store_->now(monotonic_us()); }

  Network& network_;
  NodeOptions options_;
  RunnerFactory runners_;
  Crasher crasher_;
  std::vector<std::uint64_t> memory_;           // what survives
  std::deque<Packet> inbox_;                    // received, not done: survives, too
  std::deque<Order> orders_;                    // posted
  std::vector<std::shared_ptr<Post>> posts_;    // of all processes: who posts may be late
  std::unique_ptr<store::Store> store_;         // on memory_
  std::unique_ptr<store::Store> transactions_;  // of this process only; null with Persist::Full
  std::vector<Worker> workers_;
  Observer* observer_ = nullptr;
  OnOutput on_output_;
  Filter filter_;
  std::string filtered_;
  std::vector<std::string> account_lines_;
  std::uint64_t starts_ = 0, inbox_lost_ = 0;
  std::uint16_t layout_ = 0, layout_wanted_ = 0;
  bool dead_ = false;     // a script's VM stops an exception on its way: until the next start nothing is written and nothing leaves
  bool down_ = true;      // no process runs
  bool crashed_ = false;  // how the last one ended
  bool working_ = false;
};

}  // namespace perdure::sim

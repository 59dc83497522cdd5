#include "sim/proxy_node.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "transaction/record.hpp"

namespace perdure::sim {
namespace {

// Routes that outlive the process.
class BorrowedRunner final : public proxy::RouteRunner {
 public:
  explicit BorrowedRunner(proxy::RouteRunner& runner) : runner_(runner) {}
  bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override {
    return runner_.run(context, kind, name);
  }
  void save_variables(proxy::RoutingContext& context) override { runner_.save_variables(context); }
  bool resume(proxy::RoutingContext& context, bool timed_out) override { return runner_.resume(context, timed_out); }
  void abandon(proxy::RoutingContext& context) override { runner_.abandon(context); }

 private:
  proxy::RouteRunner& runner_;
};

// The kinds of a program so many layouts ahead. The header of a later layout has the fields of today, because the proxy that works on it is
// that of today; but its records lie in extents of their own, and each upgrade writes one of the blobs anew.
std::vector<store::KindInfo> kinds_of_layout(std::uint16_t ahead) {
  auto kinds = proxy::store_kinds();
  if (ahead == 0) return kinds;
  for (auto& info : kinds) {
    if (info.kind != transaction::TransactionHeader::kind) continue;
    info.current.number = static_cast<std::uint16_t>(info.current.number + ahead);
    info.previous = info.current;
    --info.previous.number;
    info.upgrade = [](const void* previous, void* current, store::Partition& partition) {
      transaction::TransactionHeader header;
      std::memcpy(&header, previous, sizeof header);
      if (header.request) {
        header.request = partition.write(partition.read(header.request));
        if (!header.request) return false;
      }
      std::memcpy(current, &header, sizeof header);
      return true;
    };
  }
  return kinds;
}

NodeOptions simple_options(proxy::ProxyOptions options, const CrashPlan& plan, proxy::Persist persist, std::uint64_t store_bytes) {
  NodeOptions node;
  node.proxy = std::move(options);
  node.crashes = plan;
  node.persist = persist;
  node.store_bytes = store_bytes;
  node.partitions = 2;
  node.down_time = Duration{};
  return node;
}

}  // namespace

ProxyNode::ProxyNode(Network& network, proxy::ProxyOptions options, proxy::RouteRunner& runner, CrashPlan plan, proxy::Persist persist,
                     std::uint64_t store_bytes)
    : ProxyNode(network, simple_options(std::move(options), plan, persist, store_bytes),
                [&runner](unsigned) { return std::make_unique<BorrowedRunner>(runner); }) {}

ProxyNode::ProxyNode(Network& network, NodeOptions options, RunnerFactory runners)
    : network_(network),
      options_(std::move(options)),
      runners_(std::move(runners)),
      crasher_(options_.crashes, options_.seed),
      memory_(options_.store_bytes / 8) {
  PERDURE_ASSERT(options_.workers >= 1 && options_.workers <= std::min(workers_max, options_.partitions));
  for (const auto& socket : options_.proxy.sockets) network_.attach(socket.address, [this](const Packet& packet) { receive(packet); });
  begin();
  work();
}

ProxyNode::~ProxyNode() = default;

void ProxyNode::before_write(std::uint64_t, std::size_t) {
  if (!dead_ && !crasher_.before_write()) return;
  dead_ = true;
  throw Killed{};
}

void ProxyNode::receive(const Packet& packet) {
  if (down_ && inbox_.size() >= inbox_max) {
    ++inbox_lost_;
    return;
  }
  inbox_.push_back(packet);
  work();
}

// ---- processes ----

void ProxyNode::open_stores() {
  store::Options options;
  options.partitions = options_.partitions;
  options.extent_bytes = 16 * 1024;
  options.kinds = kinds_of_layout(layout_wanted_);
  options.discard = options_.persist == proxy::Persist::Off;
  options.clock = options_.clock;
  options.monotonic_us = monotonic_us();
  options.wall_us = wall_us();
  options.secret = 42;
  auto opened = store::Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, options, this);
  if (!opened && layout_wanted_ != layout_) {  // a full store: the program before goes on
    layout_wanted_ = layout_;
    options.kinds = kinds_of_layout(layout_);
    opened = store::Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, options, this);
  }
  PERDURE_ASSERT(opened.has_value() && (*opened)->attached().dropped == 0);
  store_ = std::move(*opened);
  layout_ = layout_wanted_;
  if (options_.persist == proxy::Persist::Full) return;
  auto of_process = store::Store::open(options);
  PERDURE_ASSERT(of_process.has_value());
  transactions_ = std::move(*of_process);
}

void ProxyNode::start() {
  ++starts_;
  dead_ = false;
  workers_.clear();
  store_.reset();
  transactions_.reset();
  open_stores();
  const proxy::Stores stores(transactions_ ? *transactions_ : *store_, options_.persist == proxy::Persist::Routes ? store_.get() : nullptr);
  for (unsigned i = 0; i < options_.workers; ++i) {
    Worker worker;
    worker.runner = runners_(i);
    worker.outputs = std::make_unique<proxy::Outputs>();
    worker.proxy = std::make_unique<proxy::Proxy>(options_.proxy, stores, i, options_.workers, *worker.runner,
                                                  Random((options_.seed << 32) + starts_ * workers_max + i));
    worker.mailbox = std::make_shared<Post>(*this, i);
    posts_.push_back(worker.mailbox);
    worker.proxy->set_mailbox(*worker.mailbox);
    workers_.push_back(std::move(worker));
  }
  if (starts_ > 1 && observer_) observer_->on_restart(network_.now(), crashed_);
  for (auto& worker : workers_) {
    worker.proxy->attach(now(), *worker.outputs);
    flush(worker);
  }
}

void ProxyNode::begin() {
  // A process that dies while it starts is started again.
  while (down_) {
    try {
      start();
      down_ = false;
    } catch (const Killed&) {
      end(true);
      if (options_.down_time > Duration{}) return;
    }
  }
}

void ProxyNode::end(bool crashed) {
  down_ = true;
  crashed_ = crashed;
  if (store_) store_->observe(nullptr);  // it may be looked at until the next process opens its own
  if (options_.down_time > Duration{})
    network_.after(options_.down_time, [this] {
      begin();
      work();
    });
}

void ProxyNode::restart(unsigned workers) {
  PERDURE_ASSERT(!working_ && workers <= std::min(workers_max, options_.partitions));
  if (workers != 0) options_.workers = workers;
  if (down_) return;  // the next process is on its way
  // The engine does this every few milliseconds.
  store_->observe(nullptr);
  store_->heartbeat(now(), wall_us());
  end(false);
  if (options_.down_time > Duration{}) return;  // the next one begins then
  begin();
  work();
}

// ---- a process ----

void ProxyNode::work() {
  working_ = true;
  while (!down_) {
    try {
      store_->heartbeat(now(), wall_us());
      while (!inbox_.empty()) {
        step();
        inbox_.pop_front();  // done: its effect is committed and has left
      }
      obey();
      tick();
      if (observer_) observer_->on_idle(network_.now());
      break;
    } catch (const Killed&) {
      end(true);
      if (options_.down_time == Duration{}) begin();
    }
  }
  working_ = false;
}

void ProxyNode::step() {
  const Packet& packet = inbox_.front();
  std::uint16_t socket = 0;
  for (std::size_t i = 0; i < options_.proxy.sockets.size(); ++i)
    if (options_.proxy.sockets[i].address == packet.to) socket = static_cast<std::uint16_t>(i);
  auto& worker = workers_[proxy::partition_of(packet.bytes, store_->partition_count()) % workers_.size()];
  // A peer has one connection to each socket, which lasts.
  const std::uint64_t connection = is_reliable(options_.proxy.sockets[socket].transport) ? packet.from.port : 0;
  worker.proxy->on_received({packet.bytes, packet.from, socket, connection}, now(), *worker.outputs);
  flush(worker);
}

void ProxyNode::Post::post(std::function<void(proxy::Proxy&, Time now, proxy::Outputs&)> f) {
  node_.orders_.push_back({worker_, process_, std::move(f)});
  if (!node_.working_) node_.work();
}

void ProxyNode::obey() {
  while (!orders_.empty()) {
    const Order order = std::move(orders_.front());
    orders_.pop_front();
    if (order.process != starts_) continue;
    auto& worker = workers_[order.worker];
    order.f(*worker.proxy, now(), *worker.outputs);
    flush(worker);
  }
}

void ProxyNode::tick() {
  for (unsigned i = 0; i < workers_.size(); ++i) {
    auto& worker = workers_[i];
    if (worker.proxy->next_deadline() <= now()) {
      worker.proxy->on_tick(now(), *worker.outputs);
      flush(worker);
    }
    arm_timer(i);
  }
}

void ProxyNode::flush(Worker& worker) {
  if (dead_) throw Killed{};
  for (const auto& one : worker.outputs->sends()) send(one);
  for (const auto line : worker.outputs->account_lines()) {
    account_lines_.emplace_back(line);
    if (!crasher_.after_output()) continue;
    dead_ = true;
    throw Killed{};
  }
  worker.outputs->clear();
  worker.proxy->outputs_sent();
  if (dead_) throw Killed{};
}

void ProxyNode::send(const proxy::Send& send) {
  std::string_view bytes = send.bytes;
  SocketAddress to = send.destination;
  if (filter_) {
    filtered_.assign(bytes);
    if (!filter_(filtered_, to)) return;
    bytes = filtered_;
  }
  if (on_output_) on_output_(to, bytes);
  if (observer_) observer_->on_output(network_.now(), to, bytes, send.socket);
  network_.send(options_.proxy.sockets[send.socket].address, to, bytes);
  if (!crasher_.after_output()) return;
  dead_ = true;
  throw Killed{};
}

void ProxyNode::arm_timer(unsigned index) {
  auto& worker = workers_[index];
  const Time next = worker.proxy->next_deadline();
  if (next == never || worker.timer_at <= next) return;
  worker.timer_at = next;
  network_.after(std::max(next - now(), Duration(0)), [this, index, starts = starts_] {
    if (down_ || starts != starts_) return;  // the timer of a process that is gone
    workers_[index].timer_at = never;
    work();
  });
}

std::size_t ProxyNode::open_transactions() const {
  std::size_t count = 0;
  for (const auto& worker : workers_) count += worker.proxy->open_transactions();
  return count;
}

}  // namespace perdure::sim

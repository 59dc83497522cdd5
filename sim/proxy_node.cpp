#include "sim/proxy_node.hpp"

#include "base/assert.hpp"

namespace perdure::sim {

ProxyNode::ProxyNode(Network& network, proxy::ProxyOptions options, proxy::RouteRunner& runner, CrashPlan plan, proxy::Persist persist,
                     std::uint64_t store_bytes)
    : network_(network), options_(std::move(options)), runner_(runner), plan_(plan), persist_(persist), memory_(store_bytes / 8) {
  for (const auto& socket : options_.sockets)
    network_.attach(socket.address, [this](const Packet& packet) {
      inbox_.push_back(packet);
      work();
    });
  try {
    start();
  } catch (const Killed&) {
    restart();
  }
  work();
}

ProxyNode::~ProxyNode() = default;

void ProxyNode::before_write(std::uint64_t, std::size_t) {
  if (!dead_ && writes_++ != plan_.at_write) return;
  dead_ = true;
  throw Killed{};
}

void ProxyNode::start() {
  ++starts_;
  dead_ = false;
  proxy_.reset();
  store_.reset();
  transactions_.reset();
  outputs_.clear();
  timer_at_ = never;
  store::Options options;
  options.partitions = 2;
  options.extent_bytes = 16 * 1024;
  options.kinds = proxy::store_kinds();
  options.discard = persist_ == proxy::Persist::Off;
  options.monotonic_us = network_.now().time_since_epoch().count();
  options.secret = 42;
  auto opened = store::Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, options);
  PERDURE_ASSERT(opened.has_value());
  store_ = std::move(*opened);
  store_->observe(this);
  if (persist_ != proxy::Persist::Full) {
    auto of_process = store::Store::open(options);
    PERDURE_ASSERT(of_process.has_value());
    transactions_ = std::move(*of_process);
  }
  const proxy::Stores stores(transactions_ ? *transactions_ : *store_, persist_ == proxy::Persist::Routes ? store_.get() : nullptr);
  proxy_ = std::make_unique<proxy::Proxy>(options_, stores, 0, 1, runner_, Random(1000 + starts_));
  proxy_->attach(store_->now(network_.now().time_since_epoch().count()), outputs_);
  flush();
}

void ProxyNode::restart() {
  // A process that dies while it starts is started again.
  for (;;) {
    try {
      start();
      return;
    } catch (const Killed&) {
    }
  }
}

void ProxyNode::work() {
  for (;;) {
    try {
      while (!inbox_.empty()) {
        step();
        inbox_.pop_front();  // done: its effect is committed and has left
      }
      const Time now = store_->now(network_.now().time_since_epoch().count());
      store_->heartbeat(now, 0);
      proxy_->on_tick(now, outputs_);
      flush();
      arm_timer();
      return;
    } catch (const Killed&) {
      restart();
    }
  }
}

void ProxyNode::step() {
  const Packet& packet = inbox_.front();
  std::uint16_t socket = 0;
  for (std::size_t i = 0; i < options_.sockets.size(); ++i)
    if (options_.sockets[i].address == packet.to) socket = static_cast<std::uint16_t>(i);
  proxy_->on_received({packet.bytes, packet.from, socket, 0}, store_->now(network_.now().time_since_epoch().count()), outputs_);
  flush();
}

void ProxyNode::flush() {
  if (dead_) throw Killed{};
  for (const auto& send : outputs_.sends()) {
    std::string_view bytes = send.bytes;
    if (filter_) {
      filtered_.assign(bytes);
      if (!filter_(filtered_)) continue;
      bytes = filtered_;
    }
    if (on_output_) on_output_(send.destination, bytes);
    network_.send(options_.sockets[send.socket].address, send.destination, bytes);
    if (++outputs_sent_ == plan_.at_output) throw Killed{};
  }
  outputs_.clear();
  proxy_->outputs_sent();
}

void ProxyNode::arm_timer() {
  const Time next = proxy_->next_deadline();
  if (next == never || timer_at_ <= next) return;
  timer_at_ = next;
  const Time now = store_->now(network_.now().time_since_epoch().count());
  network_.after(std::max(next - now, Duration(0)), [this, starts = starts_] {
    if (starts != starts_) return;  // the timer of a process that is gone
    timer_at_ = never;
    work();
  });
}

}  // namespace perdure::sim

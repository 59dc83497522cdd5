#include "sim/network.hpp"

#include <utility>

namespace perdure::sim {

void Network::attach(const SocketAddress& address, Receiver receiver) {
  receivers_[address.text()] = std::move(receiver);
}

void Network::send(const SocketAddress& from, const SocketAddress& to, std::string_view bytes) {
  if (trace_.size() < trace_max_) trace_.push_back({now_, from, to, std::string(bytes)});
  if (random_.below(1000) < options_.lost) return;
  const int copies = random_.below(1000) < options_.doubled ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay = options_.latency;
    if (options_.jitter > Duration{})
      delay += Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(options_.jitter.count()))));
    after(delay, [this, packet = Packet{now_, from, to, std::string(bytes)}] { deliver(packet); });
  }
}

void Network::deliver(const Packet& packet) {
  if (const auto found = receivers_.find(packet.to.text()); found != receivers_.end()) found->second(packet);
}

void Network::after(Duration delay, std::function<void()> action) {
  events_.push({now_ + delay, order_++, std::move(action)});
}

bool Network::run(Time limit) {
  while (!events_.empty()) {
    if (events_.top().at > limit) return false;
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.action();
  }
  return true;
}

}  // namespace perdure::sim

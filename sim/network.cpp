#include "sim/network.hpp"

#include <utility>

#include "base/checksum.hpp"

namespace perdure::sim {

void Network::attach(const SocketAddress& address, Receiver receiver) {
  receivers_[key_of(address)] = std::move(receiver);
}

std::uint64_t Network::key_of(const SocketAddress& address) {
  return checksum(address.ip.data(), address.ip.size(), address.port);
}

bool Network::is_cut(const SocketAddress& address) const {
  if (cuts_.empty()) return false;
  const auto found = cuts_.find(key_of(address));
  return found != cuts_.end() && now_ < found->second;
}

void Network::send(const SocketAddress& from, const SocketAddress& to, std::string_view bytes) {
  if (trace_.size() < trace_max_ && bytes.find(trace_filter_) != std::string_view::npos)
    trace_.push_back({now_, from, to, std::string(bytes)});
  ++sent_;
  if (random_.below(1000) < options_.lost || is_cut(from) || is_cut(to)) {
    ++lost_;
    return;
  }
  const int copies = random_.below(1000) < options_.doubled ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay = options_.latency;
    if (options_.jitter > Duration{})
      delay += Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(options_.jitter.count()))));
    if (random_.below(1000) < options_.delayed && options_.delay > Duration{})
      delay += Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(options_.delay.count()))));
    after(delay, [this, packet = Packet{now_, from, to, std::string(bytes)}] { deliver(packet); });
  }
}

void Network::deliver(const Packet& packet) {
  digest_ = checksum(packet.bytes, digest_ + static_cast<std::uint64_t>(now_.time_since_epoch().count()) + key_of(packet.to));
  if (const auto found = receivers_.find(key_of(packet.to)); found != receivers_.end()) found->second(packet);
}

void Network::after(Duration delay, std::function<void()> action) {
  events_.push({now_ + delay, order_++, std::move(action)});
}

bool Network::run(Time limit, std::uint64_t events_max) {
  for (std::uint64_t count = 0; !events_.empty(); ++count) {
    if (events_.top().at > limit || count == events_max) return false;
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.action();
  }
  return true;
}

}  // namespace perdure::sim

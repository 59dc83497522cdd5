#include "sim/network.hpp"

#include <algorithm>
#include <utility>

#include "base/checksum.hpp"

namespace perdure::sim {

// The bytes of the address and nothing of its padding: the digest depends on it.
std::size_t Network::Hash::operator()(const SocketAddress& address) const {
  return checksum(address.ip.data(), address.ip.size(), address.port);
}

void Network::attach(const SocketAddress& address, Receiver receiver) {
  receivers_[address] = std::move(receiver);
}

bool Network::is_cut(const SocketAddress& address) {
  const auto found = cuts_.find(address);
  if (found == cuts_.end()) return false;
  if (now_ < found->second) return true;
  cuts_.erase(found);
  return false;
}

bool Network::lose_if_cut(const SocketAddress& from, const SocketAddress& to) {
  if (cuts_.empty() || (!is_cut(from) && !is_cut(to))) return false;
  ++lost_;
  ++cut_off_;
  return true;
}

Duration Network::delay_of_one() {
  Duration delay = options_.latency;
  if (options_.jitter > Duration{})
    delay += Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(options_.jitter.count()))));
  if (random_.below(1000) < options_.delayed && options_.delay > Duration{}) {
    ++delayed_;
    delay += Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(options_.delay.count()))));
  }
  return delay;
}

void Network::send(const SocketAddress& from, const SocketAddress& to, std::string_view bytes) {
  if (trace_.size() < trace_max_ && bytes.find(trace_filter_) != std::string_view::npos)
    trace_.push_back({now_, from, to, std::string(bytes)});
  ++sent_;
  if (lose_if_cut(from, to)) return;
  if (random_.below(1000) < options_.lost) {
    ++lost_;
    return;
  }
  const bool twice = random_.below(1000) < options_.doubled;
  doubled_ += twice;
  for (int i = 0; i <= twice; ++i) after(delay_of_one(), [this, packet = Packet{now_, from, to, std::string(bytes)}] { deliver(packet); });
}

void Network::deliver(const Packet& packet) {
  if (lose_if_cut(packet.from, packet.to)) return;
  const std::uint64_t about[] = {digest_, static_cast<std::uint64_t>(now_.time_since_epoch().count()), Hash{}(packet.from),
                                 Hash{}(packet.to)};
  digest_ = checksum(packet.bytes, checksum(about, sizeof about));
  if (const auto found = receivers_.find(packet.to); found != receivers_.end()) found->second(packet);
}

void Network::after(Duration delay, std::function<void()> action) {
  events_.push_back({now_ + delay, order_++, std::move(action)});
  std::ranges::push_heap(events_, std::greater<>());
}

bool Network::run(Time limit, std::uint64_t events_max) {
  for (std::uint64_t count = 0; !events_.empty(); ++count) {
    if (events_.front().at > limit || count == events_max) return false;
    std::ranges::pop_heap(events_, std::greater<>());
    const Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.at;
    event.action();
  }
  return true;
}

}  // namespace perdure::sim

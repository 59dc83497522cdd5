#pragma once
// A simulated clock and network: everything that happens is an event in one queue, so a run is the same each time.
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/socket_address.hpp"
#include "base/time.hpp"

namespace perdure::sim {

struct Packet {
  Time at{};
  SocketAddress from, to;
  std::string bytes;
};

// How the network treats packets. Chances in thousandths.
struct NetworkOptions {
  Duration latency = 1ms, jitter{};
  std::uint32_t lost = 0, doubled = 0;
};

class Network {
 public:
  using Receiver = std::function<void(const Packet&)>;

  Network(std::uint64_t seed, NetworkOptions options) : random_(seed), options_(options) {}

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] Random& random() { return random_; }
  void attach(const SocketAddress& address, Receiver receiver);
  void send(const SocketAddress& from, const SocketAddress& to, std::string_view bytes);
  void after(Duration delay, std::function<void()> action);
  // Runs events until none is left or `limit` is reached. False: events are left.
  bool run(Time limit);

  // Every packet that was sent, for the ladder of a failure; bounded by `trace_max`.
  [[nodiscard]] const std::vector<Packet>& trace() const { return trace_; }
  void set_trace_max(std::size_t count) { trace_max_ = count; }

 private:
  struct Event {
    Time at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  void deliver(const Packet& packet);

  Random random_;
  NetworkOptions options_;
  Time now_{Duration(1'000'000)};
  std::uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::map<std::string, Receiver> receivers_;
  std::vector<Packet> trace_;
  std::size_t trace_max_ = 2000;
};

}  // namespace perdure::sim

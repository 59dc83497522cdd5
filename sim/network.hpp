#pragma once
// A simulated clock and network: everything that happens is an event in one queue, so a run is the same each time.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
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
  std::uint32_t lost = 0, doubled = 0, delayed = 0;
  Duration delay{};  // at most, of those that are delayed, beside the latency: others overtake them
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
  // Runs events until none is left, or `limit` or that many of them is reached. False: events are left.
  bool run(Time limit, std::uint64_t events_max = UINT64_MAX);

  // Every packet that was sent, for the ladder of a failure; bounded by `trace_max`.
  [[nodiscard]] const std::vector<Packet>& trace() const { return trace_; }
  void set_trace_max(std::size_t count) { trace_max_ = count; }
  // Only packets that contain this text are kept.
  void set_trace_filter(std::string text) { trace_filter_ = std::move(text); }
  // A checksum over all packets that arrived, with their times: the same for two runs that are the same.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // Those to or from an address that was cut off are lost, too. A packet that was doubled can be lost twice.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t cut_off() const { return cut_off_; }
  [[nodiscard]] std::uint64_t doubled() const { return doubled_; }
  [[nodiscard]] std::uint64_t delayed() const { return delayed_; }
  // Nothing reaches or leaves that address until then, not even what is under way. A later call replaces an earlier one.
  void cut(const SocketAddress& address, Time until) { cuts_[address] = until; }

 private:
  struct Event {
    Time at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  struct Hash {
    std::size_t operator()(const SocketAddress& address) const;
  };
  void deliver(const Packet& packet);
  [[nodiscard]] Duration delay_of_one();
  // True, and counted, if one of them is cut off.
  [[nodiscard]] bool lose_if_cut(const SocketAddress& from, const SocketAddress& to);
  [[nodiscard]] bool is_cut(const SocketAddress& address);

  Random random_;
  NetworkOptions options_;
  Time now_{Duration(1'000'000)};
  std::uint64_t order_ = 0;
  std::vector<Event> events_;  // a heap, the next one first; no priority_queue, whose top cannot be moved out
  std::unordered_map<SocketAddress, Receiver, Hash> receivers_;
  std::unordered_map<SocketAddress, Time, Hash> cuts_;
  std::uint64_t digest_ = 0, sent_ = 0, lost_ = 0, cut_off_ = 0, doubled_ = 0, delayed_ = 0;
  std::vector<Packet> trace_;
  std::size_t trace_max_ = 2000;
  std::string trace_filter_;
};

}  // namespace perdure::sim

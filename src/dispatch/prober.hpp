#pragma once
// Probes destinations by OPTIONS and moves their states. Sans I/O: one worker owns it, ticks it and hands it the answers.
#include <string>
#include <unordered_map>

#include "dispatch/dispatcher.hpp"
#include "proxy/outputs.hpp"
#include "proxy/proxy.hpp"

namespace perdure::dispatch {

class Prober final : public proxy::Proxy::LocalListener {
 public:
  explicit Prober(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  // Sends the probes that are due and retransmits those without answer (Timer E); gives up at Timer F.
  void on_tick(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);
  // `never` without probing.
  [[nodiscard]] Time next_deadline() const { return next_deadline_; }
  void on_local_response(std::string_view branch, std::uint16_t status, Time now) override;

  [[nodiscard]] std::size_t open_probes() const { return probes_.size(); }

 private:
  // A non-INVITE client transaction (RFC 3261 17.1.2).
  struct Probe {
    std::int32_t set = 0;
    std::string uri, request;
    SocketAddress destination;
    std::uint16_t socket = 0;
    bool proceeding = false;  // a provisional came: Timer E runs at T2
    Duration interval{};
    Time retransmit_at = never, expire_at = never;
  };

  void start_round(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);
  [[nodiscard]] bool is_due(const Destination& destination) const;
  void finish(std::int32_t set, std::string_view uri, std::uint16_t status);
  [[nodiscard]] bool is_alive(std::uint16_t status) const;

  Dispatcher& dispatcher_;
  std::unordered_map<std::string, Probe> probes_;  // by branch parameter
  Time next_round_ = Time::min();
  Time next_deadline_ = Time::min();
};

}  // namespace perdure::dispatch

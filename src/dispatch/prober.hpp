#pragma once
// Probes destinations by OPTIONS and moves their states. Sans I/O: one worker owns it, ticks it and hands it the answers.
#include <memory>
#include <string>
#include <unordered_map>

#include "dispatch/dispatcher.hpp"
#include "proxy/outputs.hpp"
#include "proxy/proxy.hpp"

namespace perdure::dispatch {

class Prober final : public proxy::Proxy::LocalListener {
 public:
  // Which messages come to the worker that owns the prober: answers are shared out by Call-ID, so a probe gets one that leads back here.
  struct Share {
    std::uint32_t partition_count = 1, worker = 0, worker_count = 1;
  };
  Prober(Dispatcher& dispatcher, Share share, Random random) : dispatcher_(dispatcher), share_(share), random_(random) {}

  // Sends the probes that are due and retransmits those without answer (Timer E); gives up at Timer F.
  void on_tick(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);
  // When on_tick is due; `never` without probing.
  [[nodiscard]] Time next_deadline() const { return next_deadline_; }
  void on_local_response(std::string_view branch, std::uint16_t status, Time now) override;

  [[nodiscard]] std::size_t open_probes() const { return probes_.size(); }

 private:
  // A non-INVITE client transaction (RFC 3261 17.1.2).
  struct Probe {
    std::int32_t set = 0;
    std::string uri, request;
    SocketAddress destination;
    std::string server_name;  // that a certificate must have; empty: the address
    std::uint16_t socket = 0;
    Duration interval{};
    Time retransmit_at = never, expire_at = never;
  };

  void start_round();
  void start_probes(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);
  void start(const Destination& destination, Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);
  [[nodiscard]] bool is_due(const Destination& destination) const;
  [[nodiscard]] std::string write_request(const Destination& destination, const proxy::LocalSocket& socket, std::string_view branch);
  static void send(const Probe& probe, proxy::Outputs& outputs);
  void finish(const Probe& probe, std::uint16_t status);
  [[nodiscard]] bool is_alive(std::uint16_t status) const;

  Dispatcher& dispatcher_;
  const Share share_;
  Random random_;
  std::unordered_map<std::string, Probe> probes_;  // by branch parameter
  std::shared_ptr<const List> round_list_;         // of the round in progress, null between rounds
  std::size_t round_set_ = 0, round_position_ = 0;
  Time next_round_ = Time::min();
  Time next_deadline_ = Time::min();
};

}  // namespace perdure::dispatch

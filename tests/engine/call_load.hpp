#pragma once
// Many calls at once through an engine, from several ports to several gateways, whose messages follow each other as closely as they can.
#include <poll.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/user_agents.hpp"

namespace perdure::engine {

// Answers every INVITE by 180 and 200 back to back, and every BYE. Notes when a BYE comes before the ACK that was sent before it.
class Gateways {
 public:
  explicit Gateways(std::size_t count, SocketAddress proxy) : endpoints_(count), proxy_(proxy), thread_([this] { run(); }) {}
  ~Gateways() { stop(); }
  Gateways(const Gateways&) = delete;
  Gateways& operator=(const Gateways&) = delete;

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::string uri(std::size_t index) const { return "sip:bob@" + endpoints_[index % endpoints_.size()].text(); }
  [[nodiscard]] std::uint64_t overtaken() const { return overtaken_; }

 private:
  void run() {
    std::vector<pollfd> waiting;
    for (const auto& endpoint : endpoints_) waiting.push_back({endpoint.descriptor(), POLLIN, 0});
    while (!stop_) {
      (void)poll(waiting.data(), waiting.size(), 10);
      for (const auto& endpoint : endpoints_)
        while (const auto packet = endpoint.take()) on_packet(endpoint, packet->text);
    }
  }
  void on_packet(const Endpoint& gateway, const std::string& text) {
    const std::string call_id = value_of(text, "Call-ID");
    if (text.starts_with("INVITE")) {
      if (invited_.insert(branch_of(text)).second) gateway.send(response(text, 180, gateway), proxy_);
      gateway.send(response(text, 200, gateway), proxy_);
    } else if (text.starts_with("ACK")) {
      acked_.insert(call_id);
    } else if (text.starts_with("BYE")) {
      if (!acked_.contains(call_id)) ++overtaken_;
      gateway.send(response(text, 200, gateway), proxy_);
    }
  }

  std::vector<Endpoint> endpoints_;
  SocketAddress proxy_;
  std::set<std::string> invited_, acked_;
  std::atomic<std::uint64_t> overtaken_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

// Makes calls from several ports, a bounded number of them at a time: INVITE; at its 200 ACK and BYE back to back.
class Callers {
 public:
  Callers(std::size_t ports, SocketAddress proxy, const Gateways& gateways) : endpoints_(ports), proxy_(proxy), gateways_(gateways) {}

  // Makes that many calls; false if they have not all ended in time.
  [[nodiscard]] bool make(std::size_t count, std::size_t at_once) {
    const std::size_t first = next_, last = next_ + count;
    const auto end = std::chrono::steady_clock::now() + 4 * patience;
    std::vector<pollfd> waiting;
    for (const auto& endpoint : endpoints_) waiting.push_back({endpoint.descriptor(), POLLIN, 0});
    done_ = 0;
    auto looked = std::chrono::steady_clock::now();
    while (done_ < count) {
      while (next_ < last && next_ - first - done_ < at_once) invite(next_++);
      (void)poll(waiting.data(), waiting.size(), 10);
      for (const auto& endpoint : endpoints_)
        while (const auto packet = endpoint.take()) on_packet(packet->text);
      const auto now = std::chrono::steady_clock::now();
      if (now > end) return false;
      if (now - looked < std::chrono::milliseconds(500)) continue;
      looked = now;
      for (const auto& [id, call] : calls_) repeat(id, call);  // a busy machine loses datagrams, too
    }
    return true;
  }

  // Calls of which a 180 came after the 200, or a 200 without a 180.
  [[nodiscard]] std::uint64_t overtaken() const { return overtaken_; }

 private:
  struct Call {
    std::size_t number = 0;
    std::string answer;  // the 200 to the INVITE
    bool rang = false;
  };

  [[nodiscard]] const Endpoint& endpoint(const Call& call) const { return endpoints_[call.number % endpoints_.size()]; }

  void invite(std::size_t number) {
    const std::string id = "call-" + std::to_string(number);
    Call& call = calls_[id];
    call.number = number;
    repeat(id, call);
  }
  void repeat(const std::string& id, const Call& call) {
    const std::string uri = gateways_.uri(call.number / 3);
    if (call.answer.empty()) return endpoint(call).send(request("INVITE", uri, endpoint(call), id), proxy_);
    const std::string route = value_of(call.answer, "Record-Route");
    endpoint(call).send(request("ACK", uri, endpoint(call), id, "g", route), proxy_);
    endpoint(call).send(request("BYE", uri, endpoint(call), id, "g", route), proxy_);
  }
  void on_packet(const std::string& text) {
    const std::string id = value_of(text, "Call-ID");
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
      late_180(text);
      return;
    }
    Call& call = found->second;
    const int status = status_of(text);
    if (value_of(text, "CSeq") == "2 BYE") {
      if (status != 200) return;
      calls_.erase(found);
      ++done_;
    } else if (status == 180) {
      if (!call.answer.empty()) ++overtaken_;
      call.rang = true;
    } else if (status == 200 && call.answer.empty()) {
      if (!call.rang) ++overtaken_;
      call.answer = text;
      repeat(id, call);
    }
  }
  void late_180(const std::string& text) {
    if (status_of(text) == 180) ++overtaken_;
  }

  std::vector<Endpoint> endpoints_;
  SocketAddress proxy_;
  const Gateways& gateways_;
  std::map<std::string, Call> calls_;
  std::size_t next_ = 0, done_ = 0;
  std::uint64_t overtaken_ = 0;
};

}  // namespace perdure::engine

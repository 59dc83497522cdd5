#pragma once
// Callers, gateways and what they saw of each call. Both ends are here, so a call's whole story is known when it is judged.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "network.hpp"
#include "sip_text.hpp"

namespace load {

enum class Kind { Answered, Cancelled, Busy, Failover };
inline constexpr std::array<const char*, 4> kind_names = {"answered", "cancelled", "busy", "failover"};

struct Options {
  std::uint16_t proxy_port = 5060;
  std::vector<std::uint16_t> gateway_ports;
  std::size_t callers = 4;
  std::size_t calls = 1000;
  double rate = 100;  // per second
  std::array<int, 4> mix = {50, 30, 10, 10};
  milliseconds ring_least{300}, ring_most{1500}, hold{400};
  bool back_to_back = false;  // 180 and 200 in the same millisecond
  bool cancels_only = false;  // judge just what CANCEL and ACK promise (persist = "routes")
  bool refusals = false;      // a call that gets 503 and reaches no gateway is refused, not failed
  milliseconds grace{40000};  // after the last call was started
};

// What one gateway knows of one INVITE branch.
struct Leg {
  std::size_t gateway = 0;
  std::string branch, invite, last_response;
  int final_status = 0;
  bool cancelled = false, acknowledged = false;
};

struct Call {
  Kind kind = Kind::Answered;
  std::size_t caller = 0;
  std::string id;
  Clock::time_point started{}, invite_at{}, ringing_at{};
  bool any_response = false, ringing = false, cancel_sent = false, bye_sent = false, ended = false, retransmitted = false;
  bool timed_out_invite = false, timed_out_cancel = false, timed_out_bye = false;
  int final_status = 0, cancel_status = 0, bye_status = 0, order_seen = 0;
  std::vector<Leg> legs;
  std::vector<std::string> failures;  // found on the way: wrong CANCEL, order, ...
  std::vector<std::string> ladder;
};

// The kinds of failure, in the order of the report.
inline const std::vector<std::string> failure_types = {"no final response",
                                                       "wrong final response",
                                                       "second final response",
                                                       "CANCEL unanswered",
                                                       "CANCEL answered other than 200",
                                                       "CANCEL without INVITE",
                                                       "CANCEL with other name",
                                                       "CANCEL nobody asked for",
                                                       "rings on",
                                                       "INVITE forwarded twice",
                                                       "missing ACK",
                                                       "ACK astray",
                                                       "BYE failed",
                                                       "overtaken"};

class World {
 public:
  World(Network& network, Options options);
  // Runs all calls to their end.
  void run();
  [[nodiscard]] const std::vector<Call>& calls() const { return calls_; }
  // The call's failures, judged when everything is over.
  [[nodiscard]] std::vector<std::string> judge(const Call& call) const;
  [[nodiscard]] bool is_refused(const Call& call) const { return options_.refusals && call.final_status == 503 && call.legs.empty(); }
  // Requests sent again, and the longest time between a request and the first answer to it.
  [[nodiscard]] std::uint64_t retransmissions() const { return retransmissions_; }
  [[nodiscard]] milliseconds longest_wait() const { return longest_wait_; }
  [[nodiscard]] std::vector<double> post_dial_delays_ms() const { return post_dial_delays_; }

 private:
  void start_call(std::size_t index);
  void on_caller(std::size_t caller, std::string_view bytes);
  void on_gateway(std::size_t gateway, std::string_view bytes, std::uint16_t from);
  void on_invite(std::size_t gateway, std::size_t index, const Text& text, std::string_view bytes, std::uint16_t from);
  void on_cancel(std::size_t gateway, std::size_t index, const Text& text, std::string_view bytes, std::uint16_t from);
  void on_bye(std::size_t gateway, std::size_t index, const Text& text, std::string_view bytes, std::uint16_t from);
  void on_ack(std::size_t gateway, std::size_t index, const Text& text);
  void answer(std::size_t index, std::size_t leg, int status, std::string invite, std::uint16_t to);
  void answer_until_ack(std::size_t index, std::size_t leg, std::string response, std::uint16_t to, milliseconds interval,
                        milliseconds spent);
  void on_invite_final(std::size_t index, const Text& text);
  void send_until(std::size_t index, std::string key, std::string text, milliseconds interval, bool invite, milliseconds spent);
  void note(Call& call, std::size_t gateway, bool sent, std::string_view bytes);
  void waited(Clock::time_point since);
  [[nodiscard]] std::string request(const Call& call, std::string_view method, std::string_view uri, std::string_view branch,
                                    std::string_view to, const std::string& routes, int cseq) const;
  [[nodiscard]] static std::string response(std::string_view request, int status, const std::string& tag, const std::string& extra);
  [[nodiscard]] milliseconds ring_time(std::size_t index) const;
  [[nodiscard]] static std::size_t index_of(std::string_view call_id);
  [[nodiscard]] std::size_t leg_of(const Call& call, std::size_t gateway, std::string_view branch) const;
  [[nodiscard]] std::size_t leg_of_dialog(const Call& call, std::size_t index, const Text& text) const;
  [[nodiscard]] static bool same_name_as(std::string_view invite_bytes, const Text& text);

  Network& network_;
  const Options options_;
  std::vector<std::size_t> caller_sockets_, gateway_sockets_;
  std::vector<Call> calls_;
  std::set<std::string> waiting_;  // "index key" of requests that are sent again
  std::map<std::string, Clock::time_point> sent_at_;
  std::uint64_t retransmissions_ = 0;
  milliseconds longest_wait_{0};
  std::vector<double> post_dial_delays_;
  std::string run_;
};

}  // namespace load

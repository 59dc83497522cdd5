// Callers and callees around a proxy, in one thread with one clock. Calls begin by the schedule, not when others end (open loop), so a
// proxy that stands still is charged for every call that waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "call.hpp"
#include "channel.hpp"
#include "connection.hpp"
#include "histogram.hpp"
#include "messages.hpp"

namespace perdure::bench {

struct GeneratorOptions {
  Transport transport = Transport::Udp;
  std::uint16_t proxy_port = 0;
  std::uint16_t first_port = 0;  // of UDP sockets
  unsigned lines = 4;            // sockets or connections of callers, and as many of callees
  double rate = 100;             // calls per second
  double warmup_s = 1, seconds = 5, grace_s = 5;
  double ring_ms = 0, hold_ms = 0;
  unsigned cancel_percent = 0;
  double idle_sleep_us = 0;  // 0: spins, which takes a whole core and measures best
  std::uint32_t open = 0;    // so many calls that ring and never end, instead of answered ones
};

// Counters are those of calls that began after the warm-up, but for messages.
struct GeneratorReport {
  std::uint64_t attempted = 0, good = 0, failed = 0, reached = 0, acknowledged = 0, unexpected = 0;
  // Over connections no INVITE is sent again, but those that had no response within T1 are counted all the same.
  std::uint64_t invite_retransmissions = 0, calls_retransmitted = 0, other_retransmissions = 0;
  std::uint64_t received = 0, sent = 0;  // messages, warm-up included
  std::uint64_t connections_closed = 0;  // by the proxy
  std::string security;                  // of the first connection: version and cipher
  std::uint64_t invite_bytes = 0;
  std::uint64_t begun = 0;                             // calls, warm-up included
  std::uint64_t gap_max_ns = 0;                        // longest time without any response to a caller
  std::uint64_t late_max_ns = 0;                       // longest time by which a call began later than scheduled
  double busy_share = 0;                               // of the measured part: time in which the generator had something to do
  std::vector<std::pair<int, std::uint64_t>> refused;  // status codes other than those expected
  Histogram invite, ringing, ok, bye;                  // time from one side to the other
  Histogram post_dial_delay, first_response;           // of the caller, from the schedule; from sending
};

class Generator {
 public:
  // Opens the connections, if it is to have some.
  explicit Generator(const GeneratorOptions& options);
  ~Generator();

  // Calls for that long and waits for their end, at most for the grace. `measuring` is called when the warm-up ends and, with false, when
  // the last call has begun. With `open`: returns when all ring.
  void run(const std::function<void(bool)>& measuring);
  // Goes on to receive (and nothing else) for that long.
  void hold(std::uint64_t nanoseconds);

  [[nodiscard]] const GeneratorReport& report();

 private:
  struct Line {
    Line(Transport transport, std::unique_ptr<Channel> caller_end, std::unique_ptr<Channel> callee_end, std::string_view run);
    std::unique_ptr<Channel> caller, callee;
    Messages messages;
  };

  [[nodiscard]] Call* find(std::uint32_t number);
  [[nodiscard]] bool reliable() const { return options_.transport != Transport::Udp; }
  [[nodiscard]] Line& line_of(const Call& call) { return *lines_[call.number % lines_.size()]; }
  // Sleeps when there was nothing to do, if it is to.
  void rest(bool something) const;
  [[nodiscard]] bool turn(std::uint64_t now);  // did something happen?
  void begin_calls(std::uint64_t now);
  void begin_call(std::uint64_t due);
  void finish(Call& call, bool good);
  void open_lines();
  void watch(Connection& connection, std::size_t line, bool of_callee);
  [[nodiscard]] bool receive_datagrams();
  [[nodiscard]] bool receive_from_connections();
  [[nodiscard]] bool receive_from_caller(Line& line);
  [[nodiscard]] bool receive_from_callee(Line& line);
  void queue(Channel& channel, std::size_t size, std::uint64_t* sent = nullptr);
  void flush();

  // generator_messages.cpp
  void on_response(std::string_view text, std::uint64_t now);
  void on_invite_response(Call& call, int status, std::string_view text, std::uint64_t now);
  void on_answered(Call& call, std::string_view text, std::uint64_t now);
  void on_request(Line& line, std::string_view text, std::uint64_t now);
  void on_invite(Call& call, std::string_view text, std::uint64_t now);
  void on_timers(std::uint64_t now);
  void on_timer(const Timer& timer, std::uint64_t now);
  void retransmit_later(const Timer& timer, std::uint64_t now);
  void count_retransmission(Call& call, TimerKind kind);
  void send_request(const Call& call, const Pattern& pattern, std::uint64_t* sent = nullptr);
  void send_in_dialog(const Call& call, const Pattern& head, const Pattern& tail, std::uint64_t* sent = nullptr);
  void send_bye(Call& call, std::uint64_t now);
  void answer(Call& call, std::uint64_t now);
  void send_answer(const Call& call, std::string_view status, const Pattern& tail, std::uint64_t* sent = nullptr);
  void respond(Line& line, std::string_view request, std::uint32_t call, std::string_view status);

  GeneratorOptions options_;
  std::string run_;  // in all names of this run
  std::unique_ptr<TlsClient> tls_;
  int epoll_ = -1;                   // of connections
  std::vector<Channel*> unflushed_;  // have something to send
  std::vector<std::unique_ptr<Line>> lines_;
  std::unique_ptr<Call[]> calls_;
  std::uint32_t mask_;
  std::vector<TimerLane> lanes_;  // T1 * 2^i, then ringing, then holding
  GeneratorReport report_;
  std::uint64_t begin_ = 0, total_ = 0, begun_ = 0, warmup_calls_ = 0, active_ = 0, ringing_ = 0;
  double interval_ns_ = 0;
  std::uint64_t last_response_ = 0;
  bool watching_ = false;  // for gaps: while calls begin after the warm-up
};

}  // namespace perdure::bench

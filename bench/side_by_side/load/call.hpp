// One call of the generator, both ends of it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace perdure::bench {

enum class Caller : std::uint8_t { Calling, Proceeding, Confirmed, Ending, Cancelling, Done };
enum class Callee : std::uint8_t { Unreached, Ringing, Answered, Confirmed, Rejected, Ended };

struct Call {
  std::uint32_t number = 0;  // 0: the slot was never used
  Caller caller = Caller::Done;
  Callee callee = Callee::Ended;
  bool cancelled = false;      // the caller hangs up while it rings
  bool measured = false;       // began after the warm-up
  bool retransmitted = false;  // its INVITE was
  bool first_seen = false;     // the caller has had a response
  // When the messages went to the kernel; 0: not yet. CLOCK_MONOTONIC, ns. `due` is the time of the schedule.
  std::uint64_t due = 0, invite_sent = 0, ringing_sent = 0, ok_sent = 0, bye_sent = 0;
  // Route lines of the caller, and what the callee repeats of the INVITE in its responses.
  std::uint16_t route_bytes = 0, header_bytes = 0;
  std::array<char, 256> route;
  std::array<char, 1024> headers;
};

enum class TimerKind : std::uint8_t { Invite, Cancel, Bye, Ok, Reject, Answer, HangUp };

struct Timer {
  std::uint64_t deadline = 0;
  std::uint32_t call = 0;
  TimerKind kind{};
  std::uint8_t round = 0;  // how many retransmissions came before
};

// Timers of one duration: they end in the order in which they began. Those of calls that went on are skipped when they end.
class TimerLane {
 public:
  explicit TimerLane(std::uint64_t duration_ns) : duration_(duration_ns), ring_(1U << 12) {}

  void start(std::uint64_t now, std::uint32_t call, TimerKind kind, std::uint8_t round) {
    if (end_ - begin_ == ring_.size()) grow();
    ring_[end_++ & (ring_.size() - 1)] = {now + duration_, call, kind, round};
  }
  [[nodiscard]] const Timer* due(std::uint64_t now) const {
    if (begin_ == end_) return nullptr;
    const Timer& first = ring_[begin_ & (ring_.size() - 1)];
    return first.deadline <= now ? &first : nullptr;
  }
  void pop() { ++begin_; }

 private:
  void grow() {
    std::vector<Timer> larger(ring_.size() * 2);
    for (std::uint64_t i = begin_; i != end_; ++i) larger[i & (larger.size() - 1)] = ring_[i & (ring_.size() - 1)];
    ring_ = std::move(larger);
  }

  std::uint64_t duration_;
  std::vector<Timer> ring_;
  std::uint64_t begin_ = 0, end_ = 0;
};

}  // namespace perdure::bench

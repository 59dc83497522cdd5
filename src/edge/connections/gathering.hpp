#pragma once
// How long messages of connections are left in their sockets until some have gathered (docs/decisions/0052). The clock is the caller's.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace perdure::edge {

class Gathering {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Pause = std::chrono::nanoseconds;

  // To be woken costs several times what a message costs, so under load the peers are left alone until about so many messages have come.
  // More would wait in the ring for each other.
  static constexpr int messages = 4;

  // But no longer than that; zero: never.
  explicit Gathering(Pause time_max) : time_max_(time_max) {}

  // After a turn that waited from `waiting_since` to `now` and found so many messages of peers. `idle`: nothing else is left to do.
  void on_turn(std::uint64_t received, Time waiting_since, Time now, bool idle) {
    wanted_ = received != 0 && now - waiting_since < time() && idle;
    if (received == 0) return;
    const Pause elapsed = now - std::exchange(last_received_, now);
    const auto interval = std::min(elapsed, 2 * time_max_) / static_cast<std::int64_t>(received);
    interval_ += (interval - interval_) / 8;
  }
  // For how long the next turn should leave the peers alone; zero: not at all. To be asked once before each turn.
  [[nodiscard]] Pause pause(Time now) {
    if (!std::exchange(wanted_, false)) return {};
    return std::max<Pause>(last_received_ + time() - now, {});
  }
  // What interrupted a pause has been done: the next turn may go on with it.
  void resume(bool idle) { wanted_ = idle; }

 private:
  [[nodiscard]] Pause time() const { return std::min(time_max_, messages * interval_); }

  const Pause time_max_;
  bool wanted_ = false;
  Time last_received_;  // when the last turn began in which messages came
  Pause interval_{};    // between messages, lately
};

}  // namespace perdure::edge

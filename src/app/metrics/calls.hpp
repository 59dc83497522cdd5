#pragma once
// How calls end: the final responses to INVITE by what they say of the network and of the user, and the ratios of the last minutes.
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>

namespace perdure::app {

enum class CallOutcome : std::uint8_t { Answered, Busy, NoAnswer, Rejected, Challenged, Redirected, NotFound, Failed };
inline constexpr std::size_t call_outcomes = 8;
[[nodiscard]] std::string_view name(CallOutcome outcome);
// Of a final response.
[[nodiscard]] CallOutcome outcome_of(std::uint16_t status);

using CallCounts = std::array<std::uint64_t, call_outcomes>;
// From counts by status.
[[nodiscard]] CallCounts count_calls(std::span<const std::uint64_t> by_status);

class CallRatios {
 public:
  using Clock = std::chrono::steady_clock;
  struct Ratios {
    double answer_seizure = 0, network_efficiency = 0;
  };
  // Call it every few seconds with what has been counted since the beginning.
  void sample(const CallCounts& counts, Clock::time_point now);
  // Of the calls between the last sample and one of five minutes before; nothing if there were none.
  [[nodiscard]] std::optional<Ratios> ratios() const;

 private:
  struct Sample {
    Clock::time_point at;
    CallCounts counts;
  };
  std::deque<Sample> samples_;  // the first is the base of the window
  Sample last_{};
};

}  // namespace perdure::app

#pragma once
// Named pipes with a rate that all workers share (Kamailio's pipelimit and ratelimit). Any thread.
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace perdure::limit {

inline constexpr std::size_t pipes_max = 10'000;
inline constexpr std::size_t pipe_name_bytes_max = 128;

enum class PipeAlgorithm : std::uint8_t {
  TailDrop,  // `limit` messages in an interval, then none
  Red,       // each n-th message, n by how much the last interval was over the limit
};
[[nodiscard]] std::optional<PipeAlgorithm> pipe_algorithm_from(std::string_view name);  // "TAILDROP", "RED"; without case
[[nodiscard]] std::string_view name(PipeAlgorithm algorithm);

struct PipeOptions {
  std::string name{};
  PipeAlgorithm algorithm = PipeAlgorithm::TailDrop;
  std::uint32_t limit = 0;  // messages in an interval
};

struct PipeView {
  std::string name;
  PipeAlgorithm algorithm = PipeAlgorithm::TailDrop;
  std::uint32_t limit = 0, counter = 0, last_counter = 0;
  bool configured = false;
};

class Pipes {
 public:
  enum class Answer : std::uint8_t { Pass, Refuse, Unknown };

  Pipes(std::vector<PipeOptions> configured, Duration interval);

  // Counts a message. Unknown: there is no such pipe.
  [[nodiscard]] Answer check(std::string_view name, Time now);
  // The same; a pipe that is not there is made, and one that was made so gets the new limit. Unknown: pipes_max of them are in use, or the
  // name is too long.
  [[nodiscard]] Answer check(const PipeOptions& pipe, Time now);
  // A message of the interval counts: the pipe was used in it or the one before.
  [[nodiscard]] bool is_active(std::string_view name, Time now) const;
  // False: there is no such pipe.
  bool set(std::string_view name, PipeAlgorithm algorithm, std::uint32_t limit);
  [[nodiscard]] std::vector<PipeView> view(Time now) const;
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Pipe {
    PipeAlgorithm algorithm = PipeAlgorithm::TailDrop;
    std::uint32_t limit = 0;
    bool configured = false;
    std::int64_t interval = 0;  // that `counter` counts
    std::uint32_t counter = 0, last_counter = 0;
  };
  [[nodiscard]] std::int64_t interval_of(Time now) const { return now.time_since_epoch() / interval_; }
  static void move_to(Pipe& pipe, std::int64_t interval);
  [[nodiscard]] Answer count(Pipe& pipe, Time now);

  const Duration interval_;
  mutable std::mutex mutex_;
  std::map<std::string, Pipe, std::less<>> pipes_;
  std::int64_t cleaned_ = 0;  // interval in which unused pipes were removed last
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace perdure::limit

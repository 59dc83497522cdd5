#pragma once
// How many requests come from each source address (Kamailio's pike): one that sends more than its share is blocked until it sends less.
// The table has a fixed size: of a flood from spoofed addresses each displaces another, but hardly one that sends much. Any thread.
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/socket_address.hpp"
#include "base/time.hpp"

namespace perdure::limit {

struct SourceOptions {
  Duration interval = 2s;             // Kamailio's sampling_time_unit
  std::uint32_t requests_max = 30;    // in an interval: reqs_density_per_unit
  std::uint32_t sources_max = 65536;  // rounded up to a power of two
  std::uint32_t ipv6_bits = 64;       // addresses that share this prefix are one source
};

enum class Verdict : std::uint8_t { Allowed, NewlyBlocked, Blocked };

// Whether a source sends more than its share, or comes near it: Kamailio's words for nodes of its tree.
enum class Heat : std::uint8_t { Cool, Warm /* a quarter of requests_max in this interval */, Hot };

struct SourceView {
  SocketAddress address;  // without port
  std::uint32_t previous = 0, current = 0;
  bool blocked = false;
  Heat heat = Heat::Cool;
  Duration forgotten_in{};  // if it sends nothing until then
};

class Sources {
 public:
  explicit Sources(SourceOptions options);

  // Counts a request. Blocked: it or the interval before had more than requests_max, or both together more than twice as many.
  [[nodiscard]] Verdict check(const SocketAddress& source, Time now);
  // Those that are blocked, or all that were seen in this interval or the one before; `limit` of them.
  [[nodiscard]] std::vector<SourceView> view(Time now, bool blocked_only, std::size_t limit) const;
  // Those with the most requests in both intervals, the busiest first; with `heat` only those that have it.
  [[nodiscard]] std::vector<SourceView> top(Time now, std::optional<Heat> heat, std::size_t limit) const;
  [[nodiscard]] const SourceOptions& options() const { return options_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t ways = 8;
  struct Slot {
    std::array<std::uint8_t, 16> ip{};
    Family family = Family::None;
    bool blocked = false;
    std::uint32_t interval = 0;  // that `current` counts
    std::uint32_t previous = 0, current = 0;
  };
  using Set = std::array<Slot, ways>;
  [[nodiscard]] std::uint32_t interval_of(Time now) const;
  static void move_to(Slot& slot, std::uint32_t interval);
  [[nodiscard]] bool is_hot(const Slot& slot) const;
  [[nodiscard]] SourceView view_of(const Slot& slot, Time now) const;

  const SourceOptions options_;
  std::vector<Set> sets_;
  mutable std::array<std::mutex, 64> mutexes_;  // of the sets whose number ends so
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace perdure::limit

#pragma once
// What the scripts of all workers share beside hash tables: variables ($shv), counters, locks, a probability. Every member function may run
// in any thread. Lives as long as the engine.
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/value.hpp"
#include "shared/named_locks.hpp"

namespace perdure::shared {

inline constexpr std::size_t variables_max = 1024;
inline constexpr std::size_t variable_bytes_max = 16 * 1024;
inline constexpr std::size_t counters_max = 1024;
inline constexpr std::size_t name_bytes_max = 128;

class State {
 public:
  // ---- variables ----
  [[nodiscard]] std::optional<Value> variable(std::string_view name) const;
  // False: variables_max, variable_bytes_max or name_bytes_max is reached.
  bool set_variable(std::string_view name, Value value);
  [[nodiscard]] std::vector<std::pair<std::string, Value>> variables() const;

  // ---- counters: begin at 0 when they are first changed ----
  // False: counters_max or name_bytes_max is reached.
  bool add(std::string_view counter, std::int64_t amount);
  void reset(std::string_view counter);
  // Nullopt: it was never changed.
  [[nodiscard]] std::optional<std::int64_t> counter(std::string_view name) const;
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> counters() const;

  // ---- probability of rand_event, in percent ----
  static constexpr unsigned initial_probability = 10;
  [[nodiscard]] unsigned probability() const { return probability_.load(std::memory_order_relaxed); }
  // False: more than 100.
  bool set_probability(unsigned percent);

  NamedLocks locks;

 private:
  mutable std::mutex variables_mutex_, counters_mutex_;
  std::map<std::string, Value, std::less<>> variables_;
  std::map<std::string, std::int64_t, std::less<>> counters_;
  std::atomic<unsigned> probability_{initial_probability};
};

// Kamailio's core hash of two texts, for scripts that share out by it. `size`: a power of two, 0: the whole 32 bits.
[[nodiscard]] std::uint32_t core_hash(std::string_view first, std::string_view second, std::uint32_t size);

}  // namespace perdure::shared

#pragma once
#include <array>
#include <cstdint>

namespace perdure {

// xoshiro256**: one owner, no locks. Chance is an argument (STYLE 2): a seed replays a run. Not for keys.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  [[nodiscard]] std::uint64_t next();
  // Uniform in [0, bound), bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace perdure

#pragma once
// When the simulated process dies: at a counted write or output, so that a test can try each, or by chance, so that a world can try many.
#include <cstdint>

#include "base/random.hpp"

namespace perdure::sim {

// Counted over the whole run, over all processes.
struct CrashPlan {
  std::uint64_t at_write = UINT64_MAX;   // before this write to the store (every piece of 8 bytes is one)
  std::uint64_t at_output = UINT64_MAX;  // after this many datagrams have left
  // By chance: one in so many writes, outputs; 0: none.
  std::uint64_t write_chance = 0, output_chance = 0;
  std::uint64_t crashes_max = UINT64_MAX;  // deaths, after which chance kills no more
};

// Counts what the process does and says where it dies. The same seed and the same doings give the same deaths.
class Crasher {
 public:
  Crasher(const CrashPlan& plan, std::uint64_t seed) : plan_(plan), random_(seed) {}
  // The counts go on.
  void set_plan(const CrashPlan& plan) { plan_ = plan; }

  // True: the process dies here. The caller tells of nothing more until the next process runs.
  [[nodiscard]] bool before_write();
  [[nodiscard]] bool after_output();

  [[nodiscard]] std::uint64_t writes() const { return writes_; }
  [[nodiscard]] std::uint64_t outputs() const { return outputs_; }
  [[nodiscard]] std::uint64_t crashes() const { return crashes_; }

 private:
  [[nodiscard]] bool die(bool planned, std::uint64_t chance);

  CrashPlan plan_;
  Random random_;
  std::uint64_t writes_ = 0, outputs_ = 0, crashes_ = 0;
};

}  // namespace perdure::sim

#include "sim/faults.hpp"

namespace perdure::sim {

bool Crasher::before_write() {
  return die(writes_++ == plan_.at_write, plan_.write_chance);
}

bool Crasher::after_output() {
  return die(++outputs_ == plan_.at_output, plan_.output_chance);
}

bool Crasher::die(bool planned, std::uint64_t chance) {
  const bool dies = planned || (chance != 0 && crashes_ < plan_.crashes_max && random_.below(chance) == 0);
  crashes_ += dies;
  return dies;
}

}  // namespace perdure::sim

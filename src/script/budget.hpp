#pragma once
#include <cstdint>

namespace perdure::script {

// What a callback may still use, with all that it calls.
struct Budget {
  std::uint64_t instructions = 0;     // of Lua
  std::uint64_t allocated_bytes = 0;  // whether freed again or not: garbage takes time, too
  std::int64_t processor_us = 0;      // an instruction can be a call that goes over megabytes
};

}  // namespace perdure::script

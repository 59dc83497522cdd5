#pragma once
#include <cstdint>
#include <string_view>

#include "base/checksum.hpp"

namespace perdure::dispatch {

// Key of a call in the StateFile. Stored, so it must not change between versions.
[[nodiscard]] inline std::uint64_t load_key(std::string_view call_id) {
  const std::uint64_t key = checksum(call_id);
  return key != 0 ? key : 1;
}

}  // namespace perdure::dispatch

#pragma once
#include "base/checksum.hpp"
#include "store/format.hpp"

namespace perdure::store {

// Of a header and of the `layout` and `size` in front of it.
[[nodiscard]] inline std::uint64_t header_checksum(const HeaderPrefix& prefix, const void* header) {
  return checksum(header, prefix.size, (std::uint64_t{prefix.layout} << 32 | prefix.size) + 1);
}

}  // namespace perdure::store

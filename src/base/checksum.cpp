#include "base/checksum.hpp"

#include <xxhash.h>

namespace perdure {

std::uint64_t checksum(const void* data, std::size_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(data, size, seed);
}

}  // namespace perdure

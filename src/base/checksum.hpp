#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perdure {

// 64-bit hash of bytes (XXH3), the same on every machine and in every version: it is stored. Not for secrets.
[[nodiscard]] std::uint64_t checksum(const void* data, std::size_t size, std::uint64_t seed = 0);
[[nodiscard]] inline std::uint64_t checksum(std::string_view bytes, std::uint64_t seed = 0) {
  return checksum(bytes.data(), bytes.size(), seed);
}

}  // namespace perdure

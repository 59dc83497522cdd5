#pragma once
// Reading and checking the front of the file: superblock and extent table.
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "store/format.hpp"
#include "store/kind_info.hpp"
#include "store/mapping.hpp"

namespace perdure::store {

[[nodiscard]] Superblock read_superblock(const Mapping& mapping);
[[nodiscard]] std::uint64_t superblock_checksum(Superblock block);

// Where extent 0 begins: after the table, at a multiple of the extent size.
[[nodiscard]] std::uint64_t data_offset_of(std::uint32_t extent_count, std::uint32_t extent_bytes);
// How many extents fit in `bytes` with the table in front.
[[nodiscard]] std::uint32_t extents_for(std::uint64_t bytes, std::uint32_t extent_bytes);

// Nothing was ever stored: all zero, or a process died while it made the superblock.
[[nodiscard]] bool is_blank(const Mapping& mapping);
// Whether the superblock is one of ours and fits a file of `file_bytes`.
[[nodiscard]] Result<> check_superblock(const Superblock& block, std::uint64_t file_bytes);
// Whether this program can read the extents; writes nothing.
[[nodiscard]] Result<> check_table(const Mapping& mapping, const Superblock& block, std::span<const KindInfo> kinds);

}  // namespace perdure::store

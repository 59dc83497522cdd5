#include "store/superblock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "base/checksum.hpp"

namespace perdure::store {
namespace {

// Whether slots of this size are ones that blob_slot_bytes() gives out.
bool is_blob_slot(std::uint32_t slot_bytes, std::uint32_t extent_bytes) {
  return slot_bytes > sizeof(BlobPrefix) && slot_bytes <= extent_bytes &&
         blob_slot_bytes(slot_bytes - std::uint32_t{sizeof(BlobPrefix)}, extent_bytes) == slot_bytes;
}

// In an extent of a layout older than the previous one there may be forwards only.
bool has_direct_records(const Mapping& mapping, const ExtentWord& word, std::uint64_t offset, std::uint32_t extent_bytes) {
  const std::uint32_t slots = std::min(extent_bytes / word.slot_bytes(), slots_per_extent_max);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const std::uint64_t selector = mapping.load_word(offset + std::uint64_t{slot} * word.slot_bytes());
    if ((selector & selector_live) && !(selector & selector_forward)) return true;
  }
  return false;
}

Result<> check_records(const Mapping& mapping, const Superblock& block, const ExtentWord& word, std::uint32_t extent,
                       std::span<const KindInfo> kinds) {
  const auto info = std::ranges::find(kinds, word.kind, &KindInfo::kind);
  const int number = static_cast<int>(word.kind);
  if (info == kinds.end()) return fail(fmt::format("it has records of kind {}, which this program does not know", number));
  const LayoutInfo& current = info->current;
  if (word.layout > current.number)
    return fail(fmt::format("its records of kind {} have layout {}, this program knows {}", number, word.layout, current.number));
  for (const LayoutInfo* layout : {&current, &info->previous})
    if (layout->number == word.layout && word.layout != 0) {
      if (layout->slot_bytes() == word.slot_bytes()) return {};
      return fail(fmt::format("damaged: entry {} of the extent table has slots of {} bytes, not {}", extent, word.slot_bytes(),
                              layout->slot_bytes()));
    }
  const std::uint64_t offset = data_offset_of(block.extent_count, block.extent_bytes) + std::uint64_t{extent} * block.extent_bytes;
  if (!has_direct_records(mapping, word, offset, block.extent_bytes)) return {};
  if (info->previous.number == 0)
    return fail(fmt::format("its records of kind {} have layout {}, this program reads {} only", number, word.layout, current.number));
  return fail(fmt::format("its records of kind {} have layout {}, this program reads {} and {}: start the version between once", number,
                          word.layout, info->previous.number, current.number));
}

}  // namespace

Superblock read_superblock(const Mapping& mapping) {
  Superblock block;
  std::memcpy(&block, mapping.at(0), sizeof block);
  return block;
}

std::uint64_t superblock_checksum(Superblock block) {
  block.checksum = 0;
  return checksum(&block, offsetof(Superblock, boot_id));
}

std::uint64_t data_offset_of(std::uint32_t extent_count, std::uint32_t extent_bytes) {
  const std::uint64_t table_end = superblock_bytes + 8 * std::uint64_t{extent_count};
  return (table_end + extent_bytes - 1) / extent_bytes * extent_bytes;
}

std::uint32_t extents_for(std::uint64_t bytes, std::uint32_t extent_bytes) {
  auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(std::min(bytes, file_bytes_max) / extent_bytes, extents_max));
  while (count > 0 && data_offset_of(count, extent_bytes) + std::uint64_t{count} * extent_bytes > std::min(bytes, file_bytes_max)) --count;
  return count;
}

bool is_blank(const Mapping& mapping) {
  const Superblock block = read_superblock(mapping);
  if (block.magic != 0 || (block.version != 0 && block.version != format_version)) return false;
  // Nothing but the superblock is written before the magic, which comes last.
  const std::uint32_t extent_bytes = default_extent_bytes;
  const std::uint64_t end = std::min(mapping.size(), data_offset_of(extents_for(mapping.size(), extent_bytes), extent_bytes));
  return std::all_of(mapping.at(sizeof block), mapping.at(end), [](char byte) { return byte == 0; });
}

Result<> check_superblock(const Superblock& block, std::uint64_t file_bytes) {
  if (block.magic != magic) return fail("not a store: the file begins with other bytes");
  if (block.version != format_version) return fail(fmt::format("format version {}, this program knows {}", block.version, format_version));
  if (block.checksum != superblock_checksum(block)) return fail("damaged: the checksum of the superblock is wrong");
  if (block.extent_bytes < extent_bytes_min || block.extent_bytes > default_extent_bytes || block.extent_bytes % unit_bytes != 0 ||
      block.partition_count == 0 || block.partition_count > partitions_max || block.extent_count == 0 || block.extent_count > extents_max)
    return fail("damaged: impossible sizes in the superblock");
  const std::uint64_t need =
      data_offset_of(block.extent_count, block.extent_bytes) + std::uint64_t{block.extent_count} * block.extent_bytes;
  if (need > file_bytes_max) return fail("damaged: impossible sizes in the superblock");
  if (need > file_bytes) return fail(fmt::format("damaged: it has {} bytes and should have {}", file_bytes, need));
  return {};
}

Result<> check_table(const Mapping& mapping, const Superblock& block, std::span<const KindInfo> kinds) {
  for (std::uint32_t i = 0; i < block.extent_count; ++i) {
    const std::uint64_t bits = mapping.load_word(superblock_bytes + 8 * std::uint64_t{i});
    if (bits == 0) continue;
    const auto word = std::bit_cast<ExtentWord>(bits);
    const bool fits = word.used == 1 && word.partition < block.partition_count && static_cast<std::size_t>(word.kind) < kind_count &&
                      word.slot_units != 0 && word.slot_bytes() <= block.extent_bytes &&
                      (word.kind != Kind::None || (word.layout == 0 && is_blob_slot(word.slot_bytes(), block.extent_bytes)));
    if (!fits) return fail(fmt::format("damaged: entry {} of the extent table", i));
    if (word.kind == Kind::None) continue;
    if (auto checked = check_records(mapping, block, word, i, kinds); !checked) return checked;
  }
  return {};
}

}  // namespace perdure::store

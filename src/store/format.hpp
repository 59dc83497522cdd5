#pragma once
// The file, byte by byte: docs/store-format.md. Reader and writer share these.
#include <array>
#include <cstdint>
#include <type_traits>

#include "store/types.hpp"

namespace perdure::store {

inline constexpr std::uint64_t magic = 0x0045525544524550;  // "PERDURE\0"
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint32_t unit_bytes = 64;
inline constexpr std::uint32_t default_extent_bytes = 128 * 1024;
inline constexpr std::uint32_t extent_bytes_min = 4096;
inline constexpr std::uint32_t slots_per_extent_max = 256;  // a record's id is extent << 8 | slot
inline constexpr std::uint32_t extents_max = (1U << 24) - 1;
inline constexpr std::uint32_t partitions_max = 1024;
inline constexpr std::uint64_t file_bytes_max = std::uint64_t{UINT32_MAX} * unit_bytes;  // a blob's place is a 32-bit number of units
inline constexpr std::uint64_t superblock_bytes = 4096;

struct Superblock {
  std::uint64_t magic = store::magic;
  std::uint32_t version = format_version;
  std::uint32_t partition_count = 0;
  std::uint32_t extent_bytes = 0;
  std::uint32_t extent_count = 0;
  std::uint64_t secret = 0;    // seeds hashes that are stored: branch parameters, transaction keys
  std::uint64_t checksum = 0;  // of the fields above, with this one 0
  // What follows changes while the store is in use; each is one aligned word.
  std::uint64_t boot_id = 0;  // hash of the kernel's boot id; 0: came from a snapshot. Another one: checksums are verified
  std::int64_t last_logical_us = 0;
  std::int64_t last_wall_us = 0;
};
static_assert(std::is_trivially_copyable_v<Superblock> && sizeof(Superblock) == 64 && sizeof(Superblock) <= superblock_bytes);

// The extent table follows the superblock: one word per extent, 0 = free.
struct ExtentWord {
  Kind kind = Kind::None;  // None: an extent of blobs
  std::uint8_t used = 0;   // 1: belongs to `partition`
  std::uint16_t partition = 0;
  std::uint16_t slot_units = 0;  // size of each slot in it, in units of 64 bytes
  std::uint16_t layout = 0;      // of the records in it; 0 for blobs

  [[nodiscard]] std::uint32_t slot_bytes() const { return std::uint32_t{slot_units} * unit_bytes; }
  friend bool operator==(const ExtentWord&, const ExtentWord&) = default;
};
static_assert(sizeof(ExtentWord) == 8);

// A record's slot: selector, sent word, two header slots. The selector is bit 0 live, bit 1 which header slot, bit 2 forward, the rest a
// sequence number. Forward: the record was brought to a newer layout and lies in the slot whose id is in the upper 32 bits.
struct RecordPrefix {
  std::uint64_t selector = 0;
  std::uint64_t sent_sequence = 0;
};
struct HeaderPrefix {
  std::uint64_t checksum = 0;  // of `layout`, `size` and the header
  std::uint32_t layout = 0;
  std::uint32_t size = 0;
};
struct BlobPrefix {
  std::uint64_t checksum = 0;
};

inline constexpr std::uint64_t selector_live = 1, selector_slot = 2, selector_forward = 4;
inline constexpr unsigned sequence_shift = 3;
[[nodiscard]] constexpr std::uint64_t sequence_of(std::uint64_t selector) {
  return selector >> sequence_shift;
}
[[nodiscard]] constexpr std::uint64_t forward_to(RecordId id) {
  return std::uint64_t{id.value} << 32 | selector_forward | selector_live;
}
[[nodiscard]] constexpr RecordId forwarded_to(std::uint64_t selector) {
  return RecordId{static_cast<std::uint32_t>(selector >> 32)};
}

[[nodiscard]] constexpr std::uint32_t round_up(std::uint32_t value, std::uint32_t to) {
  return (value + to - 1) / to * to;
}
[[nodiscard]] constexpr std::uint32_t header_slot_bytes(std::uint32_t header_bytes) {
  return round_up(static_cast<std::uint32_t>(sizeof(HeaderPrefix)) + header_bytes, 8);
}
[[nodiscard]] constexpr std::uint32_t record_slot_bytes(std::uint32_t header_bytes) {
  return round_up(static_cast<std::uint32_t>(sizeof(RecordPrefix)) + 2 * header_slot_bytes(header_bytes), unit_bytes);
}

// Size of the slot that a blob of `size` bytes goes into: multiples of 64 up to 2048, then quarter steps. 0: too large.
[[nodiscard]] constexpr std::uint32_t blob_slot_bytes(std::uint32_t size, std::uint32_t extent_bytes) {
  const std::uint64_t need = std::uint64_t{size} + sizeof(BlobPrefix);
  if (need > extent_bytes) return 0;
  if (need <= 2048) return round_up(static_cast<std::uint32_t>(need), unit_bytes);
  std::uint32_t step = 512;
  for (std::uint32_t power = 2048; power < extent_bytes; power *= 2, step *= 2)
    if (need <= 2 * power) {
      const std::uint32_t slot = round_up(static_cast<std::uint32_t>(need), step);
      return slot > extent_bytes ? 0 : slot;
    }
  return 0;
}

}  // namespace perdure::store

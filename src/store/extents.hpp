#pragma once
// Extents: the 128 KiB pieces that partitions claim from the whole store, and which of their slots are in use (derived, in process memory).
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "store/format.hpp"
#include "store/mapping.hpp"

namespace perdure::store {

class Extents {
 public:
  // `table_offset`: where the extent table lies; `data_offset`: where extent 0 begins.
  Extents(Mapping& mapping, std::uint32_t count, std::uint32_t extent_bytes, std::uint64_t table_offset, std::uint64_t data_offset);

  // A free extent for the partition, or UINT32_MAX. No slot of an extent of records is live. Thread-safe; rare.
  [[nodiscard]] std::uint32_t claim(const ExtentWord& word);
  void release(std::uint32_t extent);

  [[nodiscard]] ExtentWord word(std::uint32_t extent) const;
  [[nodiscard]] std::uint64_t offset(std::uint32_t extent) const { return data_offset_ + std::uint64_t{extent} * extent_bytes_; }
  // The extent that a byte offset lies in, UINT32_MAX if none.
  [[nodiscard]] std::uint32_t extent_at(std::uint64_t offset) const {
    if (offset < data_offset_) return UINT32_MAX;
    const std::uint64_t extent = (offset - data_offset_) / extent_bytes_;
    return extent < count_ ? static_cast<std::uint32_t>(extent) : UINT32_MAX;
  }
  // The same in units of 64 bytes, as blobs are named; `within`: units from where the extent begins. An attach asks it for every blob, and
  // a division of 32 bits takes half the time.
  [[nodiscard]] std::uint32_t extent_at_unit(std::uint32_t unit, std::uint32_t& within) const {
    if (unit < data_unit_) return UINT32_MAX;
    const std::uint32_t extent = (unit - data_unit_) / extent_units_;
    within = (unit - data_unit_) % extent_units_;
    return extent < count_ ? extent : UINT32_MAX;
  }
  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] std::uint32_t extent_bytes() const { return extent_bytes_; }
  [[nodiscard]] std::uint32_t free_count() const { return free_count_.load(std::memory_order_relaxed); }
  // New records stop here, so that existing calls can go on: a quarter, since a call that has just begun grows by its responses.
  [[nodiscard]] bool in_reserve() const { return free_count() <= reserve_; }
  // Whoever holds an empty extent gives it back: it may be what another partition, or another size, is looking for. Any thread.
  [[nodiscard]] bool short_of_room() const { return in_reserve() || starved_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t slots(const ExtentWord& word) const;
  // The offset behind the last extent that is claimed.
  [[nodiscard]] std::uint64_t used_end() const;

 private:
  Mapping& mapping_;
  const std::uint32_t count_, extent_bytes_;
  const std::uint64_t table_offset_, data_offset_;
  const std::uint32_t data_unit_, extent_units_;  // the same in units
  const std::uint32_t reserve_;
  std::atomic<std::uint32_t> free_count_{0};
  std::atomic<bool> starved_{false};  // the file system had no room for the extent that was asked for last
  std::mutex claiming_;
  std::uint32_t lowest_ = 0;  // no free extent below; the lowest is taken first, so that the file stays as short as its peak
};

// Which slots of one extent are in use.
struct SlotMap {
  std::array<std::uint64_t, 32> bits{};  // 128 KiB / 64 bytes
  std::uint32_t used = 0;

  [[nodiscard]] bool test(std::uint32_t slot) const { return (bits[slot / 64] >> (slot % 64)) & 1; }
  void set(std::uint32_t slot) {
    bits[slot / 64] |= std::uint64_t{1} << (slot % 64);
    ++used;
  }
  void clear(std::uint32_t slot) {
    bits[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    --used;
  }
  // A free slot below `count`, which has one.
  [[nodiscard]] std::uint32_t first_free(std::uint32_t count) const;
};

// One for each extent of a store, nothing in use. Pages of maps that nobody touches take no memory and no time: an attach has neither to
// spare for the extents of a large store that are free.
class SlotMaps {
 public:
  explicit SlotMaps(std::uint32_t count);
  [[nodiscard]] SlotMap& operator[](std::uint32_t extent) { return maps_[extent]; }
  [[nodiscard]] const SlotMap& operator[](std::uint32_t extent) const { return maps_[extent]; }

 private:
  struct Free {
    void operator()(SlotMap* maps) const { std::free(maps); }
  };
  std::unique_ptr<SlotMap[], Free> maps_;
};

}  // namespace perdure::store

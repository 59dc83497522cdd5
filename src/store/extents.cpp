#include "store/extents.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <type_traits>

#include "base/assert.hpp"

namespace perdure::store {

Extents::Extents(Mapping& mapping, std::uint32_t count, std::uint32_t extent_bytes, std::uint64_t table_offset, std::uint64_t data_offset)
    : mapping_(mapping),
      count_(count),
      extent_bytes_(extent_bytes),
      table_offset_(table_offset),
      data_offset_(data_offset),
      data_unit_(static_cast<std::uint32_t>(data_offset / unit_bytes)),
      extent_units_(extent_bytes / unit_bytes),
      reserve_(count / 4) {
  std::uint32_t free = 0;
  for (std::uint32_t i = 0; i < count_; ++i) free += mapping_.load_word(table_offset_ + 8 * std::uint64_t{i}) == 0;
  free_count_ = free;
}

ExtentWord Extents::word(std::uint32_t extent) const {
  return std::bit_cast<ExtentWord>(mapping_.load_word(table_offset_ + 8 * std::uint64_t{extent}));
}

std::uint32_t Extents::slots(const ExtentWord& word) const {
  const std::uint32_t fit = word.slot_units ? extent_bytes_ / word.slot_bytes() : 0;
  return word.kind == Kind::None ? fit : std::min(fit, slots_per_extent_max);
}

std::uint64_t Extents::used_end() const {
  std::uint32_t end = count_;
  while (end > 0 && mapping_.load_word(table_offset_ + 8 * std::uint64_t{end - 1}) == 0) --end;
  return offset(end);
}

std::uint32_t Extents::claim(const ExtentWord& word) {
  const std::scoped_lock lock(claiming_);
  for (; lowest_ < count_; ++lowest_)
    if (mapping_.load_word(table_offset_ + 8 * std::uint64_t{lowest_}) == 0) break;
  if (lowest_ == count_) return UINT32_MAX;
  const bool provided = mapping_.provide(offset(lowest_), extent_bytes_);
  starved_.store(!provided, std::memory_order_relaxed);
  if (!provided) return UINT32_MAX;
  const std::uint32_t extent = lowest_++;
  // Old bytes, perhaps of a message, must not look like records.
  if (word.kind != Kind::None)
    for (std::uint32_t slot = 0; slot < slots(word); ++slot) {
      const std::uint64_t at = offset(extent) + std::uint64_t{slot} * word.slot_bytes();
      mapping_.store_word(at + offsetof(RecordPrefix, selector), 0);
      mapping_.store_word(at + offsetof(RecordPrefix, sent_sequence), 0);
    }
  mapping_.store_word(table_offset_ + 8 * std::uint64_t{extent}, std::bit_cast<std::uint64_t>(word));
  free_count_.fetch_sub(1, std::memory_order_relaxed);
  return extent;
}

void Extents::release(std::uint32_t extent) {
  const std::scoped_lock lock(claiming_);
  mapping_.store_word(table_offset_ + 8 * std::uint64_t{extent}, 0);
  free_count_.fetch_add(1, std::memory_order_relaxed);
  lowest_ = std::min(lowest_, extent);
}

SlotMaps::SlotMaps(std::uint32_t count) : maps_(static_cast<SlotMap*>(std::calloc(count, sizeof(SlotMap)))) {
  static_assert(std::is_trivially_copyable_v<SlotMap>);
  PERDURE_ASSERT(maps_ || count == 0);
}

std::uint32_t SlotMap::first_free(std::uint32_t count) const {
  for (std::uint32_t i = 0; i * 64 < count; ++i)
    if (~bits[i]) {
      const auto slot = i * 64 + static_cast<std::uint32_t>(std::countr_one(bits[i]));
      if (slot < count) return slot;
    }
  PERDURE_ASSERT(false && "an extent without a free slot");
  return 0;
}

}  // namespace perdure::store

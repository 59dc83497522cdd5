#include "store/partition.hpp"

#include <algorithm>
#include <bit>

#include "base/checksum.hpp"
#include "store/header_checksum.hpp"

namespace perdure::store {
namespace {

constexpr std::size_t pool_index(std::uint32_t slot_bytes) {
  if (slot_bytes <= 2048) return slot_bytes / unit_bytes;
  const auto power = std::bit_floor(slot_bytes - 1);
  return 32 + 4 * (static_cast<std::size_t>(std::countr_zero(power)) - 11) + (slot_bytes - power) / (power / 4);
}
constexpr std::size_t pool_count = pool_index(default_extent_bytes) + 1;

}  // namespace

Partition::Partition(Mapping& mapping, Extents& extents, SlotMaps& maps, std::uint32_t index, std::span<const KindInfo> kinds)
    : mapping_(mapping), extents_(extents), maps_(maps), index_(index), blob_pools_(pool_count) {
  for (const KindInfo& info : kinds) infos_[static_cast<std::size_t>(info.kind)] = &info;
}

std::uint64_t Partition::slot_offset(RecordId id) const {
  const std::uint32_t extent = id.value >> 8;
  return extents_.offset(extent) + std::uint64_t{id.value & 255} * extents_.word(extent).slot_bytes();
}

std::uint64_t Partition::record_offset(RecordId id) const {
  const ExtentWord word = extents_.word(id.value >> 8);
  const std::uint64_t offset = extents_.offset(id.value >> 8) + std::uint64_t{id.value & 255} * word.slot_bytes();
  if (word.layout == infos_[static_cast<std::size_t>(word.kind)]->current.number) [[likely]]
    return offset;
  return slot_offset(forwarded_to(mapping_.load_word(offset)));
}

const void* Partition::header_at(const LayoutInfo& layout, std::uint64_t offset) const {
  const std::uint64_t slot = (mapping_.load_word(offset) & selector_slot) ? 1 : 0;
  return mapping_.at(offset + sizeof(RecordPrefix) + slot * header_slot_bytes(layout.bytes) + sizeof(HeaderPrefix));
}

bool Partition::is_live(Kind kind, RecordId id) const {
  const std::uint32_t extent = id.value >> 8;
  if (extent >= extents_.count()) return false;
  const ExtentWord word = extents_.word(extent);
  if (!word.used || word.kind != kind || word.partition != index_ || (id.value & 255) >= extents_.slots(word)) return false;
  return maps_[extent].test(id.value & 255) && (mapping_.load_word(slot_offset(id)) & selector_live);
}

Partition::Pool& Partition::blob_pool(std::uint32_t slot_bytes) {
  return blob_pools_[pool_index(slot_bytes)];
}

std::uint32_t Partition::allocate(Pool& pool, const ExtentWord& word, std::uint32_t& slot) {
  if (pool.open.empty()) {
    std::uint32_t claimed = extents_.claim(word);
    if (claimed == UINT32_MAX && empty_extents_ > 0) {
      // Those of records wait for reclaim(), because for_each() may be at work.
      release_empty_blobs();
      claimed = extents_.claim(word);
    }
    if (claimed == UINT32_MAX) {
      full_ = true;
      return UINT32_MAX;
    }
    maps_[claimed] = {};
    ++empty_extents_;
    pool.open.push_back(claimed);
    if (word.kind != Kind::None) pool.extents.push_back(claimed);
  }
  const std::uint32_t extent = pool.open.back();
  const std::uint32_t slots = extents_.slots(word);
  slot = maps_[extent].first_free(slots);
  if (maps_[extent].used == 0) --empty_extents_;
  maps_[extent].set(slot);
  add_used(word.slot_bytes());
  if (maps_[extent].used == slots) pool.open.pop_back();
  return extent;
}

void Partition::free_slot(Pool& pool, std::uint32_t extent, std::uint32_t slot) {
  const ExtentWord word = extents_.word(extent);
  SlotMap& map = maps_[extent];
  PERDURE_ASSERT(map.test(slot));
  const bool was_full = map.used == extents_.slots(word);
  map.clear(slot);
  add_used(-std::uint64_t{word.slot_bytes()});
  if (map.used == 0) ++empty_extents_;
  if (word.kind != Kind::None) {
    // No new record goes into an extent of an old layout. Empty ones are given back by reclaim(), because for_each() may be at work.
    const bool current = word.layout == infos_[static_cast<std::size_t>(word.kind)]->current.number;
    if (was_full && current) pool.open.push_back(extent);
    pool.has_empty |= map.used == 0 && (pool.open.size() > 1 || !current);
    return;
  }
  if (was_full) pool.open.push_back(extent);
  // One empty extent stays for the next that needs this size.
  if (map.used == 0 && pool.open.size() > 1) {
    std::erase(pool.open, extent);
    extents_.release(extent);
    --empty_extents_;
  }
}

void Partition::release_empty(Pool& pool, std::size_t kept) {
  pool.has_empty = false;
  std::erase_if(pool.extents, [&](std::uint32_t extent) {
    if (maps_[extent].used != 0) return false;
    if (const auto found = std::ranges::find(pool.open, extent); found != pool.open.end()) {
      if (pool.open.size() <= kept) return false;
      pool.open.erase(found);
    }
    extents_.release(extent);
    --empty_extents_;
    return true;
  });
}

void Partition::release_empty_blobs() {
  for (Pool& pool : blob_pools_)
    std::erase_if(pool.open, [&](std::uint32_t extent) {
      if (maps_[extent].used != 0) return false;
      extents_.release(extent);
      --empty_extents_;
      return true;
    });
}

BlobRef Partition::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  const std::uint32_t slot_bytes =
      blob_slot_bytes(static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), UINT32_MAX / 2)), extents_.extent_bytes());
  if (slot_bytes == 0) return {};
  std::uint32_t slot = 0;
  const ExtentWord word{Kind::None, 1, static_cast<std::uint16_t>(index_), static_cast<std::uint16_t>(slot_bytes / unit_bytes), 0};
  const std::uint32_t extent = allocate(blob_pool(slot_bytes), word, slot);
  if (extent == UINT32_MAX) return {};
  const std::uint64_t offset = extents_.offset(extent) + std::uint64_t{slot} * slot_bytes;
  const BlobPrefix prefix{checksum(bytes)};
  mapping_.write(offset, &prefix, sizeof prefix);
  mapping_.write(offset + sizeof prefix, bytes.data(), bytes.size());
  return {static_cast<std::uint32_t>(offset / unit_bytes), static_cast<std::uint32_t>(bytes.size())};
}

std::string_view Partition::read(BlobRef ref) const {
  if (!ref) return {};
  return {mapping_.at(std::uint64_t{ref.unit} * unit_bytes + sizeof(BlobPrefix)), ref.size};
}

void Partition::free_blob(BlobRef ref) {
  const std::uint64_t offset = std::uint64_t{ref.unit} * unit_bytes;
  const std::uint32_t extent = extents_.extent_at(offset);
  const std::uint32_t slot_bytes = extents_.word(extent).slot_bytes();
  free_slot(blob_pool(slot_bytes), extent, static_cast<std::uint32_t>((offset - extents_.offset(extent)) / slot_bytes));
}

std::uint32_t Partition::id_limit(Kind kind) const {
  const auto& list = kinds_[static_cast<std::size_t>(kind)].extents;
  return list.empty() ? 0 : (std::ranges::max(list) + 1) << 8;
}

void Partition::reclaim() {
  for (const BlobRef ref : freed_) free_blob(ref);
  freed_.clear();
  for (Pool& pool : kinds_)
    if (pool.has_empty) release_empty(pool, 1);
  if (empty_extents_ == 0 || !extents_.short_of_room()) return;
  release_empty_blobs();
  for (Pool& pool : kinds_) release_empty(pool, 0);
}

RecordId Partition::reserve(const KindInfo& info) {
  return extents_.in_reserve() ? RecordId::none : allocate_record(info);
}

RecordId Partition::allocate_record(const KindInfo& info) {
  std::uint32_t slot = 0;
  const ExtentWord word{info.kind, 1, static_cast<std::uint16_t>(index_),
                        static_cast<std::uint16_t>(info.current.slot_bytes() / unit_bytes), info.current.number};
  const std::uint32_t extent = allocate(pool_of(info), word, slot);
  return extent == UINT32_MAX ? RecordId::none : RecordId{extent << 8 | slot};
}

void Partition::unreserve(RecordId id) {
  free_record_slot(*infos_[static_cast<std::size_t>(extents_.word(id.value >> 8).kind)], id);
}

void Partition::free_record_slot(const KindInfo& info, RecordId id) {
  free_slot(pool_of(info), id.value >> 8, id.value & 255);
}

void Partition::write_header(const LayoutInfo& layout, std::uint64_t at, const void* header) {
  HeaderPrefix prefix{0, layout.number, layout.bytes};
  prefix.checksum = header_checksum(prefix, header);
  mapping_.write(at, &prefix, sizeof prefix);
  mapping_.write(at + sizeof prefix, header, layout.bytes);
}

void Partition::put(const KindInfo& info, RecordId id, const void* header) {
  const std::uint64_t offset = record_offset(id);
  const bool forwarded = offset != slot_offset(id);  // then it is the forward that says `live`
  const std::uint64_t selector = mapping_.load_word(offset);
  const std::uint64_t idle = (selector & selector_slot) ? 0 : 1;
  write_header(info.current, offset + sizeof(RecordPrefix) + idle * header_slot_bytes(info.current.bytes), header);
  if (!forwarded && !(selector & selector_live)) pool_of(info).records.fetch_add(1, std::memory_order_relaxed);
  // The commit.
  mapping_.store_word(offset, (sequence_of(selector) + 1) << sequence_shift | (idle ? selector_slot : 0) | (forwarded ? 0 : selector_live));
}

void Partition::erase(const KindInfo& info, RecordId id) {
  const std::uint64_t own = slot_offset(id), offset = record_offset(id);
  note_freed(info.current, header_at(info.current, offset), nullptr);
  const std::uint64_t selector = mapping_.load_word(own);
  mapping_.store_word(own, offset == own ? selector & ~selector_live : 0);
  pool_of(info).records.fetch_sub(1, std::memory_order_relaxed);
  if (offset != own) free_record_slot(info, forwarded_to(selector));
  free_record_slot(info, id);
}

bool Partition::drop(RecordId id, std::string_view why, DropSink sink, void* sink_context) {
  const std::uint32_t extent = id.value >> 8;
  if (extent >= extents_.count()) return false;
  const Kind kind = extents_.word(extent).kind;
  if (kind == Kind::None || !is_live(kind, id)) return false;
  const KindInfo& info = *infos_[static_cast<std::size_t>(kind)];
  LostRecord record;
  describe(info.current, id, record_offset(id), record);
  sink(sink_context, record, why);
  erase(info, id);
  return true;
}

void Partition::describe(const LayoutInfo& layout, RecordId id, std::uint64_t offset, LostRecord& record) const {
  const char* header = static_cast<const char*>(header_at(layout, offset));
  record.id = id;
  record.kind = extents_.word(id.value >> 8).kind;
  record.layout = layout.number;
  record.header = {header, layout.bytes};
  BlobList blobs;
  layout.list_blobs(header, blobs, read_checked, this);
  for (std::size_t i = 0; i < blobs.count; ++i)
    if (const auto bytes = read_checked(this, blobs.refs[i]); !bytes.empty()) record.blobs[record.blob_count++] = {blobs.refs[i], bytes};
}

std::string_view Partition::read_checked(const void* self, BlobRef ref) {
  const auto& partition = *static_cast<const Partition*>(self);
  Place place;
  return partition.place_of(ref, place) ? partition.read(ref) : std::string_view{};
}

void Partition::note_freed(const LayoutInfo& layout, const void* old_header, const void* new_header) {
  BlobList before, after;
  layout.list_blobs(old_header, before, read_checked, this);
  if (new_header) layout.list_blobs(new_header, after, read_checked, this);
  PERDURE_ASSERT(!after.overflow);
  for (std::size_t i = 0; i < before.count; ++i) {
    const std::span<const BlobRef> kept(after.refs.data(), after.count);
    if (std::ranges::find(kept, before.refs[i]) == kept.end()) freed_.push_back(before.refs[i]);
  }
}

bool Partition::place_of(BlobRef ref, Place& place) const {
  std::uint32_t within = 0;
  const std::uint32_t extent = extents_.extent_at_unit(ref.unit, within);
  if (extent == UINT32_MAX || ref.size == 0) return false;
  const ExtentWord word = extents_.word(extent);
  if (!word.used || word.kind != Kind::None || word.partition != index_ || word.slot_units == 0) return false;
  const std::uint32_t slot = within / word.slot_units;
  if (slot * word.slot_units != within || std::uint64_t{ref.size} + sizeof(BlobPrefix) > word.slot_bytes()) return false;
  place = {extent, slot};
  return within + word.slot_units <= extents_.extent_bytes() / unit_bytes;
}

}  // namespace perdure::store

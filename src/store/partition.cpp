#include "store/partition.hpp"

#include <algorithm>
#include <bit>

#include "base/checksum.hpp"

namespace perdure::store {
namespace {

constexpr std::size_t pool_index(std::uint32_t slot_bytes) {
  if (slot_bytes <= 2048) return slot_bytes / unit_bytes;
  const auto power = std::bit_floor(slot_bytes - 1);
  return 32 + 4 * (static_cast<std::size_t>(std::countr_zero(power)) - 11) + (slot_bytes - power) / (power / 4);
}
constexpr std::size_t pool_count = pool_index(default_extent_bytes) + 1;

std::uint64_t header_checksum(const HeaderPrefix& prefix, const void* header) {
  return checksum(header, prefix.size, (std::uint64_t{prefix.layout} << 32 | prefix.size) + 1);
}

}  // namespace

Partition::Partition(Mapping& mapping, Extents& extents, std::vector<SlotMap>& maps, std::uint32_t index, std::span<const KindInfo> kinds)
    : mapping_(mapping), extents_(extents), maps_(maps), index_(index), blob_pools_(pool_count) {
  for (const KindInfo& info : kinds) by_kind_[static_cast<std::size_t>(info.kind)] = &info;
}

std::uint64_t Partition::record_offset(RecordId id) const {
  const std::uint32_t extent = id.value >> 8;
  return extents_.offset(extent) + std::uint64_t{id.value & 255} * extents_.word(extent).slot_bytes;
}

const void* Partition::header_at(RecordId id) const {
  const std::uint64_t offset = record_offset(id);
  const auto* info = by_kind_[static_cast<std::size_t>(extents_.word(id.value >> 8).kind)];
  const std::uint64_t slot = (mapping_.load_word(offset) & selector_slot) ? 1 : 0;
  return mapping_.at(offset + sizeof(RecordPrefix) + slot * header_slot_bytes(info->header_bytes) + sizeof(HeaderPrefix));
}

bool Partition::is_live(Kind kind, RecordId id) const {
  const std::uint32_t extent = id.value >> 8;
  if (extent >= extents_.count()) return false;
  const ExtentWord word = extents_.word(extent);
  if (!word.used || word.kind != kind || word.partition != index_ || (id.value & 255) >= extents_.slots(word)) return false;
  return maps_[extent].test(id.value & 255) && (mapping_.load_word(record_offset(id)) & selector_live);
}

Partition::Pool& Partition::blob_pool(std::uint32_t slot_bytes) {
  return blob_pools_[pool_index(slot_bytes)];
}

std::uint32_t Partition::allocate(Pool& pool, const ExtentWord& word, std::uint32_t& slot) {
  if (pool.open.empty()) {
    const std::uint32_t claimed = extents_.claim(word);
    if (claimed == UINT32_MAX) return UINT32_MAX;
    maps_[claimed] = {};
    pool.open.push_back(claimed);
    if (word.kind != Kind::None) pool.extents.push_back(claimed);
  }
  const std::uint32_t extent = pool.open.back();
  const std::uint32_t slots = extents_.slots(word);
  slot = maps_[extent].first_free(slots);
  maps_[extent].set(slot);
  add_used(word.slot_bytes);
  if (maps_[extent].used == slots) pool.open.pop_back();
  return extent;
}

void Partition::free_slot(Pool& pool, std::uint32_t extent, std::uint32_t slot, bool give_back) {
  const ExtentWord word = extents_.word(extent);
  SlotMap& map = maps_[extent];
  PERDURE_ASSERT(map.test(slot));
  const bool was_full = map.used == extents_.slots(word);
  map.clear(slot);
  add_used(-std::uint64_t{word.slot_bytes});
  if (was_full) pool.open.push_back(extent);
  // One empty extent stays for the next that needs this size.
  if (give_back && map.used == 0 && pool.open.size() > 1) {
    std::erase(pool.open, extent);
    extents_.release(extent);
  }
}

BlobRef Partition::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  const std::uint32_t slot_bytes =
      blob_slot_bytes(static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), UINT32_MAX / 2)), extents_.extent_bytes());
  if (slot_bytes == 0) return {};
  std::uint32_t slot = 0;
  const std::uint32_t extent = allocate(blob_pool(slot_bytes), {Kind::None, 1, static_cast<std::uint16_t>(index_), slot_bytes}, slot);
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
  const std::uint32_t slot_bytes = extents_.word(extent).slot_bytes;
  free_slot(blob_pool(slot_bytes), extent, static_cast<std::uint32_t>((offset - extents_.offset(extent)) / slot_bytes), true);
}

void Partition::reclaim() {
  for (const BlobRef ref : freed_) free_blob(ref);
  freed_.clear();
}

RecordId Partition::reserve(const KindInfo& info) {
  Pool& pool = kinds_state_[static_cast<std::size_t>(info.kind)];
  if (extents_.in_reserve()) return RecordId::none;
  std::uint32_t slot = 0;
  const ExtentWord word{info.kind, 1, static_cast<std::uint16_t>(index_), record_slot_bytes(info.header_bytes)};
  const std::uint32_t extent = allocate(pool, word, slot);
  if (extent == UINT32_MAX) return RecordId::none;
  return RecordId{extent << 8 | slot};
}

void Partition::unreserve(RecordId id) {
  const std::uint32_t extent = id.value >> 8;
  free_slot(kinds_state_[static_cast<std::size_t>(extents_.word(extent).kind)], extent, id.value & 255, false);
}

void Partition::put(const KindInfo& info, RecordId id, const void* header) {
  const std::uint64_t offset = record_offset(id);
  const std::uint64_t selector = mapping_.load_word(offset);
  const std::uint64_t idle = (selector & selector_slot) ? 0 : 1;
  const std::uint64_t at = offset + sizeof(RecordPrefix) + idle * header_slot_bytes(info.header_bytes);
  HeaderPrefix prefix{0, info.layout, info.header_bytes};
  prefix.checksum = header_checksum(prefix, header);
  mapping_.write(at, &prefix, sizeof prefix);
  mapping_.write(at + sizeof prefix, header, info.header_bytes);
  if (!(selector & selector_live)) ++kinds_state_[static_cast<std::size_t>(info.kind)].records;
  // The commit.
  mapping_.store_word(offset, (sequence_of(selector) + 1) << 2 | (idle ? selector_slot : 0) | selector_live);
}

void Partition::erase(const KindInfo& info, RecordId id) {
  const std::uint64_t offset = record_offset(id);
  note_freed(info, header_at(id), nullptr);
  mapping_.store_word(offset, mapping_.load_word(offset) & ~selector_live);
  Pool& pool = kinds_state_[static_cast<std::size_t>(info.kind)];
  --pool.records;
  free_slot(pool, id.value >> 8, id.value & 255, false);
}

bool Partition::drop(RecordId id, std::string_view why, DropSink sink, void* sink_context) {
  const std::uint32_t extent = id.value >> 8;
  if (extent >= extents_.count()) return false;
  const Kind kind = extents_.word(extent).kind;
  if (kind == Kind::None || !is_live(kind, id)) return false;
  const KindInfo& info = *by_kind_[static_cast<std::size_t>(kind)];
  LostRecord record;
  describe(info, id, record);
  sink(sink_context, record, why);
  erase(info, id);
  return true;
}

void Partition::describe(const KindInfo& info, RecordId id, LostRecord& record) const {
  const char* header = static_cast<const char*>(header_at(id));
  HeaderPrefix prefix;
  std::memcpy(&prefix, header - sizeof prefix, sizeof prefix);
  record.id = id;
  record.kind = info.kind;
  record.layout = prefix.layout;
  record.header = {header, info.header_bytes};
  BlobList blobs;
  info.list_blobs(header, blobs, read_checked, this);
  for (std::size_t i = 0; i < blobs.count; ++i)
    if (const auto bytes = read_checked(this, blobs.refs[i]); !bytes.empty()) record.blobs[record.blob_count++] = {blobs.refs[i], bytes};
}

std::string_view Partition::read_checked(const void* self, BlobRef ref) {
  const auto& partition = *static_cast<const Partition*>(self);
  Place place;
  return partition.place_of(ref, place) ? partition.read(ref) : std::string_view{};
}

void Partition::note_freed(const KindInfo& info, const void* old_header, const void* new_header) {
  BlobList before, after;
  info.list_blobs(old_header, before, read_checked, this);
  if (new_header) info.list_blobs(new_header, after, read_checked, this);
  for (std::size_t i = 0; i < before.count; ++i) {
    const std::span<const BlobRef> kept(after.refs.data(), after.count);
    if (std::ranges::find(kept, before.refs[i]) == kept.end()) freed_.push_back(before.refs[i]);
  }
}

bool Partition::place_of(BlobRef ref, Place& place) const {
  const std::uint64_t offset = std::uint64_t{ref.unit} * unit_bytes;
  const std::uint32_t extent = extents_.extent_at(offset);
  if (extent == UINT32_MAX || ref.size == 0) return false;
  const ExtentWord word = extents_.word(extent);
  if (!word.used || word.kind != Kind::None || word.partition != index_) return false;
  const std::uint64_t within = offset - extents_.offset(extent);
  if (within % word.slot_bytes != 0 || std::uint64_t{ref.size} + sizeof(BlobPrefix) > word.slot_bytes) return false;
  place = {extent, static_cast<std::uint32_t>(within / word.slot_bytes)};
  return place.slot < extents_.slots(word);
}

// Why the record cannot be used, empty if it can; `blobs` are those it refers to.
std::string_view Partition::check_record(const KindInfo& info, RecordId id, bool verify, BlobList& blobs) const {
  const void* header = header_at(id);
  HeaderPrefix prefix;
  std::memcpy(&prefix, static_cast<const char*>(header) - sizeof prefix, sizeof prefix);
  if (prefix.layout != info.layout || prefix.size != info.header_bytes) return "layout";
  if (verify && prefix.checksum != header_checksum(prefix, header)) return "header checksum";
  info.list_blobs(header, blobs, read_checked, this);
  if (blobs.overflow) return "too many blobs";
  for (std::size_t i = 0; i < blobs.count; ++i) {
    Place place;
    if (!place_of(blobs.refs[i], place)) return "blob reference";
    if (maps_[place.extent].test(place.slot)) return "blob of another record";
    for (std::size_t j = 0; j < i; ++j)
      if (blobs.refs[j].unit == blobs.refs[i].unit) return "blob used twice";
    if (verify) {
      BlobPrefix stored;
      std::memcpy(&stored, mapping_.at(std::uint64_t{blobs.refs[i].unit} * unit_bytes), sizeof stored);
      if (stored.checksum != checksum(read(blobs.refs[i]))) return "blob checksum";
    }
  }
  return {};
}

AttachCounts Partition::attach(bool verify, DropSink sink, void* sink_context) {
  AttachCounts counts;
  for (std::uint32_t extent = 0; extent < extents_.count(); ++extent) {
    const ExtentWord word = extents_.word(extent);
    if (!word.used || word.partition != index_ || word.kind == Kind::None) continue;
    const KindInfo& info = *by_kind_[static_cast<std::size_t>(word.kind)];
    Pool& pool = kinds_state_[static_cast<std::size_t>(word.kind)];
    pool.extents.push_back(extent);
    const std::uint32_t slots = extents_.slots(word);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
      const RecordId id{extent << 8 | slot};
      const std::uint64_t offset = extents_.offset(extent) + std::uint64_t{slot} * word.slot_bytes;
      const std::uint64_t selector = mapping_.load_word(offset);
      if (!(selector & selector_live)) continue;
      BlobList blobs;
      const std::string_view why = check_record(info, id, verify, blobs);
      if (!why.empty()) {
        ++counts.dropped;
        if (sink) {
          LostRecord record;
          describe(info, id, record);
          sink(sink_context, record, why);
        }
        mapping_.store_word(offset, selector & ~selector_live);
        continue;
      }
      for (std::size_t i = 0; i < blobs.count; ++i) {
        Place place;
        (void)place_of(blobs.refs[i], place);
        maps_[place.extent].set(place.slot);
        add_used(extents_.word(place.extent).slot_bytes);
      }
      maps_[extent].set(slot);
      add_used(word.slot_bytes);
      ++pool.records;
      ++counts.records;
    }
    if (maps_[extent].used < slots) pool.open.push_back(extent);
  }
  for (std::uint32_t extent = 0; extent < extents_.count(); ++extent) {
    const ExtentWord word = extents_.word(extent);
    if (!word.used || word.partition != index_ || word.kind != Kind::None) continue;
    if (maps_[extent].used == 0)
      extents_.release(extent);
    else if (maps_[extent].used < extents_.slots(word))
      blob_pool(word.slot_bytes).open.push_back(extent);
  }
  return counts;
}

}  // namespace perdure::store

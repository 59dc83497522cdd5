// What is derived is made anew: which slots are in use, by walking the headers. The bytes may be damaged or hostile.
#include <algorithm>
#include <iterator>

#include "base/checksum.hpp"
#include "store/header_checksum.hpp"
#include "store/partition.hpp"

namespace perdure::store {
namespace {

const LayoutInfo* layout_of(const KindInfo& info, std::uint16_t number) {
  if (number == info.current.number) return &info.current;
  return info.previous.number != 0 && number == info.previous.number ? &info.previous : nullptr;
}

}  // namespace

AttachCounts Partition::attach(std::span<const std::uint32_t> claimed, bool verify, DropSink sink, void* sink_context) {
  AttachCounts counts;
  for (const std::uint32_t extent : claimed)
    if (extents_.word(extent).kind != Kind::None) attach_records(extent, verify, counts, sink, sink_context);
  open_extents(claimed);
  return counts;
}

bool Partition::prepare_upgrade() {
  for (Upgrade& upgrade : to_upgrade_)
    if (!prepare(upgrade)) return false;
  return true;
}

void Partition::give_up_upgrade() {
  for (const Upgrade& upgrade : to_upgrade_) {
    if (upgrade.to == RecordId::none) continue;
    freed_.insert(freed_.end(), upgrade.written.begin(), upgrade.written.end());
    unreserve(upgrade.to);
  }
  to_upgrade_ = {};
  reclaim();
}

void Partition::finish_upgrade(AttachCounts& counts, DropSink sink, void* sink_context) {
  for (const Upgrade& upgrade : to_upgrade_) {
    if (upgrade.why.empty()) {
      switch_to_upgraded(upgrade);
      ++counts.upgraded;
      continue;
    }
    const Found& found = upgrade.found;
    LostRecord record;
    describe(*found.layout, found.id, slot_offset(found.at), record);
    if (sink) sink(sink_context, record, upgrade.why);
    unreserve(upgrade.to);
    drop_found(found);
    --counts.records;
    ++counts.dropped;
  }
  to_upgrade_ = {};
  reclaim();
}

void Partition::attach_records(std::uint32_t extent, bool verify, AttachCounts& counts, DropSink sink, void* sink_context) {
  const ExtentWord word = extents_.word(extent);
  const KindInfo& info = *infos_[static_cast<std::size_t>(word.kind)];
  Pool& pool = pool_of(info);
  pool.extents.push_back(extent);
  std::uint64_t offset = extents_.offset(extent);
  const std::uint32_t slots = extents_.slots(word);
  BlobList blobs;
  Places places;
  for (std::uint32_t slot = 0; slot < slots; ++slot, offset += word.slot_bytes()) {
    read_ahead(RecordId{extent << 8 | slot});
    const std::uint64_t selector = mapping_.load_word(offset);
    if (!(selector & selector_live)) continue;
    Found found;
    blobs.count = 0;
    blobs.overflow = false;
    std::string_view why = find(info, RecordId{extent << 8 | slot}, selector, found);
    if (why.empty()) {
      why = check(found, verify, blobs, places);
      if (why.empty()) {
        keep(found, {places.data(), blobs.count});
        ++counts.records;
        continue;
      }
      LostRecord record;
      describe(*found.layout, found.id, slot_offset(found.at), record);
      if (sink) sink(sink_context, record, why);
    }
    ++counts.dropped;
    mapping_.store_word(offset, (selector & selector_forward) ? 0 : selector & ~selector_live);
  }
}

// Where a live record's bytes lie. The result says why they cannot be found, empty if they can.
std::string_view Partition::find(const KindInfo& info, RecordId id, std::uint64_t selector, Found& found) const {
  found.info = &info;
  found.id = found.at = id;
  const std::uint16_t layout = extents_.word(id.value >> 8).layout;
  if (!(selector & selector_forward)) {
    found.layout = layout_of(info, layout);
    return found.layout ? "" : "layout";
  }
  if (layout == info.current.number) return "forward from the current layout";
  found.at = forwarded_to(selector);
  const std::uint32_t extent = found.at.value >> 8, slot = found.at.value & 255;
  if (extent >= extents_.count()) return "forward to nowhere";
  const ExtentWord word = extents_.word(extent);
  if (!word.used || word.kind != info.kind || word.partition != index_ || slot >= extents_.slots(word)) return "forward to nowhere";
  found.layout = layout_of(info, word.layout);
  if (!found.layout) return "layout";
  if (maps_[extent].test(slot) || (mapping_.load_word(slot_offset(found.at)) & selector_live)) return "forward to another record";
  return {};
}

// Why the record cannot be used, empty if it can; `blobs` are those it refers to, `places` where they are.
std::string_view Partition::check(const Found& found, bool verify, BlobList& blobs, Places& places) const {
  const LayoutInfo& layout = *found.layout;
  const void* header = header_at(layout, slot_offset(found.at));
  HeaderPrefix prefix;
  std::memcpy(&prefix, static_cast<const char*>(header) - sizeof prefix, sizeof prefix);
  if (prefix.layout != layout.number || prefix.size != layout.bytes) return "layout";
  if (verify && prefix.checksum != header_checksum(prefix, header)) return "header checksum";
  layout.list_blobs(header, blobs, read_checked, this);
  if (blobs.overflow) return "too many blobs";
  for (std::size_t i = 0; i < blobs.count; ++i) {
    Place& place = places[i];
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
  if (layout.is_sound && !layout.is_sound(header, read_checked, this)) return "fields";
  return {};
}

void Partition::keep(const Found& found, std::span<const Place> places) {
  const auto mark = [&](std::uint32_t extent, std::uint32_t slot) {
    maps_[extent].set(slot);
    add_used(extents_.word(extent).slot_bytes());
  };
  for (const Place& place : places) mark(place.extent, place.slot);
  mark(found.id.value >> 8, found.id.value & 255);
  if (found.at != found.id) mark(found.at.value >> 8, found.at.value & 255);
  pool_of(*found.info).records.fetch_add(1, std::memory_order_relaxed);
  if (found.layout != &found.info->current) to_upgrade_.emplace_back().found = found;
}

// Gives back what no record lies in, and notes where there is room.
void Partition::open_extents(std::span<const std::uint32_t> claimed) {
  for (const std::uint32_t extent : claimed) {
    const ExtentWord word = extents_.word(extent);
    if (maps_[extent].used == 0) {
      if (word.kind != Kind::None) std::erase(kinds_[static_cast<std::size_t>(word.kind)].extents, extent);
      extents_.release(extent);
    } else if (maps_[extent].used < extents_.slots(word)) {
      if (word.kind == Kind::None)
        blob_pool(word.slot_bytes()).open.push_back(extent);
      else if (word.layout == infos_[static_cast<std::size_t>(word.kind)]->current.number)
        kinds_[static_cast<std::size_t>(word.kind)].open.push_back(extent);
    }
  }
}

// Writes the record in the current layout to a slot that is not live. False: there is no room for it.
bool Partition::prepare(Upgrade& upgrade) {
  const Found& found = upgrade.found;
  const KindInfo& info = *found.info;
  const std::uint64_t from = slot_offset(found.at);
  upgrade.to = allocate_record(info);  // the reserve is for such things
  if (upgrade.to == RecordId::none) return false;
  std::vector<std::uint64_t> header((info.current.bytes + 7) / 8);
  full_ = false;
  if (!info.upgrade(header_at(*found.layout, from), header.data(), *this)) {
    if (full_) return false;
    upgrade.why = "cannot be brought to the new layout";
    return true;
  }
  const std::uint64_t to = slot_offset(upgrade.to);
  write_header(info.current, to + sizeof(RecordPrefix), header.data());
  mapping_.store_word(to + offsetof(RecordPrefix, sent_sequence), mapping_.load_word(from + offsetof(RecordPrefix, sent_sequence)));
  mapping_.store_word(to, sequence_of(mapping_.load_word(from)) << sequence_shift);
  BlobList before, after;
  found.layout->list_blobs(header_at(*found.layout, from), before, read_checked, this);
  info.current.list_blobs(header.data(), after, read_checked, this);
  const std::span<const BlobRef> old(before.refs.data(), before.count), now(after.refs.data(), after.count);
  std::ranges::copy_if(now, std::back_inserter(upgrade.written), [&](BlobRef ref) { return std::ranges::find(old, ref) == old.end(); });
  std::ranges::copy_if(old, std::back_inserter(upgrade.outdated), [&](BlobRef ref) { return std::ranges::find(now, ref) == now.end(); });
  return true;
}

// In one store: a kill before leaves the record as it was.
void Partition::switch_to_upgraded(const Upgrade& upgrade) {
  const Found& found = upgrade.found;
  mapping_.store_word(slot_offset(found.id), forward_to(upgrade.to));
  freed_.insert(freed_.end(), upgrade.outdated.begin(), upgrade.outdated.end());
  if (found.at != found.id) free_record_slot(*found.info, found.at);
}

// A record that could not be upgraded leaves with its blobs.
void Partition::drop_found(const Found& found) {
  BlobList blobs;
  found.layout->list_blobs(header_at(*found.layout, slot_offset(found.at)), blobs, read_checked, this);
  mapping_.store_word(slot_offset(found.id), 0);
  for (std::size_t i = 0; i < blobs.count; ++i) freed_.push_back(blobs.refs[i]);
  pool_of(*found.info).records.fetch_sub(1, std::memory_order_relaxed);
  if (found.at != found.id) free_record_slot(*found.info, found.at);
  free_record_slot(*found.info, found.id);
}

}  // namespace perdure::store

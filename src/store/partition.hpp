#pragma once
// The share of the store that one thread owns: records and blobs. No locks but for claiming an extent.
#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "store/extents.hpp"
#include "store/kind_info.hpp"
#include "store/quarantine.hpp"

namespace perdure::store {

// What an attach found; sums over the partitions.
struct AttachCounts {
  std::uint64_t records = 0;   // live ones, those upgraded included
  std::uint64_t dropped = 0;   // failed a check
  std::uint64_t upgraded = 0;  // brought from the previous layout to the current one

  AttachCounts& operator+=(const AttachCounts& other) {
    records += other.records;
    dropped += other.dropped;
    upgraded += other.upgraded;
    return *this;
  }
};

class Partition {
 public:
  // Sees a record before it is dropped; `why` names the check that failed.
  using DropSink = void (*)(void* context, const LostRecord& record, std::string_view why);

  Partition(Mapping& mapping, Extents& extents, SlotMaps& maps, std::uint32_t index, std::span<const KindInfo> kinds);

  // ---- blobs ----
  // Copies the bytes in; none if the store is full or they are too large. Not part of any record before a commit refers to it.
  [[nodiscard]] BlobRef write(std::string_view bytes);
  // Valid until the blob is freed and reclaim() was called. Empty for none.
  [[nodiscard]] std::string_view read(BlobRef ref) const;
  // Gives back a blob that no commit refers to, at the next reclaim().
  void abandon(BlobRef ref) { freed_.push_back(ref); }

  // ---- records ----
  // A slot for a new record, nothing written yet; none when the store is in its reserve or full.
  template <class Header>
  [[nodiscard]] RecordId reserve() {
    return reserve(info<Header>());
  }
  // Gives a reserved slot back.
  void unreserve(RecordId id);
  // First commit of a reserved record.
  template <class Header>
  void create(RecordId id, const Header& header) {
    put(info<Header>(), id, &header);
  }
  // As last committed. The reference is good until the next but one commit of the record.
  template <class Header>
  [[nodiscard]] const Header& get(RecordId id) const {
    return *static_cast<const Header*>(header_at(info<Header>().current, record_offset(id)));
  }
  template <class Header>
  [[nodiscard]] bool is_live(RecordId id) const {
    return is_live(Header::kind, id);
  }
  // The new state in one step; blobs that only the old one referred to are freed at the next reclaim().
  template <class Header>
  void commit(RecordId id, const Header& header) {
    note_freed(info<Header>().current, &get<Header>(id), &header);
    put(info<Header>(), id, &header);
  }
  template <class Header>
  void erase(RecordId id) {
    erase(info<Header>(), id);
  }
  // Erases a live record of any kind, after `sink` has seen it. False if there is none.
  bool drop(RecordId id, std::string_view why, DropSink sink, void* sink_context);
  [[nodiscard]] std::uint64_t sequence(RecordId id) const { return sequence_of(mapping_.load_word(record_offset(id))); }
  // Up to which sequence the outputs of the record are known to have been sent.
  [[nodiscard]] std::uint64_t sent_sequence(RecordId id) const { return mapping_.load_word(record_offset(id) + 8); }
  void mark_sent(RecordId id) { mapping_.store_word(record_offset(id) + 8, sequence(id)); }
  // f(RecordId, const Header&) for each live record; f may commit or erase the record it is given, but not reclaim().
  template <class Header, class F>
  void for_each(F&& f) const {
    const auto& list = kinds_[static_cast<std::size_t>(Header::kind)].extents;
    for (std::size_t e = 0; e < list.size(); ++e) {
      const std::uint32_t extent = list[e], slots = extents_.slots(extents_.word(extent));
      for (std::uint32_t slot = 0; slot < slots; ++slot) {
        const RecordId id{extent << 8 | slot};
        read_ahead(id);
        if (maps_[extent].test(slot) && is_live(Header::kind, id)) f(id, get<Header>(id));
      }
    }
  }
  // Any thread.
  [[nodiscard]] std::uint64_t record_count(Kind kind) const {
    return kinds_[static_cast<std::size_t>(kind)].records.load(std::memory_order_relaxed);
  }
  // All records of that kind have ids below this, as long as no new ones are made.
  [[nodiscard]] std::uint32_t id_limit(Kind kind) const;
  // Frees what commits have dropped, and gives back empty extents when the store is short of room. The caller has sent everything that
  // pointed there. To be called now and then even if nothing was dropped.
  void reclaim();

  // ---- attach ----
  // Rebuilds everything derived. `verify`: check all checksums. Call once, before anything else; if records are of the previous layout,
  // prepare_upgrade() and then one of the other two follow. `claimed`: the extents of this partition.
  AttachCounts attach(std::span<const std::uint32_t> claimed, bool verify, DropSink sink, void* sink_context);
  // Writes all of them in the current layout beside what they are. False: there is no room for that.
  [[nodiscard]] bool prepare_upgrade();
  // Nothing has changed: the program before can attach.
  void give_up_upgrade();
  // What was prepared is the record from now on.
  void finish_upgrade(AttachCounts& counts, DropSink sink, void* sink_context);

  // Bytes of slots in use. Any thread.
  [[nodiscard]] std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t index() const { return index_; }

 private:
  // The extents of one size of blobs, or of one kind.
  struct Pool {
    std::vector<std::uint32_t> open;     // those with a free slot; the last is used first
    std::vector<std::uint32_t> extents;  // all of them; of kinds only
    bool has_empty = false;              // perhaps; of kinds only
    std::atomic<std::uint64_t> records{0};
  };
  struct Place {
    std::uint32_t extent = 0, slot = 0;
  };
  // A record that attach looks at: its slot, and the one where its bytes lie (another one if it was forwarded).
  struct Found {
    const KindInfo* info = nullptr;
    const LayoutInfo* layout = nullptr;
    RecordId id, at;
  };
  // One that is brought to the current layout.
  struct Upgrade {
    Found found;
    RecordId to = RecordId::none;            // where it will lie
    std::vector<BlobRef> written, outdated;  // its new blobs, and those that it will not need any more
    std::string_view why;                    // it cannot be
  };
  using Places = std::array<Place, blobs_per_record_max>;

  template <class Header>
  [[nodiscard]] const KindInfo& info() const {
    return *infos_[static_cast<std::size_t>(Header::kind)];
  }
  [[nodiscard]] RecordId reserve(const KindInfo& info);
  [[nodiscard]] RecordId allocate_record(const KindInfo& info);
  void put(const KindInfo& info, RecordId id, const void* header);
  void write_header(const LayoutInfo& layout, std::uint64_t at, const void* header);
  void erase(const KindInfo& info, RecordId id);
  void note_freed(const LayoutInfo& layout, const void* old_header, const void* new_header);
  [[nodiscard]] bool is_live(Kind kind, RecordId id) const;
  // Where the record's slot lies, and where its bytes lie: elsewhere if it was brought to a newer layout.
  [[nodiscard]] std::uint64_t slot_offset(RecordId id) const;
  [[nodiscard]] std::uint64_t record_offset(RecordId id) const;
  [[nodiscard]] const void* header_at(const LayoutInfo& layout, std::uint64_t offset) const;
  // Asks for the bytes of a record some slots on, where a walk over all of them will be soon: the strides are too long for the processor to
  // guess. What lies ahead is within the mapping or without effect.
  void read_ahead(RecordId id) const {
    const std::uint32_t slot_bytes = extents_.word(id.value >> 8).slot_bytes();
    const char* const ahead = mapping_.at(extents_.offset(id.value >> 8) + std::uint64_t{(id.value & 255) + 4} * slot_bytes);
    for (std::uint32_t line = 0; line < 5; ++line) __builtin_prefetch(ahead + 64 * line);
  }
  [[nodiscard]] std::uint32_t allocate(Pool& pool, const ExtentWord& word, std::uint32_t& slot);
  void free_slot(Pool& pool, std::uint32_t extent, std::uint32_t slot);
  void free_record_slot(const KindInfo& info, RecordId id);
  // Gives back the empty extents of a pool of records but `kept` of them.
  void release_empty(Pool& pool, std::size_t kept);
  void release_empty_blobs();
  void free_blob(BlobRef ref);
  [[nodiscard]] Pool& blob_pool(std::uint32_t slot_bytes);
  [[nodiscard]] Pool& pool_of(const KindInfo& info) { return kinds_[static_cast<std::size_t>(info.kind)]; }
  // Where a reference points, if it may: a blob slot of this partition. Checks everything, for hostile bytes.
  [[nodiscard]] bool place_of(BlobRef ref, Place& place) const;
  static std::string_view read_checked(const void* self, BlobRef ref);
  void add_used(std::uint64_t bytes) { used_bytes_.store(used_bytes() + bytes, std::memory_order_relaxed); }
  // What can be shown of a live record, however broken it is.
  void describe(const LayoutInfo& layout, RecordId id, std::uint64_t offset, LostRecord& record) const;

  // attach(), in this order
  void attach_records(std::uint32_t extent, bool verify, AttachCounts& counts, DropSink sink, void* sink_context);
  [[nodiscard]] std::string_view find(const KindInfo& info, RecordId id, std::uint64_t selector, Found& found) const;
  [[nodiscard]] std::string_view check(const Found& found, bool verify, BlobList& blobs, Places& places) const;
  void keep(const Found& found, std::span<const Place> places);
  void open_extents(std::span<const std::uint32_t> claimed);
  [[nodiscard]] bool prepare(Upgrade& upgrade);
  void switch_to_upgraded(const Upgrade& upgrade);
  void drop_found(const Found& found);

  Mapping& mapping_;
  Extents& extents_;
  SlotMaps& maps_;  // one per extent of the whole store; this partition touches only its own
  const std::uint32_t index_;
  std::array<const KindInfo*, kind_count> infos_{};
  std::array<Pool, kind_count> kinds_;
  std::vector<Pool> blob_pools_;  // by slot size class
  std::vector<BlobRef> freed_;
  std::size_t empty_extents_ = 0;             // claimed ones in which nothing is in use: kept for the next that needs their size
  std::vector<Upgrade> to_upgrade_;           // during attach
  bool full_ = false;                         // something found no room
  std::atomic<std::uint64_t> used_bytes_{0};  // written by the owner only
};

}  // namespace perdure::store

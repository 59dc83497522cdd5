#pragma once
// The crash-consistent memory-mapped store (DESIGN section 4). docs/store-format.md is its format.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "store/extents.hpp"
#include "store/format.hpp"
#include "store/kind_info.hpp"
#include "store/mapping.hpp"
#include "store/partition.hpp"
#include "store/quarantine.hpp"
#include "store/types.hpp"

namespace perdure::store {

struct Options {
  std::string path;                      // the live file; empty: memory of this process only
  std::uint64_t max_bytes = 1ULL << 30;  // of a file that is made now; less if the file system has less than that free
  std::uint32_t partitions = 8;          // of a file that is made now
  std::uint32_t extent_bytes = default_extent_bytes;
  Durability durability = Durability::Process;
  ClockPolicy clock = ClockPolicy::Frozen;
  Duration sync_interval = 1s;                 // with Durability::Host
  bool discard = false;                        // start empty, whatever store is there ([state] persist = "off")
  std::string quarantine;                      // folder for what cannot be attached; empty: dropped and counted only
  std::uint64_t boot_id = 0;                   // of the running kernel; another one in the file: checksums are verified
  std::uint64_t secret = 0;                    // for a new file
  std::int64_t monotonic_us = 0, wall_us = 0;  // now, for the clock policy
  std::vector<KindInfo> kinds;
};

struct Usage {
  std::uint64_t used_bytes = 0;     // slots in use
  std::uint64_t claimed_bytes = 0;  // extents in use
  std::uint64_t max_bytes = 0;
};

class Store {
 public:
  // Makes or attaches the file. Refuses a file in use by another process, of a newer format or layout, or not a store at all:
  // the message says which; the file is left as it is.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const Options& options);
  // Attaches bytes in memory, as a test or a fuzzer makes them. `memory` must outlive the store and be 8-byte aligned; empty (all zero) is
  // formatted.
  // The observer sees every write, those of the attach included.
  [[nodiscard]] static Result<std::unique_ptr<Store>> attach_memory(char* memory, std::uint64_t size, const Options& options,
                                                                    WriteObserver* observer = nullptr);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] std::uint32_t partition_count() const { return static_cast<std::uint32_t>(partitions_.size()); }
  [[nodiscard]] Partition& partition(std::uint32_t index) { return *partitions_[index]; }
  [[nodiscard]] const Partition& partition(std::uint32_t index) const { return *partitions_[index]; }
  // The partition that a record id belongs to; nullopt if there is no such record extent.
  [[nodiscard]] std::optional<std::uint32_t> partition_of(RecordId id) const;

  [[nodiscard]] const AttachCounts& attached() const { return attached_; }
  [[nodiscard]] Duration attach_duration() const { return attach_duration_; }
  [[nodiscard]] bool was_verified() const { return verified_; }
  // How often everything was written to disk (Durability::Host). Any thread.
  [[nodiscard]] std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t secret() const { return secret_; }
  [[nodiscard]] Usage usage() const;  // any thread; used_bytes is approximate while others write

  // Takes a live record out: its header and blobs go to a file in Options::quarantine (if there is one), `why` to a second one beside it.
  // The caller owns the record's partition. False if there is no such live record.
  bool quarantine(RecordId id, std::string_view why);
  [[nodiscard]] std::uint64_t quarantined() const { return quarantined_.load(std::memory_order_relaxed); }  // by the call above; any thread

  // Logical time for a reading of CLOCK_MONOTONIC.
  [[nodiscard]] Time now(std::int64_t monotonic_us) const { return Time(Duration(monotonic_us + delta_us_)); }
  // Remembers how far time has come, for the next attach. Any one thread, every few milliseconds.
  void heartbeat(Time now, std::int64_t wall_us);

  // Tests: sees every write.
  void observe(WriteObserver* observer) { mapping_.observe(observer); }

 private:
  Store(char* base, std::uint64_t size, int descriptor, const Options& options);
  [[nodiscard]] Result<> attach(const Options& options);
  [[nodiscard]] Result<> format(const Options& options);
  template <class F>
  void for_each_partition(F&& f);  // f(index), of several in threads
  void attach_partitions();
  [[nodiscard]] Result<> upgrade_partitions();
  void set_clock(const Options& options, std::int64_t last_logical_us, std::int64_t last_wall_us);
  void start_sync(const Options& options);
  static void save_dropped(void* self, const LostRecord& record, std::string_view why);

  Mapping mapping_;
  int descriptor_ = -1;
  char* mapped_ = nullptr;  // to be unmapped; null: memory of the caller
  std::unique_ptr<HugePages> huge_pages_;
  std::vector<KindInfo> kinds_;
  std::mutex quarantine_mutex_;
  Quarantine quarantine_;
  std::atomic<std::uint64_t> quarantined_{0};
  std::unique_ptr<Extents> extents_;
  std::optional<SlotMaps> maps_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  AttachCounts attached_;
  Duration attach_duration_{};
  std::int64_t delta_us_ = 0;
  std::uint64_t secret_ = 0;
  bool verified_ = false;
  std::thread syncer_;
  std::mutex sync_mutex_;
  std::condition_variable sync_wake_;
  bool sync_stop_ = false;
  std::atomic<std::uint64_t> syncs_{0};
};

// Copies a store that nobody has open: superblock, extent table and claimed extents; the rest stays a hole. Written beside `to`, synced and
// renamed, so that `to` is the old file or the whole new one. The copy has no boot id: its checksums are verified where it is attached.
[[nodiscard]] Result<> copy_store(const std::string& from, const std::string& to);

}  // namespace perdure::store

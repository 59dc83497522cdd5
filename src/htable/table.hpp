#pragma once
// One named hash table, shared by all workers: every member function may run in any thread. `now` is the engine's logical time.
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/checksum.hpp"
#include "base/time.hpp"
#include "base/value.hpp"
#include "htable/options.hpp"
#include "store/store.hpp"

namespace perdure::htable {

// The store behind the persistent tables. A partition is touched under its mutex only; shard i of each table lies in partition i.
struct Backing {
  explicit Backing(std::unique_ptr<store::Store> opened) : store(std::move(opened)), mutexes(store->partition_count()) {}
  std::unique_ptr<store::Store> store;
  std::vector<std::mutex> mutexes;
};

enum class Change : std::uint8_t {
  Done,
  Full,      // entries_max, bytes_max or the store
  TooLong,   // key_bytes_max or text_bytes_max
  NoNumber,  // the entry is a text, or there is none and no initval
};

struct TableStatistics {
  std::uint64_t entries = 0, bytes = 0;
  std::uint64_t refused = 0;  // changes that found the table full
  std::uint64_t expired = 0;
  std::uint32_t shards = 0, fewest = 0, most = 0;  // entries of a shard
};

class Table {
 public:
  explicit Table(TableOptions options);

  [[nodiscard]] const TableOptions& options() const { return options_; }
  [[nodiscard]] const std::string& name() const { return options_.name; }

  // False: there is no such entry; then `out` is initval if there is one, as `has_initval` tells.
  bool get(std::string_view key, Time now, Value& out) const;
  [[nodiscard]] bool has_initval() const { return options_.initval.has_value(); }
  // `lifetime` 0: autoexpire; the entry of a table without it, or with update_expire = false, keeps what it has.
  [[nodiscard]] Change set(std::string_view key, const Value& value, Time now, Duration lifetime = Duration::zero());
  // Adds to a number; one that is not there begins with initval. `result` is the new value.
  [[nodiscard]] Change add(std::string_view key, std::int64_t amount, Time now, std::int64_t& result);
  // The entry expires after `lifetime`, never for 0. False: there is no such entry.
  bool set_lifetime(std::string_view key, Duration lifetime, Time now);
  // How long the entry has left; 0: there is none, or it does not expire.
  [[nodiscard]] Duration lifetime(std::string_view key, Time now) const;
  bool erase(std::string_view key);
  void clear();

  using Predicate = std::function<bool(const std::string& key, const Value& value)>;
  // Each locks one shard at a time: changes of others go on meanwhile.
  std::size_t erase_if(const Predicate& matches, Time now);
  [[nodiscard]] std::size_t count_if(const Predicate& matches, Time now, std::size_t enough = SIZE_MAX) const;
  // All entries become those of `fresh`.
  [[nodiscard]] Change replace(const std::vector<std::pair<std::string, Value>>& fresh, Time now);

  [[nodiscard]] std::size_t shard_count() const { return shards_.size(); }
  // The entries of a shard as they are now.
  struct View {
    std::string key;
    Value value;
    Duration lifetime{};  // 0: does not expire
  };
  void list(std::size_t shard, Time now, std::vector<View>& out) const;
  void list_keys(std::size_t shard, Time now, std::vector<std::string>& out) const;

  [[nodiscard]] std::uint64_t size() const { return entries_.load(std::memory_order_relaxed); }
  [[nodiscard]] TableStatistics statistics() const;

  // Removes what has expired among about `limit` entries, going round. One thread.
  void expire(Time now, std::size_t limit);

  // ---- for Tables, before any worker runs ----
  // Entries go to `backing` from now on. `offset`: store time minus `now`.
  void persist_in(Backing& backing, Duration offset);
  // An entry found in the store. False: it cannot be one of this table.
  bool adopt(std::uint32_t partition, std::string_view key, store::RecordId id);

 private:
  struct Entry {
    Value value;
    Time expire_at = never;  // of the table's clock
    store::RecordId record = store::RecordId::none;
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return checksum(text); }
  };
  using Map = std::unordered_map<std::string, Entry, KeyHash, std::equal_to<>>;
  struct Shard {
    std::mutex own;
    std::mutex* mutex = &own;
    store::Partition* partition = nullptr;
    Map map;
  };

  [[nodiscard]] Shard& shard_of(std::string_view key) const { return *shards_[(checksum(key) >> 32) % shards_.size()]; }
  [[nodiscard]] Time own_time(Time now) const { return now + offset_; }
  [[nodiscard]] Time expiry_of_change(const Entry* before, Duration lifetime, Time own_now) const;
  [[nodiscard]] Change put(Shard& shard, std::string_view key, const Value& value, Time expire_at, Time own_now);
  [[nodiscard]] bool has_room(Shard& shard, std::size_t more_entries, std::int64_t more_bytes, Time own_now);
  [[nodiscard]] bool write_new(Shard& shard, std::string_view key, Entry& entry) const;
  [[nodiscard]] static bool write_change(Shard& shard, const Entry& entry, const Value& value, Time expire_at);
  Map::iterator remove(Shard& shard, Map::iterator entry);
  void refused();
  template <class F>
  void for_each(Shard& shard, Time own_now, F&& f) const;

  const TableOptions options_;
  std::vector<std::unique_ptr<Shard>> shards_;
  Duration offset_{};
  std::atomic<std::uint64_t> entries_{0}, bytes_{0}, refused_{0}, expired_{0};
  std::atomic<bool> expires_;  // perhaps some entry does
  std::size_t sweep_shard_ = 0, sweep_bucket_ = 0;
};

}  // namespace perdure::htable

#include "htable/table.hpp"

#include <algorithm>
#include <bit>

#include "base/logging.hpp"
#include "htable/record.hpp"

namespace perdure::htable {
namespace {

constexpr std::size_t shards_in_memory = 16;

std::int64_t bytes_of(std::string_view key, const Value& value) {
  return static_cast<std::int64_t>(key.size() + value.text.size() + entry_overhead_bytes);
}

}  // namespace

Table::Table(TableOptions options) : options_(std::move(options)), expires_(options_.autoexpire > Duration::zero()) {
  for (std::size_t i = 0; i < shards_in_memory; ++i) shards_.push_back(std::make_unique<Shard>());
}

bool Table::get(std::string_view key, Time now, Value& out) const {
  Shard& shard = shard_of(key);
  {
    const std::scoped_lock lock(*shard.mutex);
    const auto found = shard.map.find(key);
    if (found != shard.map.end() && found->second.expire_at > own_time(now)) {
      out = found->second.value;
      return true;
    }
  }
  if (options_.initval) out = Value::of(*options_.initval);
  return false;
}

Time Table::expiry_of_change(const Entry* before, Duration lifetime, Time own_now) const {
  if (lifetime > Duration::zero()) return own_now + lifetime;
  if (before && !options_.update_expire) return before->expire_at;
  return options_.autoexpire > Duration::zero() ? own_now + options_.autoexpire : never;
}

Change Table::set(std::string_view key, const Value& value, Time now, Duration lifetime) {
  if (key.size() > key_bytes_max || value.text.size() > text_bytes_max) return Change::TooLong;
  Shard& shard = shard_of(key);
  const std::scoped_lock lock(*shard.mutex);
  const Time own_now = own_time(now);
  const auto found = shard.map.find(key);
  const bool live = found != shard.map.end() && found->second.expire_at > own_now;
  return put(shard, key, value, expiry_of_change(live ? &found->second : nullptr, lifetime, own_now), own_now);
}

Change Table::add(std::string_view key, std::int64_t amount, Time now, std::int64_t& result) {
  if (key.size() > key_bytes_max) return Change::TooLong;
  Shard& shard = shard_of(key);
  const std::scoped_lock lock(*shard.mutex);
  const Time own_now = own_time(now);
  const auto found = shard.map.find(key);
  const bool live = found != shard.map.end() && found->second.expire_at > own_now;
  if (live ? !found->second.value.is_number : !options_.initval) return Change::NoNumber;
  const std::int64_t before = live ? found->second.value.number : *options_.initval;
  // Wraps around instead of overflowing.
  const auto after = static_cast<std::int64_t>(static_cast<std::uint64_t>(before) + static_cast<std::uint64_t>(amount));
  const Change done =
      put(shard, key, Value::of(after), expiry_of_change(live ? &found->second : nullptr, Duration::zero(), own_now), own_now);
  if (done == Change::Done) result = after;
  return done;
}

// The shard is locked. The store comes first: what it has no room for does not happen.
Change Table::put(Shard& shard, std::string_view key, const Value& value, Time expire_at, Time own_now) {
  auto found = shard.map.find(key);
  const bool is_new = found == shard.map.end();
  const std::int64_t more = bytes_of(key, value) - (is_new ? 0 : bytes_of(key, found->second.value));
  if (!has_room(shard, is_new ? 1 : 0, more, own_now)) {
    refused();
    return Change::Full;
  }
  found = shard.map.find(key);  // making room may have removed it
  bool written = true;
  if (found != shard.map.end()) {
    written = !shard.partition || write_change(shard, found->second, value, expire_at);
    if (written) {
      bytes_.fetch_add(static_cast<std::uint64_t>(bytes_of(key, value) - bytes_of(key, found->second.value)), std::memory_order_relaxed);
      found->second.value = value;
      found->second.expire_at = expire_at;
    }
  } else {
    Entry entry{value, expire_at, store::RecordId::none};
    written = !shard.partition || write_new(shard, key, entry);
    if (written) {
      entries_.fetch_add(1, std::memory_order_relaxed);
      bytes_.fetch_add(static_cast<std::uint64_t>(bytes_of(key, value)), std::memory_order_relaxed);
      shard.map.emplace(std::string(key), std::move(entry));
    }
  }
  if (!written) {
    refused();
    return Change::Full;
  }
  if (expire_at != never) expires_.store(true, std::memory_order_relaxed);
  return Change::Done;
}

// Several shards may pass this at once, so a table can exceed its bounds by as many entries as there are workers.
bool Table::has_room(Shard& shard, std::size_t more_entries, std::int64_t more_bytes, Time own_now) {
  const auto fits = [&] {
    return (more_entries == 0 || entries_.load(std::memory_order_relaxed) < options_.entries_max) &&
           (more_bytes <= 0 || bytes_.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(more_bytes) <= options_.bytes_max);
  };
  if (fits()) return true;
  if (!expires_.load(std::memory_order_relaxed)) return false;
  for (auto entry = shard.map.begin(); entry != shard.map.end();)
    if (entry->second.expire_at <= own_now) {
      entry = remove(shard, entry);
      expired_.fetch_add(1, std::memory_order_relaxed);
    } else {
      ++entry;
    }
  return fits();
}

void Table::refused() {
  const auto count = refused_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (std::has_single_bit(count))
    log::warning("hash table {} is full: {} entries, {} bytes; changes refused so far: {}", options_.name, size(),
                 bytes_.load(std::memory_order_relaxed), count);
}

bool Table::write_new(Shard& shard, std::string_view key, Entry& entry) const {
  auto& partition = *shard.partition;
  std::string name = options_.name;
  name += '\0';
  name += key;
  EntryHeader header;
  header.expire_at = entry.expire_at;
  header.is_number = entry.value.is_number ? 1 : 0;
  header.number = entry.value.number;
  const store::RecordId id = partition.reserve<EntryHeader>();
  if (id == store::RecordId::none) return false;
  header.name = partition.write(name);
  header.text = partition.write(entry.value.text);
  const bool complete = header.name && (header.text || entry.value.text.empty());
  if (complete) {
    partition.create(id, header);
    entry.record = id;
  } else {
    partition.unreserve(id);
    if (header.name) partition.abandon(header.name);
    if (header.text) partition.abandon(header.text);
  }
  partition.reclaim();
  return complete;
}

bool Table::write_change(Shard& shard, const Entry& entry, const Value& value, Time expire_at) {
  auto& partition = *shard.partition;
  EntryHeader header = partition.get<EntryHeader>(entry.record);
  header.expire_at = expire_at;
  header.is_number = value.is_number ? 1 : 0;
  header.number = value.number;
  if (value.is_number || value.text.empty()) {
    header.text = {};
  } else if (value.text != entry.value.text || !header.text) {
    header.text = partition.write(value.text);
    if (!header.text) return false;
  }
  partition.commit(entry.record, header);
  partition.reclaim();  // nobody reads blobs but attach
  return true;
}

Table::Map::iterator Table::remove(Shard& shard, Map::iterator entry) {
  if (shard.partition) {
    shard.partition->erase<EntryHeader>(entry->second.record);
    shard.partition->reclaim();
  }
  entries_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(static_cast<std::uint64_t>(bytes_of(entry->first, entry->second.value)), std::memory_order_relaxed);
  return shard.map.erase(entry);
}

bool Table::set_lifetime(std::string_view key, Duration lifetime, Time now) {
  Shard& shard = shard_of(key);
  const std::scoped_lock lock(*shard.mutex);
  const auto found = shard.map.find(key);
  const Time own_now = own_time(now);
  if (found == shard.map.end() || found->second.expire_at <= own_now) return false;
  const Time expire_at = lifetime > Duration::zero() ? own_now + lifetime : never;
  // Needs no room: the header is rewritten in place.
  if (shard.partition && !write_change(shard, found->second, found->second.value, expire_at)) return false;
  found->second.expire_at = expire_at;
  if (expire_at != never) expires_.store(true, std::memory_order_relaxed);
  return true;
}

Duration Table::lifetime(std::string_view key, Time now) const {
  Shard& shard = shard_of(key);
  const std::scoped_lock lock(*shard.mutex);
  const auto found = shard.map.find(key);
  if (found == shard.map.end() || found->second.expire_at == never) return Duration::zero();
  return std::max(found->second.expire_at - own_time(now), Duration::zero());
}

bool Table::erase(std::string_view key) {
  Shard& shard = shard_of(key);
  const std::scoped_lock lock(*shard.mutex);
  const auto found = shard.map.find(key);
  if (found == shard.map.end()) return false;
  remove(shard, found);
  return true;
}

void Table::clear() {
  for (auto& shard : shards_) {
    const std::scoped_lock lock(*shard->mutex);
    for (auto entry = shard->map.begin(); entry != shard->map.end();) entry = remove(*shard, entry);
  }
}

template <class F>
void Table::for_each(Shard& shard, Time own_now, F&& f) const {
  const std::scoped_lock lock(*shard.mutex);
  for (const auto& [key, entry] : shard.map)
    if (entry.expire_at > own_now && !f(key, entry)) return;
}

std::size_t Table::erase_if(const Predicate& matches, Time now) {
  std::size_t count = 0;
  const Time own_now = own_time(now);
  for (auto& shard : shards_) {
    const std::scoped_lock lock(*shard->mutex);
    for (auto entry = shard->map.begin(); entry != shard->map.end();)
      if (entry->second.expire_at > own_now && matches(entry->first, entry->second.value)) {
        entry = remove(*shard, entry);
        ++count;
      } else {
        ++entry;
      }
  }
  return count;
}

std::size_t Table::count_if(const Predicate& matches, Time now, std::size_t enough) const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    for_each(*shard, own_time(now), [&](const std::string& key, const Entry& entry) {
      if (matches(key, entry.value)) ++count;
      return count < enough;
    });
    if (count >= enough) break;
  }
  return count;
}

Change Table::replace(const std::vector<std::pair<std::string, Value>>& fresh, Time now) {
  std::unordered_map<std::string_view, const Value*> wanted;
  for (const auto& [key, value] : fresh) wanted.insert_or_assign(key, &value);
  (void)erase_if([&](const std::string& key, const Value&) { return !wanted.contains(key); }, now);
  for (const auto& [key, value] : wanted)
    if (const Change done = set(key, *value, now); done != Change::Done) return done;
  return Change::Done;
}

void Table::list(std::size_t shard, Time now, std::vector<View>& out) const {
  const Time own_now = own_time(now);
  for_each(*shards_[shard], own_now, [&](const std::string& key, const Entry& entry) {
    out.push_back({key, entry.value, entry.expire_at == never ? Duration::zero() : entry.expire_at - own_now});
    return true;
  });
}

void Table::list_keys(std::size_t shard, Time now, std::vector<std::string>& out) const {
  for_each(*shards_[shard], own_time(now), [&](const std::string& key, const Entry&) {
    out.push_back(key);
    return true;
  });
}

TableStatistics Table::statistics() const {
  TableStatistics all;
  all.entries = size();
  all.bytes = bytes_.load(std::memory_order_relaxed);
  all.refused = refused_.load(std::memory_order_relaxed);
  all.expired = expired_.load(std::memory_order_relaxed);
  all.shards = static_cast<std::uint32_t>(shards_.size());
  all.fewest = UINT32_MAX;
  for (const auto& shard : shards_) {
    const std::scoped_lock lock(*shard->mutex);
    const auto size = static_cast<std::uint32_t>(shard->map.size());
    all.fewest = std::min(all.fewest, size);
    all.most = std::max(all.most, size);
  }
  return all;
}

void Table::expire(Time now, std::size_t limit) {
  if (!expires_.load(std::memory_order_relaxed)) return;
  const Time own_now = own_time(now);
  for (std::size_t seen = 0, shards = 0; seen < limit && shards <= shards_.size();) {
    Shard& shard = *shards_[sweep_shard_];
    const std::scoped_lock lock(*shard.mutex);
    std::vector<std::string> expired;
    for (; sweep_bucket_ < shard.map.bucket_count() && seen < limit; ++sweep_bucket_) {
      ++seen;
      for (auto entry = shard.map.begin(sweep_bucket_); entry != shard.map.end(sweep_bucket_); ++entry)
        if (entry->second.expire_at <= own_now) expired.push_back(entry->first);
    }
    for (const auto& key : expired) {
      remove(shard, shard.map.find(key));
      expired_.fetch_add(1, std::memory_order_relaxed);
    }
    if (sweep_bucket_ < shard.map.bucket_count()) return;
    sweep_bucket_ = 0;
    sweep_shard_ = (sweep_shard_ + 1) % shards_.size();
    ++shards;
  }
}

void Table::persist_in(Backing& backing, Duration offset) {
  offset_ = offset;
  shards_.clear();
  for (std::uint32_t i = 0; i < backing.store->partition_count(); ++i) {
    auto& shard = *shards_.emplace_back(std::make_unique<Shard>());
    shard.mutex = &backing.mutexes[i];
    shard.partition = &backing.store->partition(i);
  }
}

bool Table::adopt(std::uint32_t index, std::string_view key, store::RecordId id) {
  Shard& shard = *shards_[index];
  if (key.size() > key_bytes_max || &shard_of(key) != &shard || shard.map.contains(key)) return false;
  const auto& header = shard.partition->get<EntryHeader>(id);
  Entry entry;
  entry.value = header.is_number ? Value::of(header.number) : Value::of(shard.partition->read(header.text));
  entry.expire_at = header.expire_at;
  entry.record = id;
  if (entry.expire_at != never) expires_.store(true, std::memory_order_relaxed);
  entries_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(static_cast<std::uint64_t>(bytes_of(key, entry.value)), std::memory_order_relaxed);
  shard.map.emplace(std::string(key), std::move(entry));
  return true;
}

}  // namespace perdure::htable

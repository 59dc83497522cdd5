#include "store/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/assert.hpp"
#include "base/checksum.hpp"

namespace perdure::store {
namespace {

std::uint64_t superblock_checksum(Superblock block) {
  block.checksum = 0;
  return checksum(&block, offsetof(Superblock, boot_id));
}

Superblock read_superblock(const Mapping& mapping) {
  Superblock block;
  std::memcpy(&block, mapping.at(0), sizeof block);
  return block;
}

std::uint64_t data_offset_of(std::uint32_t extent_count, std::uint32_t extent_bytes) {
  const std::uint64_t table_end = superblock_bytes + 8 * std::uint64_t{extent_count};
  return (table_end + extent_bytes - 1) / extent_bytes * extent_bytes;
}

// How many extents fit in `bytes` with the table in front.
std::uint32_t extents_for(std::uint64_t bytes, std::uint32_t extent_bytes) {
  auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes / extent_bytes, (1U << 24) - 1));
  while (count > 0 && data_offset_of(count, extent_bytes) + std::uint64_t{count} * extent_bytes > bytes) --count;
  return count;
}

bool is_empty_file(const Mapping& mapping) {
  const char* bytes = mapping.at(0);
  return std::all_of(bytes, bytes + sizeof(Superblock), [](char c) { return c == 0; });
}

}  // namespace

Store::Store(char* base, std::uint64_t size, const Options& options)
    : mapping_(base, size), kinds_(options.kinds), quarantine_(options.quarantine) {}

Store::~Store() {
  if (syncer_.joinable()) {
    {
      const std::scoped_lock lock(sync_mutex_);
      sync_stop_ = true;
    }
    sync_wake_.notify_all();
    syncer_.join();
  }
  if (mapped_) {
    if (descriptor_ >= 0) msync(mapped_, mapping_.size(), MS_ASYNC);
    munmap(mapped_, mapping_.size());
  }
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  const std::uint64_t size = options.max_bytes / 4096 * 4096;
  if (extents_for(size, options.extent_bytes) < options.partitions * 4)
    return fail(fmt::format("max_bytes = {} is too small for {} partitions", options.max_bytes, options.partitions));
  int descriptor = -1;
  std::uint64_t mapped_size = size;
  if (!options.path.empty()) {
    descriptor = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return fail(fmt::format("{}: {}", options.path, std::strerror(errno)));
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor);
      return fail(fmt::format("{}: another process has this store open", options.path));
    }
    struct stat info {};
    fstat(descriptor, &info);
    if (options.discard && info.st_size > 0 && ftruncate(descriptor, 0) == 0) info.st_size = 0;
    // A file keeps the size it was made with; max_bytes counts for a new one.
    if (info.st_size == 0) {
      if (ftruncate(descriptor, static_cast<off_t>(size)) != 0) {
        ::close(descriptor);
        return fail(fmt::format("{}: {}", options.path, std::strerror(errno)));
      }
    } else if (static_cast<std::uint64_t>(info.st_size) < superblock_bytes) {
      ::close(descriptor);
      return fail(fmt::format("{}: not a store: only {} bytes", options.path, info.st_size));
    } else {
      mapped_size = static_cast<std::uint64_t>(info.st_size);
    }
  }
  const int flags = descriptor >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void* base = mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    return fail(fmt::format("{}: mmap of {} bytes: {}", options.path, mapped_size, std::strerror(error)));
  }
  madvise(base, mapped_size, MADV_HUGEPAGE);  // where the kernel allows it
  std::unique_ptr<Store> store(new Store(static_cast<char*>(base), mapped_size, options));
  store->mapped_ = static_cast<char*>(base);
  store->descriptor_ = descriptor;
  if (auto attached = store->attach(options); !attached) return std::unexpected(Error{options.path + ": " + attached.error().message});
  store->start_sync(options);
  return store;
}

Result<std::unique_ptr<Store>> Store::attach_memory(char* memory, std::uint64_t size, const Options& options) {
  std::unique_ptr<Store> store(new Store(memory, size, options));
  if (size < superblock_bytes) return fail("not a store: too short");
  if (auto attached = store->attach(options); !attached) return std::unexpected(attached.error());
  return store;
}

void Store::format(const Options& options) {
  Superblock block;
  block.partition_count = options.partitions;
  block.extent_bytes = options.extent_bytes;
  block.extent_count = extents_for(mapping_.size(), options.extent_bytes);
  block.secret = options.secret;
  block.boot_id = options.boot_id;
  block.last_wall_us = options.wall_us;
  block.checksum = superblock_checksum(block);
  // The magic comes last: until then it is an empty file.
  const std::uint64_t word = block.magic;
  block.magic = 0;
  mapping_.write(8, reinterpret_cast<const char*>(&block) + 8, sizeof block - 8);
  mapping_.store_word(0, word);
}

Result<> Store::check_superblock(const Options& options) const {
  const Superblock block = read_superblock(mapping_);
  if (block.magic != magic) return fail("not a store: the file begins with other bytes");
  if (block.version != format_version) return fail(fmt::format("format version {}, this program knows {}", block.version, format_version));
  if (block.checksum != superblock_checksum(block)) return fail("damaged: the checksum of the superblock is wrong");
  if (block.extent_bytes < 4096 || block.extent_bytes > default_extent_bytes || block.extent_bytes % unit_bytes != 0 ||
      block.partition_count == 0 || block.partition_count > 1024 || block.extent_count > (1U << 24) ||
      data_offset_of(block.extent_count, block.extent_bytes) + std::uint64_t{block.extent_count} * block.extent_bytes > mapping_.size())
    return fail("damaged: the sizes in the superblock do not fit the file");
  for (std::uint32_t i = 0; i < block.extent_count; ++i) {
    const auto word = std::bit_cast<ExtentWord>(mapping_.load_word(superblock_bytes + 8 * std::uint64_t{i}));
    if (std::bit_cast<std::uint64_t>(word) == 0) continue;
    const auto fits = [&] {
      if (word.used != 1 || word.partition >= block.partition_count || static_cast<std::size_t>(word.kind) >= kind_count) return false;
      if (word.kind == Kind::None)
        return word.slot_bytes > sizeof(BlobPrefix) && word.slot_bytes <= block.extent_bytes &&
               blob_slot_bytes(word.slot_bytes - std::uint32_t{sizeof(BlobPrefix)}, block.extent_bytes) == word.slot_bytes;
      return std::ranges::any_of(options.kinds, [&](const KindInfo& info) { return info.kind == word.kind; });
    };
    if (!fits()) return fail(fmt::format("damaged: entry {} of the extent table", i));
    if (word.kind != Kind::None)
      for (const KindInfo& info : options.kinds)
        if (info.kind == word.kind && record_slot_bytes(info.header_bytes) != word.slot_bytes)
          return fail(fmt::format("records of kind {} have another layout than this program knows", static_cast<int>(word.kind)));
  }
  return {};
}

Result<> Store::attach(const Options& options) {
  const auto started = std::chrono::steady_clock::now();
  const bool fresh = is_empty_file(mapping_) || read_superblock(mapping_).magic == 0;
  if (fresh) {
    if (extents_for(mapping_.size(), options.extent_bytes) == 0) return fail("not a store: too short");
    format(options);
  } else if (auto checked = check_superblock(options); !checked) {
    return checked;
  }
  const Superblock block = read_superblock(mapping_);
  secret_ = block.secret;
  verified_ = !fresh && block.boot_id != options.boot_id;
  extents_ = std::make_unique<Extents>(mapping_, block.extent_count, block.extent_bytes, superblock_bytes,
                                       data_offset_of(block.extent_count, block.extent_bytes));
  maps_.resize(block.extent_count);
  for (std::uint32_t i = 0; i < block.partition_count; ++i) {
    partitions_.push_back(std::make_unique<Partition>(mapping_, *extents_, maps_, i, kinds_));
    const AttachCounts counts = partitions_.back()->attach(verified_, save_dropped, this);
    attached_.records += counts.records;
    attached_.dropped += counts.dropped;
  }
  // Logical time goes on where it stopped; with Elapsed it also passes while nobody is there.
  std::int64_t logical = block.last_logical_us;
  if (options.clock == ClockPolicy::Elapsed && !fresh) logical += std::max<std::int64_t>(0, options.wall_us - block.last_wall_us);
  delta_us_ = logical - options.monotonic_us;
  mapping_.store_word(offsetof(Superblock, boot_id), options.boot_id);
  heartbeat(now(options.monotonic_us), options.wall_us);
  attach_duration_ = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - started);
  return {};
}

void Store::heartbeat(Time now, std::int64_t wall_us) {
  mapping_.store_word(offsetof(Superblock, last_logical_us), static_cast<std::uint64_t>(now.time_since_epoch().count()));
  mapping_.store_word(offsetof(Superblock, last_wall_us), static_cast<std::uint64_t>(wall_us));
}

std::optional<std::uint32_t> Store::partition_of(RecordId id) const {
  const std::uint32_t extent = id.value >> 8;
  if (extent >= extents_->count()) return std::nullopt;
  const ExtentWord word = extents_->word(extent);
  if (!word.used || word.kind == Kind::None) return std::nullopt;
  return word.partition;
}

Usage Store::usage() const {
  Usage usage;
  usage.max_bytes = std::uint64_t{extents_->count()} * extents_->extent_bytes();
  usage.claimed_bytes = std::uint64_t{extents_->count() - extents_->free_count()} * extents_->extent_bytes();
  for (const auto& partition : partitions_) usage.used_bytes += partition->used_bytes();
  return usage;
}

void Store::start_sync(const Options& options) {
  if (options.durability != Durability::Host || descriptor_ < 0) return;
  syncer_ = std::thread([this, interval = options.sync_interval] {
    std::unique_lock lock(sync_mutex_);
    while (!sync_wake_.wait_for(lock, interval, [this] { return sync_stop_; })) {
      lock.unlock();
      msync(mapped_, mapping_.size(), MS_SYNC);
      lock.lock();
    }
    msync(mapped_, mapping_.size(), MS_SYNC);
  });
}

void Store::save_dropped(void* self, const LostRecord& record, std::string_view why) {
  auto& store = *static_cast<Store*>(self);
  const std::scoped_lock lock(store.quarantine_mutex_);
  store.quarantine_.write(record, why, static_cast<std::int64_t>(store.mapping_.load_word(offsetof(Superblock, last_wall_us))));
}

bool Store::quarantine(RecordId id, std::string_view why) {
  const auto owner = partition_of(id);
  if (!owner || !partitions_[*owner]->drop(id, why, save_dropped, this)) return false;
  quarantined_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Result<> copy_store(const std::string& from, const std::string& to) {
  const auto failed = [](const std::string& path) { return fail(fmt::format("{}: {}", path, std::strerror(errno))); };
  const int in = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) return failed(from);
  const std::unique_ptr<const int, void (*)(const int*)> close_in(&in, [](const int* fd) { ::close(*fd); });
  Superblock block;
  if (pread(in, &block, sizeof block, 0) != sizeof block || block.magic != magic || block.checksum != superblock_checksum(block))
    return fail(from + ": not a store, or a damaged one");
  struct stat info {};
  if (fstat(in, &info) != 0) return failed(from);
  const std::string part = to + ".part";
  const int out = ::open(part.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) return failed(part);
  const std::unique_ptr<const int, void (*)(const int*)> close_out(&out, [](const int* fd) { ::close(*fd); });
  if (ftruncate(out, info.st_size) != 0) return failed(part);
  std::vector<char> buffer(block.extent_bytes);
  const auto copy = [&](std::uint64_t offset, std::uint64_t size) {
    while (size > 0) {
      const auto got = pread(in, buffer.data(), std::min<std::uint64_t>(size, buffer.size()), static_cast<off_t>(offset));
      if (got <= 0 || pwrite(out, buffer.data(), static_cast<std::size_t>(got), static_cast<off_t>(offset)) != got) return false;
      offset += static_cast<std::uint64_t>(got);
      size -= static_cast<std::uint64_t>(got);
    }
    return true;
  };
  const std::uint64_t table_end = superblock_bytes + 8 * std::uint64_t{block.extent_count};
  if (table_end > static_cast<std::uint64_t>(info.st_size)) return fail(from + ": damaged: shorter than its extent table");
  if (!copy(0, table_end)) return failed(part);
  std::vector<std::uint64_t> table(block.extent_count);
  if (pread(in, table.data(), table.size() * 8, superblock_bytes) != static_cast<ssize_t>(table.size() * 8)) return failed(from);
  for (std::uint32_t i = 0; i < block.extent_count; ++i)
    if (table[i] != 0 &&
        !copy(data_offset_of(block.extent_count, block.extent_bytes) + std::uint64_t{i} * block.extent_bytes, block.extent_bytes))
      return failed(part);
  block.boot_id = 0;
  if (pwrite(out, &block, sizeof block, 0) != sizeof block || fsync(out) != 0) return failed(part);
  if (rename(part.c_str(), to.c_str()) != 0) return failed(to);
  return {};
}

}  // namespace perdure::store

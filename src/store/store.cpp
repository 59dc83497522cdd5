#include "store/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/assert.hpp"
#include "store/superblock.hpp"

namespace perdure::store {
namespace {

// Far from where adding to a time could overflow, for readings that may be damaged.
constexpr std::int64_t time_us_max = std::int64_t{1} << 60;

Result<> check_options(const Options& options) {
  if (options.partitions == 0 || options.partitions > partitions_max)
    return fail(fmt::format("{} partitions: there can be 1 to {}", options.partitions, partitions_max));
  if (extents_for(options.max_bytes, options.extent_bytes) < options.partitions * 4)
    return fail(fmt::format("max_bytes = {} is too small for {} partitions", options.max_bytes, options.partitions));
  return {};
}

// How large a new file becomes: what was asked for, or four fifths of what the file system has left.
Result<std::uint64_t> new_file_bytes(int descriptor, const Options& options) {
  Options within = options;
  struct statvfs room {};
  if (fstatvfs(descriptor, &room) == 0) within.max_bytes = std::min(options.max_bytes, room.f_bavail * room.f_frsize / 5 * 4);
  within.max_bytes = std::min(within.max_bytes, file_bytes_max) / 4096 * 4096;
  if (!check_options(within))
    return fail(fmt::format("{}: the file system has only {} bytes left", options.path, room.f_bavail * room.f_frsize));
  if (ftruncate(descriptor, static_cast<off_t>(within.max_bytes)) != 0)
    return fail(fmt::format("{}: {}", options.path, std::strerror(errno)));
  return within.max_bytes;
}

// Locks the opened file and says how large it is; an empty one gets its size.
Result<std::uint64_t> take_file(int descriptor, const Options& options) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) return fail(fmt::format("{}: another process has this store open", options.path));
  struct stat info {};
  if (fstat(descriptor, &info) != 0) return fail(fmt::format("{}: {}", options.path, std::strerror(errno)));
  if (!S_ISREG(info.st_mode)) return fail(fmt::format("{}: not a store: not a regular file", options.path));
  std::uint64_t first = 0;
  const auto got = pread(descriptor, &first, sizeof first, 0);
  const bool foreign = info.st_size > 0 && (got != sizeof first || (first != 0 && first != magic));
  if (options.discard && info.st_size > 0 && !foreign) {
    if (ftruncate(descriptor, 0) != 0) return fail(fmt::format("{}: {}", options.path, std::strerror(errno)));
    info.st_size = 0;
  }
  if (info.st_size == 0) return new_file_bytes(descriptor, options);
  if (foreign) return fail(fmt::format("{}: not a store: the file begins with other bytes", options.path));
  if (static_cast<std::uint64_t>(info.st_size) < superblock_bytes)
    return fail(fmt::format("{}: not a store: only {} bytes", options.path, info.st_size));
  return static_cast<std::uint64_t>(info.st_size);
}

// A mapping that begins at a multiple of a huge page. MAP_FAILED: errno says why.
void* map(int descriptor, std::uint64_t size) {
  const std::uint64_t whole = size + huge_page_bytes;
  void* reserved = mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  char* const begin = static_cast<char*>(reserved);
  char* const aligned = begin + (huge_page_bytes - reinterpret_cast<std::uintptr_t>(begin) % huge_page_bytes) % huge_page_bytes;
  const int flags = MAP_FIXED | (descriptor >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  void* const base = mmap(aligned, size, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  const int error = errno;
  if (base == MAP_FAILED) {
    munmap(reserved, whole);
    errno = error;
    return MAP_FAILED;
  }
  if (aligned != begin) munmap(begin, static_cast<std::size_t>(aligned - begin));
  char* const end = aligned + (size + 4095) / 4096 * 4096;
  if (end != begin + whole) munmap(end, static_cast<std::size_t>(begin + whole - end));
  madvise(base, size, MADV_HUGEPAGE);  // for memory of this process, and where the file system gives huge pages by itself
  return base;
}

}  // namespace

Store::Store(char* base, std::uint64_t size, int descriptor, const Options& options)
    : mapping_(base, size, descriptor), descriptor_(descriptor), kinds_(options.kinds), quarantine_(options.quarantine) {}

Store::~Store() {
  if (syncer_.joinable()) {
    {
      const std::scoped_lock lock(sync_mutex_);
      sync_stop_ = true;
    }
    sync_wake_.notify_all();
    syncer_.join();
  }
  huge_pages_.reset();
  if (mapped_) munmap(mapped_, mapping_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  if (auto checked = check_options(options); !checked) return std::unexpected(checked.error());
  int descriptor = -1;
  std::uint64_t size = std::min(options.max_bytes, file_bytes_max) / 4096 * 4096;
  if (!options.path.empty()) {
    descriptor = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (descriptor < 0) return fail(fmt::format("{}: {}", options.path, std::strerror(errno)));
    const auto taken = take_file(descriptor, options);
    if (!taken) {
      ::close(descriptor);
      return std::unexpected(taken.error());
    }
    size = *taken;
  }
  void* base = map(descriptor, size);
  if (base == MAP_FAILED) {
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    return fail(fmt::format("{}: mmap of {} bytes: {}", options.path, size, std::strerror(error)));
  }
  std::unique_ptr<Store> store(new Store(static_cast<char*>(base), size, descriptor, options));
  store->mapped_ = static_cast<char*>(base);
  if (auto attached = store->attach(options); !attached) {
    if (options.path.empty()) return std::unexpected(attached.error());
    return fail(fmt::format("{}: {}", options.path, attached.error().message));
  }
  if (descriptor >= 0) {  // anonymous memory gets them by itself
    store->huge_pages_ = std::make_unique<HugePages>(store->mapped_, size, descriptor, store->extents_->used_end());
    store->mapping_.set_huge_pages(store->huge_pages_.get());
  }
  store->start_sync(options);
  return store;
}

Result<std::unique_ptr<Store>> Store::attach_memory(char* memory, std::uint64_t size, const Options& options, WriteObserver* observer) {
  if (size < superblock_bytes) return fail("not a store: too short");
  std::unique_ptr<Store> store(new Store(memory, size, -1, options));
  store->observe(observer);
  if (auto attached = store->attach(options); !attached) return std::unexpected(attached.error());
  return store;
}

Result<> Store::format(const Options& options) {
  Superblock block;
  block.partition_count = options.partitions;
  block.extent_bytes = options.extent_bytes;
  block.extent_count = extents_for(mapping_.size(), options.extent_bytes);
  if (block.extent_count == 0) return fail("not a store: too short");
  block.secret = options.secret;
  block.boot_id = options.boot_id;
  block.last_wall_us = options.wall_us;
  block.checksum = superblock_checksum(block);
  if (!mapping_.provide(0, data_offset_of(block.extent_count, block.extent_bytes))) return fail("the file system is full");
  // The magic comes last: until then it is an empty file.
  const std::uint64_t word = block.magic;
  block.magic = 0;
  mapping_.write(8, reinterpret_cast<const char*>(&block) + 8, sizeof block - 8);
  mapping_.store_word(0, word);
  return {};
}

Result<> Store::attach(const Options& options) {
  const auto started = std::chrono::steady_clock::now();
  const bool fresh = is_blank(mapping_);
  if (fresh) {
    if (auto formatted = format(options); !formatted) return formatted;
  }
  const Superblock block = read_superblock(mapping_);
  if (auto checked = check_superblock(block, mapping_.size()); !checked) return checked;
  if (auto checked = check_table(mapping_, block, kinds_); !checked) return checked;
  secret_ = block.secret;
  verified_ = !fresh && block.boot_id != options.boot_id;
  extents_ = std::make_unique<Extents>(mapping_, block.extent_count, block.extent_bytes, superblock_bytes,
                                       data_offset_of(block.extent_count, block.extent_bytes));
  maps_.emplace(block.extent_count);
  for (std::uint32_t i = 0; i < block.partition_count; ++i)
    partitions_.push_back(std::make_unique<Partition>(mapping_, *extents_, *maps_, i, kinds_));
  attach_partitions();
  if (auto upgraded = upgrade_partitions(); !upgraded) return upgraded;
  set_clock(options, block.last_logical_us, fresh ? options.wall_us : block.last_wall_us);
  mapping_.store_word(offsetof(Superblock, boot_id), options.boot_id);
  heartbeat(now(options.monotonic_us), options.wall_us);
  attach_duration_ = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - started);
  return {};
}

// Partitions share nothing but the claiming of extents, so a large store is walked by several threads; but an observer sees the writes one
// after the other, in the same order each time.
template <class F>
void Store::for_each_partition(F&& f) {
  constexpr std::uint32_t worth_a_thread = 128;  // extents
  const std::uint32_t claimed = extents_->count() - extents_->free_count();
  const std::uint32_t useful = std::min({std::thread::hardware_concurrency(), partition_count(), claimed / worth_a_thread});
  const std::uint32_t threads = mapping_.is_observed() ? 1 : std::clamp(useful, 1U, 16U);
  std::atomic<std::uint32_t> next{0};
  const auto work = [&] {
    for (std::uint32_t i = next.fetch_add(1); i < partitions_.size(); i = next.fetch_add(1)) f(i);
  };
  std::vector<std::jthread> helpers;
  for (std::uint32_t i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
}

void Store::attach_partitions() {
  std::vector<std::vector<std::uint32_t>> extents(partitions_.size());  // of each
  for (std::uint32_t extent = 0; extent < extents_->count(); ++extent)
    if (const ExtentWord word = extents_->word(extent); word.used && word.partition < extents.size())
      extents[word.partition].push_back(extent);
  std::vector<AttachCounts> counts(partitions_.size());
  for_each_partition([&](std::uint32_t i) { counts[i] = partitions_[i]->attach(extents[i], verified_, save_dropped, this); });
  for (const AttachCounts& one : counts) attached_ += one;
}

// All records or none: a program of the layout before is to find its own if there is no room for both.
Result<> Store::upgrade_partitions() {
  bool room = true;
  for (const auto& partition : partitions_) room = room && partition->prepare_upgrade();
  if (!room) {
    for (const auto& partition : partitions_) partition->give_up_upgrade();
    return fail("there is no room to bring the records to the layout of this program: nothing has changed");
  }
  std::vector<AttachCounts> counts(partitions_.size());
  for_each_partition([&](std::uint32_t i) { partitions_[i]->finish_upgrade(counts[i], save_dropped, this); });
  for (const AttachCounts& one : counts) attached_ += one;
  return {};
}

// Logical time goes on where it stopped; with Elapsed it also passes while nobody is there. A wall clock that was set back counts for
// nothing.
void Store::set_clock(const Options& options, std::int64_t last_logical_us, std::int64_t last_wall_us) {
  std::int64_t logical = std::clamp<std::int64_t>(last_logical_us, 0, time_us_max);
  const std::int64_t wall = std::clamp<std::int64_t>(last_wall_us, 0, time_us_max);
  if (options.clock == ClockPolicy::Elapsed) logical += std::clamp<std::int64_t>(options.wall_us - wall, 0, time_us_max);
  delta_us_ = logical - options.monotonic_us;
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
    bool stop = false;
    while (!stop) {
      stop = sync_wake_.wait_for(lock, interval, [this] { return sync_stop_; });
      lock.unlock();
      msync(mapped_, mapping_.size(), MS_SYNC);
      syncs_.fetch_add(1, std::memory_order_relaxed);
      lock.lock();
    }
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

}  // namespace perdure::store

#include "dispatch/state_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <unordered_map>
#include <unordered_set>

#include "base/assert.hpp"
#include "base/case.hpp"
#include "base/checksum.hpp"
#include "dispatch/list.hpp"

namespace perdure::dispatch {
namespace {

constexpr std::uint64_t magic = 0x3150534954415453;  // "STATISP1"
constexpr std::uint64_t tag_mask = ~std::uint64_t{0} << 24;
constexpr std::uint64_t expiry_mask = (std::uint64_t{1} << 48) - 1;
constexpr std::size_t probe_max = 256;  // pairs looked at for one key, so that a full table costs a bound

std::uint64_t tag_of(const Destination& destination) {
  std::string lower(destination.uri.size(), '\0');
  std::transform(destination.uri.begin(), destination.uri.end(), lower.begin(), to_lower);
  const std::uint64_t tag = checksum(lower, static_cast<std::uint32_t>(destination.set)) & tag_mask;
  return tag != 0 ? tag : std::uint64_t{1} << 24;  // 0 is "free"
}

StateFile::State state_in(std::uint64_t word) {
  return {.flags = static_cast<std::uint8_t>((word >> 16) & state::all), .count = static_cast<std::uint16_t>(word)};
}
std::uint64_t listed_in(std::uint64_t word) {
  return (word >> 20) & state::all;
}
std::uint64_t make_word(std::uint64_t tag, std::uint64_t listed, StateFile::State state) {
  return (tag & tag_mask) | (listed & state::all) << 20 | std::uint64_t{state.flags} << 16 | state.count;
}

std::uint64_t seconds(Time time) {
  const auto count = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  return std::clamp<std::int64_t>(count, 0, static_cast<std::int64_t>(expiry_mask));
}

}  // namespace

struct StateFile::Layout {
  std::uint64_t magic = dispatch::magic;
  std::atomic<std::uint64_t> pings_off{0};  // 1: off
  std::uint64_t reserved[6] = {};
  std::array<std::atomic<std::uint64_t>, destinations_max> words{};
  struct Pair {
    std::atomic<std::uint64_t> key{0}, value{0};
  };
  std::array<Pair, loads_max> pairs{};
};

StateFile::StateFile() : layout_(new Layout), loads_(destinations_max) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(Layout) == 64 + 8 * destinations_max + 16 * loads_max);
}

StateFile::~StateFile() {
  if (mapped_)
    ::munmap(layout_, sizeof(Layout));
  else
    delete layout_;
}

Result<> StateFile::open(const std::string& path, Time expiry_limit) {
  PERDURE_ASSERT(!mapped_);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    return fail(fmt::format("{}: not a regular file", path));
  }
  std::uint64_t found = 0;
  const bool usable = static_cast<std::size_t>(status.st_size) == sizeof(Layout) &&
                      ::pread(file, &found, sizeof found, 0) == sizeof found && found == magic;
  // Emptied first, so that a kill between the two leaves a file of the wrong size.
  if (!usable && (::ftruncate(file, 0) != 0 || ::ftruncate(file, sizeof(Layout)) != 0)) {
    const int error = errno;
    ::close(file);
    return fail(fmt::format("{}: {}", path, std::strerror(error)));
  }
  // Room is taken now: a write into a full tmpfs would be a SIGBUS later.
  if (const int error = ::posix_fallocate(file, 0, sizeof(Layout)); error != 0) {
    ::close(file);
    return fail(fmt::format("{}: {}", path, std::strerror(error)));
  }
  void* const memory = ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int error = errno;
  ::close(file);
  if (memory == MAP_FAILED) return fail(fmt::format("{}: {}", path, std::strerror(error)));
  delete layout_;
  layout_ = std::launder(reinterpret_cast<Layout*>(memory));
  mapped_ = true;
  layout_->magic = magic;
  recount(expiry_limit);
  return {};
}

void StateFile::recount(Time expiry_limit) {
  for (auto& load : loads_) load = 0;
  for (std::size_t at = 0; at < loads_max; ++at) {
    auto& pair = layout_->pairs[at];
    const std::uint64_t value = pair.value, slot = value >> 48;
    if (pair.key == 0 && value == 0) continue;
    if (pair.key == 0 || slot == 0 || slot > destinations_max) {
      pair.key = 0;  // cut between its two words, or garbage
      pair.value = 0;
      continue;
    }
    if ((value & expiry_mask) > seconds(expiry_limit)) pair.value = slot << 48 | seconds(expiry_limit);
    ++loads_[slot - 1];
  }
}

void StateFile::bind(List& list) {
  std::unordered_map<std::uint64_t, std::uint32_t> slots;  // by tag
  for (std::uint32_t slot = 0; slot < destinations_max; ++slot)
    if (const std::uint64_t word = layout_->words[slot]; word != 0) slots.emplace(word & tag_mask, slot);

  std::unordered_set<std::uint32_t> taken;
  std::vector<Destination*> homeless;
  for (auto& set : list.sets)
    for (auto& one : set->destinations) {
      const std::uint64_t tag = tag_of(one);
      const auto found = slots.find(tag);
      if (found == slots.end() || !taken.insert(found->second).second) {
        homeless.push_back(&one);
        continue;
      }
      one.slot = found->second;
      const std::uint64_t listed = one.listed_flags & state::all;
      if (listed_in(layout_->words[one.slot]) != listed)
        layout_->words[one.slot] = make_word(tag, listed, {.flags = static_cast<std::uint8_t>(listed), .count = 0});
    }

  std::uint32_t slot = 0;
  for (Destination* one : homeless) {
    while (taken.contains(slot)) ++slot;
    PERDURE_ASSERT(slot < destinations_max);  // parse_list admits no more destinations than slots
    taken.insert(slot);
    if (loads_[slot] != 0)  // of the destination that had the slot
      for (std::size_t at = 0; at < loads_max; ++at)
        if (layout_->pairs[at].key != 0 && layout_->pairs[at].value >> 48 == slot + 1) free_pair(at);
    const auto listed = static_cast<std::uint8_t>(one->listed_flags & state::all);
    layout_->words[slot] = make_word(tag_of(*one), listed, {.flags = listed, .count = 0});
    one->slot = slot;
  }
}

bool StateFile::pings() const {
  return layout_->pings_off.load(std::memory_order_relaxed) != 1;
}

void StateFile::set_pings(bool on) {
  layout_->pings_off.store(on ? 0 : 1, std::memory_order_relaxed);
}

StateFile::State StateFile::get(std::uint32_t slot) const {
  return state_in(layout_->words[slot].load(std::memory_order_acquire));
}

bool StateFile::exchange(std::uint32_t slot, State& expected, State desired) {
  auto& word = layout_->words[slot];
  std::uint64_t current = word.load(std::memory_order_acquire);
  do {
    if (state_in(current) != expected) {
      expected = state_in(current);
      return false;
    }
  } while (!word.compare_exchange_weak(current, make_word(current, listed_in(current), desired), std::memory_order_acq_rel));
  return true;
}

// loads_max: none. Pairs are freed in the middle of a run of keys, so a search goes over free ones.
std::size_t StateFile::find_pair(std::uint64_t key) const {
  for (std::size_t step = 0; step < probe_max; ++step) {
    const std::size_t at = (key + step) % loads_max;
    if (layout_->pairs[at].key.load(std::memory_order_acquire) == key) return at;
  }
  return loads_max;
}

bool StateFile::load_add(std::uint64_t key, std::uint32_t slot, Time expiry) {
  PERDURE_ASSERT(key != 0 && slot < destinations_max);
  const std::uint64_t value = std::uint64_t{slot + 1} << 48 | seconds(expiry);
  if (const std::size_t at = find_pair(key); at != loads_max) {  // the call moves
    const std::uint64_t old = layout_->pairs[at].value.exchange(value);
    if (old >> 48 != 0) --loads_[(old >> 48) - 1];
    ++loads_[slot];
    return true;
  }
  for (std::size_t step = 0; step < probe_max; ++step) {
    auto& pair = layout_->pairs[(key + step) % loads_max];
    std::uint64_t free = 0;
    if (!pair.key.compare_exchange_strong(free, key)) continue;
    const std::uint64_t old = pair.value.exchange(value);
    if (old >> 48 != 0) --loads_[(old >> 48) - 1];
    ++loads_[slot];
    return true;
  }
  return false;
}

bool StateFile::load_touch(std::uint64_t key, Time expiry) {
  const std::size_t at = find_pair(key);
  if (at == loads_max) return false;
  auto& value = layout_->pairs[at].value;
  std::uint64_t old = value;
  while (!value.compare_exchange_weak(old, (old & ~expiry_mask) | seconds(expiry))) {
  }
  return true;
}

bool StateFile::load_remove(std::uint64_t key) {
  const std::size_t at = find_pair(key);
  if (at == loads_max) return false;
  free_pair(at);
  return true;
}

void StateFile::free_pair(std::size_t at) {
  auto& pair = layout_->pairs[at];
  const std::uint64_t value = pair.value.exchange(0);
  if (value >> 48 == 0) return;  // another thread frees it, or fills it just now
  --loads_[(value >> 48) - 1];
  pair.key = 0;
}

void StateFile::expire(Time now, std::size_t limit) {
  for (std::size_t step = 0; step < limit; ++step) {
    const auto& pair = layout_->pairs[expire_at_];
    const std::uint64_t value = pair.value.load(std::memory_order_relaxed);
    if (value >> 48 != 0 && (value & expiry_mask) <= seconds(now)) free_pair(expire_at_);
    expire_at_ = (expire_at_ + 1) % loads_max;
  }
}

}  // namespace perdure::dispatch

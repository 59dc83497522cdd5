#include "lcr/state_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/assert.hpp"

namespace perdure::lcr {
namespace {

constexpr std::uint64_t magic = 0x3150545347524c43;  // "CLRGSTP1"
constexpr unsigned until_bits = 52;
constexpr std::uint64_t until_mask = (std::uint64_t{1} << until_bits) - 1;
constexpr std::uint32_t failures_max = 0xFFF;

std::uint64_t word_of(const GatewayState& state) {
  // Rounded up: an end must not come early.
  const auto until = std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(state.out_until.time_since_epoch()).count(), 0,
                                              static_cast<std::int64_t>(until_mask));
  return std::uint64_t{std::min(state.failures, failures_max)} << until_bits | static_cast<std::uint64_t>(until);
}

GatewayState state_in(std::uint64_t word) {
  return {.out_until = Time{std::chrono::milliseconds(word & until_mask)}, .failures = static_cast<std::uint32_t>(word >> until_bits)};
}

Result<> failed(const std::string& path, int error) {
  return fail(path + ": " + std::strerror(error));
}

}  // namespace

struct StateFile::Layout {
  std::uint64_t magic = lcr::magic;
  std::uint64_t reserved[7] = {};
  struct Pair {
    std::atomic<std::uint64_t> key{0}, value{0};
  };
  std::array<Pair, slots_max> pairs{};
};

StateFile::~StateFile() {
  if (layout_) ::munmap(layout_, sizeof(Layout));
}

Result<> StateFile::open(const std::string& path) {
  PERDURE_ASSERT(!layout_);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed(path, errno);
  struct stat status {};
  std::uint64_t found = 0;
  const bool usable = ::fstat(file, &status) == 0 && static_cast<std::size_t>(status.st_size) == sizeof(Layout) &&
                      ::pread(file, &found, sizeof found, 0) == sizeof found && found == magic;
  int error = 0;
  // Emptied first, so that a kill between the two leaves a file of the wrong size.
  if (!usable && (::ftruncate(file, 0) != 0 || ::ftruncate(file, sizeof(Layout)) != 0)) error = errno;
  // Room is taken now: a write into a full tmpfs would be a SIGBUS later.
  if (!error) error = ::posix_fallocate(file, 0, sizeof(Layout));
  void* const memory = error ? MAP_FAILED : ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (!error && memory == MAP_FAILED) error = errno;
  ::close(file);
  if (error) return failed(path, error);
  layout_ = std::launder(reinterpret_cast<Layout*>(memory));
  layout_->magic = magic;
  return {};
}

void StateFile::for_each(const std::function<void(std::uint64_t key, const GatewayState& state)>& f) const {
  if (!layout_) return;
  for (const auto& pair : layout_->pairs)
    if (const std::uint64_t key = pair.key; key != 0) f(key, state_in(pair.value));
}

bool StateFile::put(std::uint64_t key, const GatewayState& state) {
  if (!layout_) return true;
  Layout::Pair* free = nullptr;
  for (auto& pair : layout_->pairs) {
    if (pair.key == key) {
      pair.value = word_of(state);
      return true;
    }
    if (!free && pair.key == 0) free = &pair;
  }
  if (!free) return false;
  free->value = word_of(state);
  free->key = key;
  return true;
}

void StateFile::erase(std::uint64_t key) {
  if (!layout_) return;
  for (auto& pair : layout_->pairs)
    if (pair.key == key) pair.key = 0;
}

}  // namespace perdure::lcr

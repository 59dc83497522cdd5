#include "store/huge_pages.hpp"

#include <fcntl.h>
#include <linux/mman.h>  // MADV_COLLAPSE, which the C library of Debian 12 does not have yet
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace perdure::store {
namespace {

constexpr std::uint64_t pages_ahead = 4;  // 8 MiB: half a second of 10,000 calls per second

}  // namespace

HugePages::HugePages(char* base, std::uint64_t size, int descriptor, std::uint64_t used)
    : base_(base),
      pages_(size / huge_page_bytes),
      descriptor_(descriptor),
      next_(std::min((used + huge_page_bytes - 1) / huge_page_bytes, pages_)),
      wanted_(std::min(next_ + pages_ahead, pages_)) {
  if (next_ < pages_) thread_ = std::thread([this] { run(); });
}

HugePages::~HugePages() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void HugePages::used(std::uint64_t offset) {
  const std::uint64_t wanted = std::min(offset / huge_page_bytes + 1 + pages_ahead, pages_);
  {
    const std::scoped_lock lock(mutex_);
    if (wanted <= wanted_) return;
    wanted_ = wanted;
  }
  wake_.notify_all();
}

void HugePages::run() {
  (void)pthread_setname_np(pthread_self(), "huge-pages");
  std::unique_lock lock(mutex_);
  for (; next_ < pages_; ++next_) {
    wake_.wait(lock, [&] { return stop_ || next_ < wanted_; });
    if (stop_) return;
    lock.unlock();
    if (!prepare(next_)) return;
    lock.lock();
  }
}

// False: the kernel does not do this at all.
bool HugePages::prepare(std::uint64_t page) const {
#ifdef MADV_COLLAPSE
  const std::uint64_t offset = page * huge_page_bytes;
  // The kernel refuses a range of which nothing is there yet.
  if (descriptor_ >= 0 && fallocate(descriptor_, 0, static_cast<off_t>(offset), 4096) != 0) return false;
  return madvise(base_ + offset, huge_page_bytes, MADV_COLLAPSE) == 0 || errno != EINVAL;
#else
  (void)page;
  return false;
#endif
}

}  // namespace perdure::store

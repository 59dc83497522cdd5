#pragma once
// Huge pages for a mapped file. A file system in memory gives small ones unless it was mounted otherwise; one huge page costs a tenth of
// the 512 small ones when it is first used, and the processor finds its address much sooner.
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace perdure::store {

// What the kernel can map by one entry. The mapping must begin at a multiple of it.
inline constexpr std::uint64_t huge_page_bytes = 2ULL << 20;

// Prepares pages in a thread of its own, ahead of their use, since the kernel may take milliseconds for one. Where it cannot (before Linux
// 6.1) or has no memory in one piece, the small pages stay.
class HugePages {
 public:
  // Begins behind the first `used` bytes: what is in use is left as it is, since a page that is being exchanged stops who needs it.
  // `descriptor`: of the mapped file. The mapping must outlive this.
  HugePages(char* base, std::uint64_t size, int descriptor, std::uint64_t used);
  ~HugePages();
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;

  // Bytes at this offset are in use from now on: what follows them is next. Any thread.
  void used(std::uint64_t offset);

 private:
  void run();
  [[nodiscard]] bool prepare(std::uint64_t page) const;

  char* const base_;
  const std::uint64_t pages_;
  const int descriptor_;
  std::uint64_t next_;  // page
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t wanted_;  // pages below this are to be prepared
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace perdure::store

#pragma once
// The last messages in a file of shared memory, which outlives engines: a ring for each worker that appends to it, and readers in any
// process that copy. Nothing of it is needed to route calls: what is damaged is not shown.
//
// An entry is a header of 80 bytes and the message, in one piece, a multiple of 16. Positions count bytes since the file was made. The
// writer first moves `head` past what it will overwrite, then writes, then moves `tail`: it may be killed at any instruction, and a reader
// that finds `head` beyond what it has copied forgets the copy.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "trace/entry.hpp"

namespace perdure::trace {

inline constexpr std::size_t message_bytes_max = 65'535;

struct RingControl {
  alignas(64) std::atomic<std::uint64_t> tail{0};  // entries before it are complete
  alignas(64) std::atomic<std::uint64_t> head{0};  // the oldest entry
};

struct Ring {
  RingControl* control = nullptr;
  char* data = nullptr;
  std::uint64_t capacity = 0;  // a multiple of 16
};

// A file of rings, mapped.
class RingFile {
 public:
  // Maps the file, and makes it anew, mode 0600, if it is not there or not of this shape.
  [[nodiscard]] static Result<std::unique_ptr<RingFile>> open(const std::string& path, std::uint32_t rings, std::uint64_t bytes);
  // As it is, to read it.
  [[nodiscard]] static Result<std::unique_ptr<RingFile>> open_to_read(const std::string& path);
  ~RingFile();
  RingFile(const RingFile&) = delete;
  RingFile& operator=(const RingFile&) = delete;

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] Ring ring(std::uint32_t index) const;
  // Whether the path still leads to this file.
  [[nodiscard]] bool is_current() const;

 private:
  RingFile(std::string path, char* base, std::size_t size, std::uint32_t count, std::uint64_t capacity, std::uint64_t inode);

  std::string path_;
  char* base_;
  std::size_t size_;
  std::uint32_t count_;
  std::uint64_t capacity_, inode_;
};

// The one writer of a ring.
class RingWriter {
 public:
  explicit RingWriter(Ring ring);
  // A message longer than message_bytes_max or half the ring is not kept. Credentials in it are masked.
  void append(const Entry& entry);

 private:
  void make_room(std::uint64_t end);
  void prefetch_next();

  Ring ring_;
  std::uint64_t tail_, head_;
  std::uint64_t prefetched_ = 0;  // up to this position
  std::string buffer_;            // of a message that is masked
};

// Reads a ring, from the oldest entry or from where the last call ended. `f(entry)` is called with what is complete; its bytes live until
// `f` returns. Entries that were overwritten before they could be read are left out. Returns how many bytes were lost that way.
class RingReader {
 public:
  // `from_now`: begins with what comes after this.
  explicit RingReader(Ring ring, bool from_now = false);
  std::uint64_t read(const std::function<void(const Entry&)>& f, std::size_t bytes_max = SIZE_MAX);

 private:
  Ring ring_;
  std::uint64_t cursor_;
  std::string copy_;
};

}  // namespace perdure::trace

#include "trace/ring_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "trace/mask.hpp"

namespace perdure::trace {
namespace {

constexpr std::uint64_t alignment = 16, page = 4096;
constexpr std::uint64_t magic = 0x31454341'52544450;  // "PDTRACE1"

struct FileHeader {
  std::uint64_t word = magic;
  std::uint32_t count = 0;
  std::uint32_t reserved = 0;
  std::uint64_t capacity = 0;  // of each ring
};

struct EntryHeader {
  std::uint32_t size = 0;    // with header
  std::uint32_t length = 0;  // of the message
  std::uint64_t id = 0;
  std::int64_t wall_us = 0;
  SocketAddress remote, local;
  EntryKind kind = EntryKind::Padding;
  Transport transport = Transport::Udp;
  std::uint8_t reserved[14] = {};
};
static_assert(sizeof(EntryHeader) == 80 && std::is_trivially_copyable_v<EntryHeader>);

constexpr std::uint64_t size_of(std::uint64_t length) {
  return (sizeof(EntryHeader) + length + alignment - 1) / alignment * alignment;
}

// Word by word, because a reader may look while the writer writes; both find out afterwards what it was worth. `size`: a multiple of 8.
void store_words(char* to, const char* from, std::size_t size) {
  auto* const words = reinterpret_cast<std::uint64_t*>(to);
  for (std::size_t i = 0; i < size / 8; ++i) {
    std::uint64_t word;
    std::memcpy(&word, from + 8 * i, 8);
    std::atomic_ref(words[i]).store(word, std::memory_order_relaxed);
  }
}
// The last word is filled up with zeros.
void store_bytes(char* to, std::string_view bytes) {
  const std::size_t whole = bytes.size() / 8 * 8;
  store_words(to, bytes.data(), whole);
  if (whole == bytes.size()) return;
  char last[8] = {};
  bytes.substr(whole).copy(last, sizeof last);
  store_words(to + whole, last, sizeof last);
}
void load_words(char* to, const char* from, std::size_t size) {
  auto* const words = reinterpret_cast<std::uint64_t*>(const_cast<char*>(from));
  for (std::size_t i = 0; i < size / 8; ++i) {
    const std::uint64_t word = std::atomic_ref(words[i]).load(std::memory_order_relaxed);
    std::memcpy(to + 8 * i, &word, 8);
  }
}

std::uint64_t controls_bytes(std::uint32_t count) {
  return (page + count * sizeof(RingControl) + page - 1) / page * page;
}

std::unexpected<Error> system_error(const std::string& path, const char* what) {
  return fail(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

// Where the entry at `position` ends; 0: what stands there is none. `left`: bytes up to the end of the memory.
std::uint64_t entry_size(const char* at, std::uint64_t left, EntryHeader& header) {
  if (left < sizeof header) return left;  // too little for a header: the next one begins at the start
  load_words(reinterpret_cast<char*>(&header), at, sizeof header);
  const bool sound = header.size >= sizeof header && header.size % alignment == 0 && header.size <= left &&
                     header.length <= header.size - sizeof header && header.kind <= EntryKind::Start;
  return sound ? header.size : 0;
}

}  // namespace

RingFile::RingFile(std::string path, char* base, std::size_t size, std::uint32_t count, std::uint64_t capacity, std::uint64_t inode)
    : path_(std::move(path)), base_(base), size_(size), count_(count), capacity_(capacity), inode_(inode) {}

RingFile::~RingFile() {
  munmap(base_, size_);
}

Result<std::unique_ptr<RingFile>> RingFile::open_to_read(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return system_error(path, "open");
  struct stat info {};
  void* base = MAP_FAILED;
  FileHeader header;
  const bool known = fstat(descriptor, &info) == 0 && pread(descriptor, &header, sizeof header, 0) == sizeof header &&
                     header.word == magic && header.count > 0 && header.count <= 1024 && header.capacity % page == 0 &&
                     static_cast<std::uint64_t>(info.st_size) == controls_bytes(header.count) + header.count * header.capacity;
  if (known) base = mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (!known) return fail(path + ": is no trace");
  if (base == MAP_FAILED) return system_error(path, "mmap");
  return std::unique_ptr<RingFile>(
      new RingFile(path, static_cast<char*>(base), static_cast<std::size_t>(info.st_size), header.count, header.capacity, info.st_ino));
}

Result<std::unique_ptr<RingFile>> RingFile::open(const std::string& path, std::uint32_t rings, std::uint64_t bytes) {
  const FileHeader wanted{.count = rings, .capacity = std::max(bytes / rings / page, std::uint64_t{64}) * page};
  const auto size = static_cast<std::size_t>(controls_bytes(rings) + rings * wanted.capacity);
  const auto known = open_to_read(path);
  if (!known || (*known)->count_ != rings || (*known)->capacity_ != wanted.capacity) {
    const std::string part = path + ".part";
    (void)unlink(part.c_str());
    const int made = ::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) return system_error(part, "open");
    // All of it at once: a page that the file system has no room for would kill the process that writes there.
    int reason = posix_fallocate(made, 0, static_cast<off_t>(size));
    if (reason == 0 && pwrite(made, &wanted, sizeof wanted, 0) != sizeof wanted) reason = EIO;
    close(made);
    if (reason == 0 && rename(part.c_str(), path.c_str()) != 0) reason = errno;
    if (reason != 0) {
      (void)unlink(part.c_str());
      return fail(fmt::format("{}: {}", path, std::strerror(reason)));
    }
  }
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  struct stat info {};
  if (descriptor < 0 || fstat(descriptor, &info) != 0) return system_error(path, "open");
  void* const base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (base == MAP_FAILED) return system_error(path, "mmap");
  return std::unique_ptr<RingFile>(new RingFile(path, static_cast<char*>(base), size, rings, wanted.capacity, info.st_ino));
}

Ring RingFile::ring(std::uint32_t index) const {
  return {reinterpret_cast<RingControl*>(base_ + page) + index, base_ + controls_bytes(count_) + index * capacity_, capacity_};
}

bool RingFile::is_current() const {
  struct stat info {};
  return stat(path_.c_str(), &info) == 0 && info.st_ino == inode_;
}

RingWriter::RingWriter(Ring ring) : ring_(ring), tail_(ring.control->tail.load()), head_(ring.control->head.load()) {
  // What an engine scribbled there before it died is not believed.
  if (head_ <= tail_ && tail_ - head_ <= ring_.capacity && tail_ % alignment == 0 && head_ % alignment == 0) return;
  head_ = tail_ = 0;
  ring_.control->head.store(0);
  ring_.control->tail.store(0);
}

// Forgets the oldest entries, so that what ends at `end` fits.
void RingWriter::make_room(std::uint64_t end) {
  if (end - head_ <= ring_.capacity) return;
  EntryHeader header;
  while (end - head_ > ring_.capacity) {
    const std::uint64_t at = head_ % ring_.capacity;
    const std::uint64_t size = entry_size(ring_.data + at, ring_.capacity - at, header);
    head_ = size == 0 ? tail_ : head_ + size;  // damaged: all of it goes
  }
  ring_.control->head.store(head_, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // readers see it before what is written there
}

void RingWriter::append(const Entry& entry) {
  const std::uint64_t size = size_of(entry.bytes.size());
  if (entry.bytes.size() > message_bytes_max || size > ring_.capacity / 2) return;
  const std::uint64_t left = ring_.capacity - tail_ % ring_.capacity;
  if (left < size) {
    make_room(tail_ + left);
    if (left >= sizeof(EntryHeader)) {
      EntryHeader padding;
      padding.size = static_cast<std::uint32_t>(left);
      store_words(ring_.data + tail_ % ring_.capacity, reinterpret_cast<const char*>(&padding), sizeof padding);
    }
    tail_ += left;
  }
  make_room(tail_ + size);
  char* const at = ring_.data + tail_ % ring_.capacity;
  const EntryHeader header{.size = static_cast<std::uint32_t>(size),
                           .length = static_cast<std::uint32_t>(entry.bytes.size()),
                           .id = entry.id,
                           .wall_us = entry.wall_us,
                           .remote = entry.remote,
                           .local = entry.local,
                           .kind = entry.kind,
                           .transport = entry.transport};
  std::string_view bytes = entry.bytes;
  if (entry.kind != EntryKind::Start && may_hold_credentials(bytes)) {
    buffer_.assign(bytes);
    mask_credentials(buffer_);
    bytes = buffer_;
  }
  store_words(at, reinterpret_cast<const char*>(&header), sizeof header);
  store_bytes(at + sizeof header, bytes);
  tail_ += size;
  ring_.control->tail.store(tail_, std::memory_order_release);
  prefetch_next();
}

// By the time they are needed they have come from memory: the header of the oldest entry, and where the next ones will stand. Several of
// them, because what is sent is written down all at once.
void RingWriter::prefetch_next() {
  constexpr std::uint64_t line = 64, ahead = 4096;
  __builtin_prefetch(ring_.data + head_ % ring_.capacity);
  for (prefetched_ = std::max(prefetched_, tail_ / line * line); prefetched_ < tail_ + ahead; prefetched_ += line)
    __builtin_prefetch(ring_.data + prefetched_ % ring_.capacity, 1);
}

RingReader::RingReader(Ring ring, bool from_now)
    : ring_(ring), cursor_((from_now ? ring.control->tail : ring.control->head).load(std::memory_order_acquire)) {}

std::uint64_t RingReader::read(const std::function<void(const Entry&)>& f, std::size_t bytes_max) {
  const std::uint64_t tail = ring_.control->tail.load(std::memory_order_acquire);
  std::uint64_t head = ring_.control->head.load(std::memory_order_acquire);
  if (tail < cursor_ || head > tail || tail - head > ring_.capacity) {  // made anew, or damaged
    cursor_ = tail;
    return 0;
  }
  std::uint64_t lost = head > cursor_ ? head - cursor_ : 0;
  cursor_ = std::max(cursor_, head);
  EntryHeader header;
  std::size_t given = 0;
  while (cursor_ < tail && given < bytes_max) {
    const std::uint64_t at = cursor_ % ring_.capacity;
    const std::uint64_t size = entry_size(ring_.data + at, ring_.capacity - at, header);
    const std::uint64_t next = size == 0 ? tail : cursor_ + size;
    const bool is_entry = size >= sizeof header && header.kind != EntryKind::Padding;
    if (is_entry) {
      copy_.resize(size - sizeof header);
      load_words(copy_.data(), ring_.data + at + sizeof header, copy_.size());
      copy_.resize(header.length);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    head = ring_.control->head.load(std::memory_order_relaxed);
    if (head > cursor_) {  // overwritten while it was copied
      lost += head - cursor_;
      cursor_ = head;
      continue;
    }
    if (is_entry) {
      f({.kind = header.kind,
         .transport = header.transport,
         .id = header.id,
         .wall_us = header.wall_us,
         .remote = header.remote,
         .local = header.local,
         .bytes = copy_});
      given += copy_.size();
    }
    cursor_ = next;
  }
  return lost;
}

}  // namespace perdure::trace

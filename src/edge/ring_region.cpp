#include "edge/ring_region.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace perdure::edge {
namespace {

struct alignas(64) Head {
  std::uint64_t magic = 0;
  std::uint32_t layout = 0, worker_count = 0;
  std::uint64_t capacity = 0;
  std::atomic<std::uint32_t> partitions{1};
  std::atomic<std::uint32_t> edge_sleeps{0};
};
constexpr std::uint64_t magic = 0x676E697265726470;  // "pdrering"
constexpr std::uint32_t layout = 1;
constexpr std::uint32_t workers_max = 1024, partitions_max = 1 << 20;
constexpr std::uint64_t capacity_min = 4096, capacity_max = 1 << 30;

struct Places {
  std::size_t marks, controls, data, end;
  Places(std::uint32_t workers, std::uint64_t capacity) {
    marks = sizeof(Head);
    controls = marks + workers * sizeof(RingMarks);
    data = (controls + 2 * workers * sizeof(RingControl) + 4095) / 4096 * 4096;
    end = data + 2 * workers * capacity;
  }
};

void write_event(int descriptor) {
  const std::uint64_t one = 1;
  (void)!write(descriptor, &one, sizeof one);
}

}  // namespace

RingRegion::RingRegion(std::vector<int> descriptors, char* base, std::size_t size, std::uint32_t worker_count, std::uint64_t capacity)
    : descriptors_(std::move(descriptors)), base_(base), size_(size), worker_count_(worker_count), capacity_(capacity) {
  const Places places(worker_count, capacity);
  marks_ = reinterpret_cast<RingMarks*>(base + places.marks);
  controls_ = reinterpret_cast<RingControl*>(base + places.controls);
  data_ = base + places.data;
}

RingRegion::~RingRegion() {
  munmap(base_, size_);
  for (const int descriptor : descriptors_) close(descriptor);
}

Result<std::unique_ptr<RingRegion>> RingRegion::create(std::uint32_t worker_count, std::uint64_t capacity) {
  if (worker_count == 0 || worker_count > workers_max || !std::has_single_bit(capacity) || capacity < capacity_min ||
      capacity > capacity_max)
    return fail(fmt::format("no rings of {} bytes for {} workers are possible", capacity, worker_count));
  std::vector<int> descriptors = {memfd_create("perdure-rings", 0)};
  for (std::uint32_t i = 0; i <= worker_count; ++i) descriptors.push_back(eventfd(0, EFD_NONBLOCK));
  const std::size_t size = Places(worker_count, capacity).end;
  bool good = std::ranges::find(descriptors, -1) == descriptors.end();
  good = good && ftruncate(descriptors[0], static_cast<off_t>(size)) == 0;
  void* const base = good ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[0], 0) : MAP_FAILED;
  if (base == MAP_FAILED) {
    const int error = errno;
    for (const int descriptor : descriptors)
      if (descriptor >= 0) close(descriptor);
    return fail(fmt::format("shared memory for connections, {} bytes: {}", size, std::strerror(error)));
  }
  auto* const head = static_cast<Head*>(base);
  head->magic = magic;
  head->layout = layout;
  head->worker_count = worker_count;
  head->capacity = capacity;
  head->partitions.store(1);
  return std::unique_ptr<RingRegion>(new RingRegion(std::move(descriptors), static_cast<char*>(base), size, worker_count, capacity));
}

Result<std::unique_ptr<RingRegion>> RingRegion::map(const std::vector<int>& descriptors) {
  const auto refuse = [&](const std::string& why) {
    for (const int descriptor : descriptors) close(descriptor);
    return fail(why);
  };
  struct stat status {};
  Head head;
  if (descriptors.size() < 3 || fstat(descriptors[0], &status) != 0 ||
      pread(descriptors[0], static_cast<void*>(&head), sizeof head, 0) != sizeof head || head.magic != magic || head.layout != layout ||
      head.worker_count != descriptors.size() - 2 || head.worker_count > workers_max || !std::has_single_bit(head.capacity) ||
      head.capacity < capacity_min || head.capacity > capacity_max ||
      static_cast<std::size_t>(status.st_size) != Places(head.worker_count, head.capacity).end)
    return refuse("the descriptors of --rings are not rings of this version");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[0], 0);
  if (base == MAP_FAILED) return refuse(fmt::format("the rings cannot be mapped: {}", std::strerror(errno)));
  return std::unique_ptr<RingRegion>(new RingRegion(descriptors, static_cast<char*>(base), size, head.worker_count, head.capacity));
}

RingMemory RingRegion::inbound(std::uint32_t worker) const {
  return {&controls_[std::size_t{2} * worker], data_ + 2 * worker * capacity_, capacity_};
}
RingMemory RingRegion::outbound(std::uint32_t worker) const {
  return {&controls_[std::size_t{2} * worker + 1], data_ + (2 * worker + 1) * capacity_, capacity_};
}

void RingRegion::set_partitions(std::uint32_t count) {
  reinterpret_cast<Head*>(base_)->partitions.store(count, std::memory_order_release);
}

std::uint32_t RingRegion::partitions() const {
  const std::uint32_t count = reinterpret_cast<const Head*>(base_)->partitions.load(std::memory_order_acquire);
  return count == 0 || count > partitions_max ? 1 : count;
}

std::atomic<std::uint32_t>& RingRegion::edge_sleeps() const {
  return reinterpret_cast<Head*>(base_)->edge_sleeps;
}

// Whoever sleeps sets its flag, then looks at the rings once more; whoever publishes does so before it takes the flag down. Both with
// read-modify-writes: the later of the two sees what the other did before.
void RingRegion::wake_worker(std::uint32_t worker) const {
  if (marks_[worker].worker_sleeps.exchange(0, std::memory_order_acq_rel) != 0) write_event(worker_event(worker));
}
void RingRegion::wake_edge() const {
  if (edge_sleeps().exchange(0, std::memory_order_acq_rel) != 0) write_event(edge_event());
}

}  // namespace perdure::edge

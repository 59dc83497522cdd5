#include "edge/shared_region.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace perdure::edge {
namespace {

struct Head {
  std::uint64_t magic;
  std::uint32_t layout, worker_count;
};
constexpr std::uint64_t magic = 0x6E6F696765726470;  // "pdregion"
constexpr std::uint32_t layout = 1;
constexpr std::uint32_t workers_max = 1024;
// Not a multiple of 4096: the first lines of all slots would compete for the same cache sets.
constexpr std::size_t data_stride = 65536 + 192;

constexpr std::size_t align(std::size_t at, std::size_t to) {
  return (at + to - 1) / to * to;
}

struct Places {
  std::size_t marks, suspects, infos, headers, vectors, names, data, end;
  explicit Places(std::uint32_t workers) {
    const std::size_t slots = std::size_t{workers} * slots_per_worker;
    marks = align(sizeof(Head), 64);
    suspects = align(marks + workers * sizeof(WorkerMark), 64);
    infos = align(suspects + suspects_max * sizeof(Suspect), 64);
    headers = align(infos + slots * sizeof(SlotInfo), 64);
    vectors = align(headers + slots * sizeof(mmsghdr), 64);
    names = align(vectors + slots * sizeof(iovec), 64);
    data = align(names + slots * sizeof(sockaddr_storage), 4096);
    end = align(data + slots * data_stride, 4096);
  }
};

}  // namespace

SharedRegion::SharedRegion(int descriptor, char* base, std::size_t size, std::uint32_t worker_count)
    : descriptor_(descriptor), base_(base), size_(size), worker_count_(worker_count) {
  const Places places(worker_count);
  marks_ = reinterpret_cast<WorkerMark*>(base + places.marks);
  suspects_ = reinterpret_cast<Suspect*>(base + places.suspects);
  infos_ = reinterpret_cast<SlotInfo*>(base + places.infos);
  headers_ = reinterpret_cast<mmsghdr*>(base + places.headers);
  vectors_ = reinterpret_cast<iovec*>(base + places.vectors);
  names_ = reinterpret_cast<sockaddr_storage*>(base + places.names);
  data_ = base + places.data;
}

SharedRegion::~SharedRegion() {
  munmap(base_, size_);
  close(descriptor_);
}

Result<std::unique_ptr<SharedRegion>> SharedRegion::create(std::uint32_t worker_count) {
  if (worker_count == 0 || worker_count > workers_max)
    return fail(fmt::format("{} workers: 1 to {} are possible", worker_count, workers_max));
  const int descriptor = memfd_create("perdure-receive", MFD_CLOEXEC);
  if (descriptor < 0) return fail(fmt::format("shared memory for receiving: {}", std::strerror(errno)));
  const std::size_t size = Places(worker_count).end;
  void* base = ftruncate(descriptor, static_cast<off_t>(size)) == 0 ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                                                                    : MAP_FAILED;
  if (base == MAP_FAILED) {
    const int error = errno;
    close(descriptor);
    return fail(fmt::format("shared memory for receiving, {} bytes: {}", size, std::strerror(error)));
  }
  *static_cast<Head*>(base) = {magic, layout, worker_count};
  auto region = std::unique_ptr<SharedRegion>(new SharedRegion(descriptor, static_cast<char*>(base), size, worker_count));
  for (std::uint32_t i = 0; i < worker_count; ++i) region->marks_[i].record = no_record;
  for (std::uint32_t i = 0; i < suspects_max; ++i) region->suspects_[i] = {};
  return region;
}

Result<std::unique_ptr<SharedRegion>> SharedRegion::map(int descriptor) {
  struct stat status {};
  Head head{};
  if (fstat(descriptor, &status) != 0 || pread(descriptor, &head, sizeof head, 0) != sizeof head || head.magic != magic ||
      head.layout != layout || head.worker_count == 0 || head.worker_count > workers_max ||
      static_cast<std::size_t>(status.st_size) != Places(head.worker_count).end) {
    close(descriptor);
    return fail("the descriptor of --shared is not a receive region of this version");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    close(descriptor);
    return fail(fmt::format("the receive region cannot be mapped: {}", std::strerror(error)));
  }
  return std::unique_ptr<SharedRegion>(new SharedRegion(descriptor, static_cast<char*>(base), size, head.worker_count));
}

void SharedRegion::adopt(std::uint32_t worker, std::uint32_t batch) {
  for (std::uint32_t i = 0; i < batch_size; ++i) {
    const std::size_t index = slot_index(worker, batch * batch_size + i);
    vectors_[index] = {data_ + index * data_stride, datagram_bytes_max};
    msghdr& message = headers_[index].msg_hdr;
    message.msg_name = &names_[index];
    message.msg_iov = &vectors_[index];
    message.msg_iovlen = 1;
    message.msg_control = nullptr;
    message.msg_controllen = 0;
  }
}

void SharedRegion::prepare(std::uint32_t worker, std::uint32_t batch, std::uint16_t socket, std::uint64_t sequence) {
  for (std::uint32_t i = 0; i < batch_size; ++i) {
    const std::size_t index = slot_index(worker, batch * batch_size + i);
    infos_[index] = {sequence + i, socket, 0};
    headers_[index].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    headers_[index].msg_hdr.msg_flags = 0;
  }
}

bool SharedRegion::is_free(std::uint32_t worker, std::uint32_t batch) const {
  for (std::uint32_t i = 0; i < batch_size; ++i)
    if (length({worker, batch * batch_size + i}) != 0) return false;
  return true;
}

std::string_view SharedRegion::bytes(SlotId id) const {
  return {data_ + slot_index(id.worker, id.slot) * data_stride, std::min<std::size_t>(length(id), datagram_bytes_max)};
}

bool SharedRegion::is_sound(SlotId id, std::size_t socket_count) {
  return length(id) <= datagram_bytes_max && info(id).socket < socket_count && source(id).family != Family::None;
}

std::vector<SlotId> SharedRegion::taken() {
  std::vector<SlotId> found;
  for (std::uint32_t worker = 0; worker < worker_count_; ++worker) {
    const auto begin = static_cast<std::ptrdiff_t>(found.size());
    for (std::uint32_t slot = 0; slot < slots_per_worker; ++slot)
      if (length({worker, slot}) != 0) found.push_back({worker, slot});
    std::sort(found.begin() + begin, found.end(), [&](SlotId a, SlotId b) { return info(a).sequence < info(b).sequence; });
  }
  return found;
}

}  // namespace perdure::edge

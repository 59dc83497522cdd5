#include "metrics/region.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perdure::metrics {
namespace {

struct Head {
  std::uint64_t magic, layout;
  std::uint32_t worker_count, blocks_version;
};
constexpr std::uint64_t magic = 0x73636972'74656D70;  // "pmetrics"
constexpr std::uint32_t blocks_version = 2;           // of blocks.hpp
constexpr std::size_t attaches_at = 64, gateways_at = attaches_at + sizeof(AttachBlock),
                      workers_at = gateways_at + gateways_max * sizeof(GatewayBlock);
static_assert(sizeof(Head) <= attaches_at && gateways_at % 64 == 0 && workers_at % 64 == 0);

std::size_t size_of(std::uint32_t worker_count) {
  return workers_at + worker_count * sizeof(WorkerBlock);
}

Result<char*> map_memory(int descriptor, std::size_t size) {
  void* const base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (base == MAP_FAILED) return fail(fmt::format("shared memory for metrics, {} bytes: {}", size, std::strerror(errno)));
  return static_cast<char*>(base);
}

}  // namespace

Region::Region(int descriptor, char* base, std::uint32_t worker_count)
    : descriptor_(descriptor),
      base_(base),
      worker_count_(worker_count),
      attaches_(reinterpret_cast<AttachBlock*>(base + attaches_at)),
      gateways_(reinterpret_cast<GatewayBlock*>(base + gateways_at)),
      workers_(reinterpret_cast<WorkerBlock*>(base + workers_at)) {}

Region::~Region() {
  munmap(base_, size_of(worker_count_));
  close(descriptor_);
}

Result<std::unique_ptr<Region>> Region::create(std::uint32_t worker_count, std::uint64_t layout) {
  const int descriptor = memfd_create("perdure-metrics", MFD_CLOEXEC);
  if (descriptor < 0 || ftruncate(descriptor, static_cast<off_t>(size_of(worker_count))) != 0) {
    const int error = errno;
    if (descriptor >= 0) close(descriptor);
    return fail(fmt::format("shared memory for metrics: {}", std::strerror(error)));
  }
  const auto base = map_memory(descriptor, size_of(worker_count));
  if (!base) {
    close(descriptor);
    return std::unexpected(base.error());
  }
  const Head head{magic, layout, worker_count, blocks_version};
  std::memcpy(*base, &head, sizeof head);
  return std::unique_ptr<Region>(new Region(descriptor, *base, worker_count));
}

Result<std::unique_ptr<Region>> Region::map(int descriptor, std::uint32_t worker_count, std::uint64_t layout) {
  struct stat status {};
  Head head{};
  const bool fits = fstat(descriptor, &status) == 0 && pread(descriptor, &head, sizeof head, 0) == sizeof head && head.magic == magic &&
                    head.layout == layout && head.worker_count == worker_count && head.blocks_version == blocks_version &&
                    static_cast<std::size_t>(status.st_size) == size_of(worker_count);
  if (!fits) {
    close(descriptor);
    return fail("the memory for metrics is of another version");
  }
  const auto base = map_memory(descriptor, size_of(worker_count));
  if (!base) {
    close(descriptor);
    return std::unexpected(base.error());
  }
  return std::unique_ptr<Region>(new Region(descriptor, *base, worker_count));
}

GatewayBlock* Region::gateway(std::string_view uri) const {
  if (uri.empty() || uri.size() > gateway_uri_max) return nullptr;
  for (std::size_t i = 0; i < gateways_max; ++i) {
    GatewayBlock& block = gateways_[i];
    if (block.uri[0] == '\0') {
      // The first byte last: a reader, and the engine after a death in here, sees all of the name or a free block.
      uri.copy(block.uri.data() + 1, uri.size() - 1, 1);
      std::atomic_ref(block.uri[0]).store(uri[0], std::memory_order_release);
      return &block;
    }
    if (uri == block.name()) return &block;
  }
  return nullptr;
}

std::vector<const GatewayBlock*> Region::gateways() const {
  std::vector<const GatewayBlock*> found;
  for (std::size_t i = 0; i < gateways_max && std::atomic_ref(gateways_[i].uri[0]).load(std::memory_order_acquire) != '\0'; ++i)
    found.push_back(&gateways_[i]);
  return found;
}

}  // namespace perdure::metrics

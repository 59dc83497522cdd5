// The receive region as a dying engine left it, any bytes in it changed: the next engine refuses it or finds its way, stays inside, and can
// receive again. Slots that a kernel could not have filled so are told apart by is_sound().
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>
#include <vector>

#include "edge/shared_region.hpp"
#include "engine/blame.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure;
using edge::SharedRegion;
using edge::SlotId;
using fuzz::expect;

constexpr std::uint32_t workers = 2;

// One region for all inputs: what lies before the datagrams is put back from `pristine` each time.
struct Memory {
  std::unique_ptr<SharedRegion> owner = std::move(*SharedRegion::create(workers));
  std::size_t head_bytes = 0;
  char* base = nullptr;
  std::vector<char> pristine;

  Memory() {
    const SlotId first{0, 0};
    std::size_t size = 0;
    size = static_cast<std::size_t>(lseek(owner->descriptor(), 0, SEEK_END));
    base = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, owner->descriptor(), 0));
    expect(base != MAP_FAILED, "the region cannot be mapped");
    for (std::uint32_t worker = 0; worker < workers; ++worker)
      for (std::uint32_t batch = 0; batch < edge::batches_per_worker; ++batch) {
        owner->adopt(worker, batch);
        owner->prepare(worker, batch, 0, 1 + batch * edge::batch_size);
      }
    // As after datagrams of which some are not finished.
    for (const SlotId id : {SlotId{0, 0}, SlotId{0, 1}, SlotId{0, 40}, SlotId{1, 7}}) owner->headers(id.worker, 0)[id.slot].msg_len = 300;
    owner->mark(0).slot.store(2);
    owner->mark(1).record = 5;
    owner->suspect(0) = {5, 3};
    head_bytes = static_cast<std::size_t>(owner->bytes(first).data() - reinterpret_cast<const char*>(&owner->mark(0))) + 64;
    pristine.assign(base, base + head_bytes);
  }
};

void patch(fuzz::Input& input, Memory& memory) {
  const std::size_t marks = 64, infos = marks + workers * sizeof(edge::WorkerMark) + edge::suspects_max * sizeof(edge::Suspect);
  for (int i = 0; i < 64 && !input.empty(); ++i) {
    const std::uint8_t where = input.byte();
    std::size_t offset = input.below(1U << 16) % (memory.head_bytes - 16);
    // Head, marks and suspects are small, so they are aimed at.
    if (where & 1) offset %= infos;
    if (where & 2) offset = marks + offset % (infos - marks);
    if (where & 4) offset &= ~std::size_t{7};
    const std::string_view bytes = input.take(1 + (where >> 4) % 8);
    std::memcpy(memory.base + offset, bytes.data(), bytes.size());
  }
}

void look(SharedRegion& region) {
  expect(region.worker_count() == workers, "a region with another number of workers fits the file");
  const auto taken = region.taken();
  expect(taken.size() <= std::size_t{workers} * edge::slots_per_worker, "more slots are taken than there are");
  std::size_t sum = 0;
  for (const SlotId id : taken) {
    expect(id.worker < workers && id.slot < edge::slots_per_worker, "a slot outside of the region");
    const std::string_view bytes = region.bytes(id);
    expect(!bytes.empty() && bytes.size() <= edge::datagram_bytes_max, "a datagram of impossible length");
    sum += static_cast<unsigned char>(bytes.front()) + static_cast<unsigned char>(bytes.back());
    sum += region.source(id).text().size() + region.info(id).blame;
    (void)region.is_sound(id, 1);
  }
  expect(sum < SIZE_MAX, "");
  for (std::uint32_t worker = 0; worker < workers; ++worker)
    for (std::uint32_t batch = 0; batch < edge::batches_per_worker; ++batch) (void)region.is_free(worker, batch);
}

void blame(SharedRegion& region, edge::Death death) {
  const auto before = region.taken();
  const auto poison = engine::assign_blame(region, nullptr, death);
  expect(region.taken() == before, "blame takes or gives slots");
  expect(poison.records.size() <= edge::suspects_max, "more poisoned records than suspects");
  for (std::uint32_t worker = 0; worker < workers; ++worker)
    expect(region.mark(worker).slot.load() == 0 && region.mark(worker).record == edge::no_record, "a mark stays up");
  for (std::uint32_t i = 0; i < edge::suspects_max; ++i)
    expect(region.suspect(i).record == edge::no_record || region.suspect(i).blame < edge::blame_max, "poison stays a suspect");
  for (const SlotId id : poison.messages) expect(region.length(id) != 0, "a free slot is poison");
}

// A new engine makes the region its own: every batch receives, wherever the headers pointed before.
void receive_again(SharedRegion& region) {
  for (const SlotId id : region.taken()) region.finish(id);
  expect(region.taken().empty(), "a finished slot is taken");
  int ends[2];
  expect(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0, "no socket pair");
  for (std::uint32_t worker = 0; worker < workers; ++worker)
    for (std::uint32_t batch = 0; batch < edge::batches_per_worker; ++batch) {
      expect(region.is_free(worker, batch), "a batch is not free");
      region.adopt(worker, batch);
      region.prepare(worker, batch, 0, 100);
      for (const std::string_view text : {"first", "the second one"})
        expect(send(ends[0], text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()), "cannot send");
      expect(recvmmsg(ends[1], region.headers(worker, batch), edge::batch_size, MSG_DONTWAIT, nullptr) == 2, "not received");
      const SlotId first{worker, batch * edge::batch_size}, second{worker, batch * edge::batch_size + 1};
      expect(region.bytes(first) == "first" && region.bytes(second) == "the second one", "received elsewhere");
      expect(region.taken() == std::vector<SlotId>{first, second}, "what is received is not taken");
      region.finish(first);
      region.finish(second);
    }
  close(ends[0]);
  close(ends[1]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Memory memory;
  fuzz::Input input(data, size);
  std::memcpy(memory.base, memory.pristine.data(), memory.head_bytes);
  const std::uint8_t mode = input.byte();
  if (mode & 8) {
    // A file of another size, or none at all.
    const int file = memfd_create("region", MFD_CLOEXEC);
    const std::string_view bytes = input.rest();
    expect(file >= 0 && write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "cannot write");
    expect(!SharedRegion::map(file).has_value(), "a file of this size is taken for a region");
    return 0;
  }
  patch(input, memory);
  const auto region = SharedRegion::map(dup(memory.owner->descriptor()));
  if (!region) return 0;
  look(**region);
  blame(**region, static_cast<edge::Death>(mode % 5));
  look(**region);
  if (mode & 32) receive_again(**region);
  return 0;
}

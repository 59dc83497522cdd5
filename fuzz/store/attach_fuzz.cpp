// A state file that is damaged, or was never one: it is refused or attached, what is left of it can be used, and nothing crashes.
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "store/store.hpp"
#include "store/superblock.hpp"

namespace {

using namespace perdure;
using namespace perdure::store;
using fuzz::expect;

constexpr std::size_t image_bytes = 96 * 1024;
using Image = std::vector<std::uint64_t>;

struct TestRecord {
  static constexpr Kind kind = Kind::Transaction;
  static constexpr std::uint16_t layout = 1;
  std::uint64_t number = 0;
  BlobRef first, second;
  char filler[40] = {};

  template <class F>
  void for_each_blob(F&& f) const {
    if (first) f(first);
    if (second) f(second);
  }
};

Options options() {
  Options result;
  result.partitions = 2;
  result.extent_bytes = 4096;
  result.boot_id = 7;
  result.secret = 99;
  result.kinds = {kind_info<TestRecord>()};
  return result;
}

char* bytes_of(Image& image) {
  return reinterpret_cast<char*>(image.data());
}

bool add(Partition& partition, std::size_t size) {
  const RecordId id = partition.reserve<TestRecord>();
  if (id == RecordId::none) return false;
  TestRecord record;
  record.number = size;
  record.first = partition.write(std::string(size, 'a'));
  record.second = partition.write(std::string(size / 3 + 1, 'b'));
  partition.create(id, record);
  return true;
}

// A store with records of several sizes, some of them changed, some erased.
Image make_image() {
  Image image(image_bytes / 8);
  const auto store = Store::attach_memory(bytes_of(image), image_bytes, options());
  expect(store.has_value(), "a blank image is refused");
  for (std::uint32_t i = 0; i < (*store)->partition_count(); ++i) {
    Partition& partition = (*store)->partition(i);
    for (const std::size_t size : {10, 500, 3000, 90, 40}) expect(add(partition, size), "no room in a new store");
    partition.for_each<TestRecord>([&](RecordId id, const TestRecord& record) {
      if (record.number == 90) partition.erase<TestRecord>(id);
      if (record.number != 500) return;
      TestRecord changed = record;
      changed.first = partition.write("changed");
      partition.commit(id, changed);
    });
    partition.reclaim();
  }
  return image;
}

void patch(fuzz::Input& input, Image& image) {
  while (!input.empty()) {
    const std::uint8_t where = input.byte();
    std::size_t offset = input.below(1U << 16) * 2 % image_bytes;
    // Where damage matters most: superblock and extent table, then the beginnings of the extents.
    if (where & 1) offset %= 512 * 8;
    if (where & 2) offset = superblock_bytes + offset % 256;
    if (where & 4) offset = offset / 4096 * 4096 + offset % 32;
    const std::string_view bytes = input.take(1 + (where >> 4) % 8);
    std::memcpy(bytes_of(image) + offset, bytes.data(), std::min(bytes.size(), image_bytes - offset));
  }
}

// A superblock that is refused for its checksum alone would hide everything behind it.
void seal(Image& image) {
  Superblock block;
  std::memcpy(static_cast<void*>(&block), image.data(), sizeof block);
  block.magic = magic;
  block.checksum = superblock_checksum(block);
  std::memcpy(image.data(), &block, sizeof block);
}

void use(Store& store) {
  std::uint64_t found = 0;
  for (std::uint32_t i = 0; i < store.partition_count(); ++i) {
    Partition& partition = store.partition(i);
    std::size_t turn = 0;
    partition.for_each<TestRecord>([&](RecordId id, const TestRecord& record) {
      ++found;
      expect(store.partition_of(id) == i, "a record in the partition of another");
      for (const BlobRef ref : {record.first, record.second})
        expect(!ref || partition.read(ref).size() == ref.size, "a blob of another size");
      TestRecord changed = record;
      changed.number = 77;
      changed.second = partition.write("another");
      switch (turn++ % 3) {
        case 0:
          partition.commit(id, changed);
          partition.mark_sent(id);
          break;
        case 1:
          partition.erase<TestRecord>(id);
          partition.abandon(changed.second);
          break;
        default:
          partition.abandon(changed.second);
      }
    });
    partition.reclaim();
    for (const std::size_t size : {5, 2000, 700}) (void)add(partition, size);
    partition.reclaim();
  }
  expect(found == store.attached().records, "another number of records than the attach counted");
  store.heartbeat(store.now(1'000'000), 1'000'000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Image sound = make_image();
  fuzz::Input input(data, size);
  const std::uint8_t mode = input.byte();
  Image image;
  if (mode & 1) {
    const std::string_view bytes = input.rest();
    image.resize((bytes.size() + 7) / 8);
    if (!bytes.empty()) std::memcpy(image.data(), bytes.data(), bytes.size());
  } else {
    image = sound;
    patch(input, image);
    if (mode & 2) seal(image);
  }
  // With the boot id of another boot, checksums are verified.
  Options with = options();
  if (mode & 4) with.boot_id = 8;
  std::uint64_t live = 0;
  {
    const auto store = Store::attach_memory(bytes_of(image), image.size() * 8, with);
    if (!store) return 0;
    use(**store);
    for (std::uint32_t i = 0; i < (*store)->partition_count(); ++i) live += (*store)->partition(i).record_count(Kind::Transaction);
  }
  // What was repaired stays repaired.
  const auto again = Store::attach_memory(bytes_of(image), image.size() * 8, with);
  expect(again.has_value() && (*again)->attached().records == live, "a store that was in use does not attach again as it was");
  return 0;
}

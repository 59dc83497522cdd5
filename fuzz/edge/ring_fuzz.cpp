// A ring with any bytes in it, as a process that went wrong leaves it: the other side stays inside, gives only entries that lie in the
// memory, comes to an end, and after that the ring carries messages again.
#include <sys/mman.h>

#include <cstring>

#include "edge/ring.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure;
using namespace perdure::edge;
using fuzz::expect;

constexpr std::uint64_t capacity = 4096;

struct Memory {
  // Between pages that nobody may touch.
  Memory() {
    constexpr std::size_t page = 4096;
    char* const base = static_cast<char*>(mmap(nullptr, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    expect(mprotect(base + page, capacity, PROT_READ | PROT_WRITE) == 0, "no memory");
    data = base + page;
  }
  RingControl control;
  char* data;
};

Entry sound_message(std::string_view bytes) {
  Entry entry;
  entry.address = *SocketAddress::parse("192.0.2.1", 5060);
  entry.bytes = bytes;
  return entry;
}

std::size_t look_at(const Entry& entry, const Memory& memory) {
  expect(entry.bytes.data() >= memory.data && entry.bytes.data() + entry.bytes.size() <= memory.data + capacity, "an entry outside");
  std::size_t sum = entry.address.text().size();
  for (const char byte : entry.bytes) sum += static_cast<unsigned char>(byte);
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Memory memory;
  fuzz::Input input(data, size);
  std::memset(memory.data, 0, capacity);
  memory.control.tail.store(0);
  memory.control.head.store(0);
  // Some sound entries to begin with, so that damage lies beside what is whole.
  const RingMemory ring{&memory.control, memory.data, capacity};
  RingProducer first(ring);
  for (int i = input.byte() % 8; i > 0; --i) (void)first.append(sound_message(std::string_view("0123456789", input.byte() % 10)));
  first.publish();
  for (int i = input.byte() % 16; i > 0 && !input.empty(); --i) {
    const std::size_t at = input.below(capacity - 8);
    const std::string_view bytes = input.take(1 + input.byte() % 8);
    std::memcpy(memory.data + (i & 1 ? at / 64 * 64 : at), bytes.data(), bytes.size());
  }
  std::uint64_t words[2] = {memory.control.tail.load(), memory.control.head.load()};
  const std::uint8_t which = input.byte();
  for (int i = 0; i < 2; ++i)
    if (which & (1 << i)) {
      const std::string_view bytes = input.take(8);
      std::memcpy(&words[i], bytes.data(), bytes.size());
      (i == 0 ? memory.control.tail : memory.control.head).store(words[i]);
    }

  RingConsumer consumer(ring);
  std::size_t sum = 0, count = 0;
  for (const auto& [position, entry] : consumer.waiting()) {
    sum += look_at(entry, memory);
    const auto found = consumer.find(position);
    expect(found && found->bytes == entry.bytes, "an entry that waits is not found");
    if (which & 4) consumer.set_blame(position, 3);
    if (which & 8) consumer.discard(position);
  }
  while (const auto entry = consumer.next()) {
    sum += look_at(*entry, memory);
    expect(++count <= capacity / ring_alignment, "more entries than fit");
  }
  consumer.release();
  expect(sum < SIZE_MAX, "");

  RingProducer next(ring);
  for (int i = 0; i < 3; ++i) {
    (void)next.append(sound_message("on the way back"));
    next.publish();
    while (consumer.next()) {
    }
    consumer.release();
  }
  for (int i = 0; i < 100; ++i) {
    const std::string_view text = std::string_view("carried again").substr(static_cast<std::size_t>(i) % 13);
    expect(next.append(sound_message(text)), "no room in an empty ring");
    next.publish();
    const auto entry = consumer.next();
    expect(entry && entry->bytes == text, "a sound message does not arrive");
    consumer.release();
  }
  return 0;
}

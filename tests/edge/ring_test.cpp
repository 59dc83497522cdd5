#include "edge/ring.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "edge/ring_region.hpp"

namespace perdure::edge {
namespace {

constexpr std::uint64_t capacity = 4096;

struct Memory {
  Memory() {
    void* const base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    control = new (base) RingControl;
    data = static_cast<char*>(base) + 4096;
  }
  ~Memory() { munmap(control, size); }
  [[nodiscard]] RingMemory ring() const { return {control, data, capacity}; }
  static constexpr std::size_t size = 4096 + capacity;
  RingControl* control;
  char* data;
};

Entry message(std::string_view bytes, std::uint64_t connection = 7) {
  Entry entry;
  entry.connection = connection;
  entry.socket = 3;
  entry.address = *SocketAddress::parse("192.0.2.1", 5060);
  entry.bytes = bytes;
  return entry;
}

// The other side may need this processor.
void pause_a_moment() {
  std::this_thread::sleep_for(std::chrono::microseconds(20));
}

TEST(Ring, GivesWhatWasPublishedInOrder) {
  const Memory memory;
  RingProducer producer(memory.ring());
  RingConsumer consumer(memory.ring());
  ASSERT_TRUE(producer.append(message("first", 1)));
  EXPECT_FALSE(consumer.next()) << "it is not published";
  ASSERT_TRUE(producer.append(message("", 2)));
  producer.publish();
  const auto first = consumer.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes, "first");
  EXPECT_EQ(first->connection, 1U);
  EXPECT_EQ(first->socket, 3U);
  EXPECT_EQ(first->address.text(), "192.0.2.1:5060");
  const auto second = consumer.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->bytes, "");
  EXPECT_FALSE(consumer.next());
}

TEST(Ring, TellsHowLongAMessageHasWaited) {
  const Memory memory;
  RingProducer producer(memory.ring());
  RingConsumer consumer(memory.ring());
  for (const char* text : {"one", "of an older program", "of tomorrow"}) ASSERT_TRUE(producer.append(message(text)));
  producer.publish();
  const auto header_of = [&](int entry) { return reinterpret_cast<EntryHeader*>(memory.data + (entry * 2 * ring_alignment)); };
  header_of(1)->appended_ns = 0;
  header_of(2)->appended_ns += 3'600'000'000'000;
  pause_a_moment();
  const auto waited = waited_ns(*consumer.next());
  ASSERT_TRUE(waited);
  EXPECT_GE(*waited, 20'000U);
  EXPECT_LT(*waited, 60'000'000'000U);
  EXPECT_FALSE(waited_ns(*consumer.next()));
  EXPECT_FALSE(waited_ns(*consumer.next())) << "a dead engine may have written anything";
}

TEST(Ring, KeepsMessagesInOnePieceAroundTheEnd) {
  const Memory memory;
  RingProducer producer(memory.ring());
  RingConsumer consumer(memory.ring());
  for (int i = 0; i < 1000; ++i) {
    const std::string text(static_cast<std::size_t>(i * 37 % 1900), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(producer.append(message(text, static_cast<std::uint64_t>(i)))) << i;
    producer.publish();
    const auto entry = consumer.next();
    ASSERT_TRUE(entry) << i;
    EXPECT_EQ(entry->bytes, text) << i;
    consumer.release();
  }
}

TEST(Ring, HasNoRoomUntilSomethingIsReleased) {
  const Memory memory;
  RingProducer producer(memory.ring());
  RingConsumer consumer(memory.ring());
  const std::string text(1000, 'x');
  int count = 0;
  while (producer.append(message(text))) ++count;
  EXPECT_EQ(count, 3);
  producer.publish();
  ASSERT_TRUE(consumer.next());
  EXPECT_FALSE(producer.append(message(text))) << "taken is not released";
  consumer.release();
  EXPECT_TRUE(producer.append(message(text)));
  EXPECT_FALSE(producer.append(message(std::string(ring_message_bytes_max(capacity) + 1, 'x')))) << "longer than ever fits";
}

TEST(Ring, TheNextConsumerBeginsWithWhatIsNotReleased) {
  const Memory memory;
  RingProducer producer(memory.ring());
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(producer.append(message(text)));
  producer.publish();
  {
    RingConsumer dead(memory.ring());
    ASSERT_TRUE(dead.next());
    dead.release();
    ASSERT_TRUE(dead.next());
  }
  RingConsumer next(memory.ring());
  EXPECT_EQ(next.waiting().size(), 2U);
  EXPECT_EQ(next.next()->bytes, "two");
  EXPECT_EQ(next.next()->bytes, "three");
}

TEST(Ring, TheNextProducerForgetsWhatWasNotPublished) {
  const Memory memory;
  {
    RingProducer dead(memory.ring());
    ASSERT_TRUE(dead.append(message("published")));
    dead.publish();
    ASSERT_TRUE(dead.append(message("not published")));
  }
  RingProducer next(memory.ring());
  ASSERT_TRUE(next.append(message("of the next")));
  next.publish();
  RingConsumer consumer(memory.ring());
  EXPECT_EQ(consumer.next()->bytes, "published");
  EXPECT_EQ(consumer.next()->bytes, "of the next");
  EXPECT_FALSE(consumer.next());
}

TEST(Ring, BlameStaysAndPoisonIsTakenOut) {
  const Memory memory;
  RingProducer producer(memory.ring());
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(producer.append(message(text)));
  producer.publish();
  RingConsumer consumer(memory.ring());
  const auto waiting = consumer.waiting();
  ASSERT_EQ(waiting.size(), 3U);
  const auto suspect = waiting[1].first;
  EXPECT_FALSE(consumer.find(suspect + ring_alignment / 2)) << "somewhere inside";
  consumer.set_blame(suspect, 2);
  EXPECT_EQ(RingConsumer(memory.ring()).find(suspect)->blame, 2);
  consumer.discard(suspect);
  EXPECT_EQ(consumer.next()->bytes, "one");
  EXPECT_EQ(consumer.next()->bytes, "three");
}

// Whatever stands in the memory, the consumer stays inside, comes to an end, and the ring can be used again.
TEST(Ring, SkipsWhatMakesNoSense) {
  for (const std::uint32_t size : {0U, 1U, 63U, 65U, 64U * 100, 0xFFFFFFC0U}) {
    const Memory memory;
    RingProducer producer(memory.ring());
    ASSERT_TRUE(producer.append(message("damaged")));
    ASSERT_TRUE(producer.append(message("behind it")));
    producer.publish();
    reinterpret_cast<EntryHeader*>(memory.data)->size = size;
    RingConsumer consumer(memory.ring());
    EXPECT_FALSE(consumer.next()) << size;
    EXPECT_EQ(consumer.damages(), 1U) << size;
    consumer.release();
    ASSERT_TRUE(producer.append(message("sound")));
    producer.publish();
    EXPECT_EQ(consumer.next()->bytes, "sound");
  }
  for (const std::uint64_t tail : {std::uint64_t{1}, capacity + 64, UINT64_MAX, UINT64_MAX - 63}) {
    const Memory memory;
    RingProducer producer(memory.ring());
    memory.control->tail.store(tail);
    RingConsumer consumer(memory.ring());
    EXPECT_FALSE(consumer.next()) << tail;
    RingProducer next(memory.ring());
    // The consumer may need a look to find its way back.
    for (int i = 0; i < 3; ++i) {
      (void)next.append(message("sound"));
      next.publish();
      while (consumer.next()) consumer.release();
      consumer.release();
    }
    ASSERT_TRUE(next.append(message("last"))) << tail;
    next.publish();
    const auto last = consumer.next();
    ASSERT_TRUE(last) << tail;
    EXPECT_EQ(last->bytes, "last");
  }
}

TEST(Ring, TwoThreadsSeeTheSame) {
  const Memory memory;
  constexpr std::uint64_t count = 5000;
  std::thread writer([&] {
    RingProducer producer(memory.ring());
    for (std::uint64_t i = 1; i <= count;) {
      const std::string text(i % 700, static_cast<char>('a' + i % 26));
      if (producer.append(message(text, i)))
        ++i;
      else
        pause_a_moment();
      producer.publish();
    }
  });
  RingConsumer consumer(memory.ring());
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 1; i <= count;) {
    const auto entry = consumer.next();
    if (!entry) {
      pause_a_moment();
      continue;
    }
    wrong += entry->connection != i || entry->bytes != std::string(i % 700, static_cast<char>('a' + i % 26));
    consumer.release();
    ++i;
  }
  writer.join();
  EXPECT_EQ(wrong, 0U);
}

// Killed wherever it just is: what it had published is there, each once and in order, and its successor goes on.
TEST(Ring, AProducerMayDieAtAnyInstruction) {
  const Memory memory;
  RingConsumer consumer(memory.ring());
  std::uint64_t expected = 1, published = 0;
  for (int round = 0; round < 30; ++round) {
    const std::uint64_t first = expected;
    const pid_t child = fork();
    if (child == 0) {
      RingProducer producer(memory.ring());
      for (std::uint64_t i = first;; producer.publish())
        if (producer.append(message(std::string(i % 500, 'x'), i)))
          ++i;
        else
          pause_a_moment();
    }
    for (int taken = 0; taken < round * 10;) {
      const auto entry = consumer.next();
      if (!entry) {
        pause_a_moment();
        continue;
      }
      ASSERT_EQ(entry->connection, expected);
      ASSERT_EQ(entry->bytes.size(), expected % 500);
      ++expected, ++taken, ++published;
      consumer.release();
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (const auto entry = consumer.next()) {
      ASSERT_EQ(entry->connection, expected);
      ++expected;
      consumer.release();
    }
  }
  EXPECT_GT(published, 1000U);
  EXPECT_EQ(consumer.damages(), 0U);
}

// Killed wherever it just is: nothing is lost. What it had not released comes again, and nothing else.
TEST(Ring, AConsumerMayDieAtAnyInstruction) {
  const Memory memory;
  auto* const seen =
      static_cast<std::atomic<std::uint64_t>*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  RingProducer producer(memory.ring());
  std::uint64_t next = 1;
  for (int round = 0; round < 30; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      RingConsumer consumer(memory.ring());
      while (true) {
        const auto entry = consumer.next();
        if (!entry) {
          pause_a_moment();
          continue;
        }
        const std::uint64_t before = seen[0].load();
        // The effect is committed, then released: in between it may come once more.
        if (entry->connection > before + 1) seen[1].fetch_add(1);
        if (entry->connection < before) seen[2].fetch_add(1);
        seen[0].store(entry->connection);
        consumer.release();
      }
    }
    for (int i = 0; i < round * 10;)
      if (producer.append(message("text", next))) {
        ++next, ++i;
        producer.publish();
      } else {
        pause_a_moment();
      }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  RingConsumer last(memory.ring());
  for (std::uint64_t expected = seen[0].load();; ++expected) {
    const auto entry = last.next();
    if (!entry) break;
    EXPECT_LE(entry->connection, expected + 1);
    expected = std::max(expected, entry->connection) - 1;
    seen[0].store(entry->connection);
  }
  EXPECT_EQ(seen[0].load(), next - 1);
  EXPECT_EQ(seen[1].load(), 0U) << "messages were lost";
  EXPECT_EQ(seen[2].load(), 0U) << "messages came again that had been released";
  munmap(seen, 4096);
}

TEST(RingRegion, IsMappedAsItWasMade) {
  const auto region = RingRegion::create(2, 65536);
  ASSERT_TRUE(region);
  (*region)->set_partitions(64);
  RingProducer producer((*region)->inbound(1));
  ASSERT_TRUE(producer.append(message("for worker 1")));
  producer.publish();
  std::vector<int> copies;
  for (const int descriptor : (*region)->descriptors()) copies.push_back(dup(descriptor));
  const auto again = RingRegion::map(copies);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->worker_count(), 2U);
  EXPECT_EQ((*again)->partitions(), 64U);
  EXPECT_FALSE(RingConsumer((*again)->inbound(0)).next());
  EXPECT_FALSE(RingConsumer((*again)->outbound(1)).next());
  EXPECT_EQ(RingConsumer((*again)->inbound(1)).next()->bytes, "for worker 1");
  (*again)->set_partitions(0);
  EXPECT_EQ((*region)->partitions(), 1U) << "nonsense is not divided by";
}

TEST(RingRegion, RefusesWhatIsNone) {
  EXPECT_FALSE(RingRegion::create(0, 65536));
  EXPECT_FALSE(RingRegion::create(1, 65537));
  EXPECT_FALSE(RingRegion::map({memfd_create("empty", 0), dup(0), dup(0)}));
  const auto region = RingRegion::create(1, 65536);
  ASSERT_TRUE(region);
  std::vector<int> copies;
  for (const int descriptor : (*region)->descriptors()) copies.push_back(dup(descriptor));
  copies.push_back(dup(copies.back()));
  EXPECT_FALSE(RingRegion::map(copies)) << "rings of another number of workers";
}

}  // namespace
}  // namespace perdure::edge

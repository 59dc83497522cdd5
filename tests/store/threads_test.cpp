// Each partition has one owner; owners in different threads share the extents and the totals. Run it under the thread sanitizer.
#include <thread>

#include "base/random.hpp"
#include "store/file_fixture.hpp"

namespace perdure::store {
namespace {

class ThreadsTest : public FileTest {};

TEST_F(ThreadsTest, WorkersShareTheExtents) {
  constexpr std::uint32_t workers = 4;
  constexpr std::uint64_t rounds = 20000;
  options.partitions = workers;
  options.max_bytes = 4 << 20;
  options.durability = Durability::Host;
  options.sync_interval = 5ms;
  std::array<std::map<std::uint32_t, std::string>, workers> models;
  {
    auto store = open();
    const auto work = [&](std::uint32_t index) {
      Random random(index);
      Partition& partition = store->partition(index);
      auto& model = models[index];
      std::vector<RecordId> ids;
      for (std::uint64_t round = 0; round < rounds; ++round) {
        if (random.below(100) < 48 || ids.empty()) {
          const RecordId id = partition.reserve<TestHeader>();
          if (id == RecordId::none) continue;
          const std::string text(random.below(2000) + 1, static_cast<char>('a' + index));
          const BlobRef blob = partition.write(text);
          if (!blob) {
            partition.unreserve(id);
            continue;
          }
          partition.create(id, TestHeader{round, 2 * round, blob, {}, {}});
          partition.mark_sent(id);
          ids.push_back(id);
          model[id.value] = text;
        } else {
          const std::size_t at = random.below(ids.size());
          EXPECT_EQ(partition.read(partition.get<TestHeader>(ids[at]).first), model[ids[at].value]);
          partition.erase<TestHeader>(ids[at]);
          model.erase(ids[at].value);
          ids[at] = ids.back();
          ids.pop_back();
        }
        // Another worker's record, as a stray branch parameter names it.
        EXPECT_FALSE(partition.is_live<TestHeader>(RecordId{static_cast<std::uint32_t>(random.below(1 << 18))}) && ids.empty());
        partition.reclaim();
        if (round % 1000 == 0) {
          for (const RecordId id : ids) (void)store->partition_of(id);
          if (!ids.empty() && store->quarantine(ids.back(), "every thousandth")) {
            model.erase(ids.back().value);
            ids.pop_back();
          }
        }
      }
    };
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < workers; ++i) threads.emplace_back(work, i);
    for (int i = 0; i < 1000; ++i) {
      const Usage usage = store->usage();
      EXPECT_LE(usage.claimed_bytes, usage.max_bytes);
      (void)store->partition(i % workers).record_count(Kind::Transaction);
      (void)store->quarantined();
      store->heartbeat(Time(Duration(i)), i);
    }
  }
  auto store = open();
  EXPECT_EQ(store->attached().dropped, 0U);
  for (std::uint32_t i = 0; i < workers; ++i) {
    std::map<std::uint32_t, std::string> found;
    store->partition(i).for_each<TestHeader>(
        [&](RecordId id, const TestHeader& header) { found[id.value] = store->partition(i).read(header.first); });
    EXPECT_EQ(found, models[i]);
  }
}

// A large store is attached by several threads: the result is the same.
TEST_F(ThreadsTest, AttachByPartition) {
  options.extent_bytes = default_extent_bytes;
  options.partitions = 8;
  options.max_bytes = 256 << 20;
  std::map<std::uint64_t, std::string> expected;
  {
    auto store = open();
    for (std::uint64_t i = 0; i < 4000; ++i) add(*store, i, std::string(16000, static_cast<char>('a' + i % 26)));
    ASSERT_GT(store->usage().claimed_bytes, 2 * 128 * options.extent_bytes) << "enough for two threads";
    expected = contents(*store);
  }
  options.boot_id = 8;
  auto store = open();
  EXPECT_TRUE(store->was_verified());
  EXPECT_EQ(store->attached().records, 4000U);
  EXPECT_EQ(store->attached().dropped, 0U);
  EXPECT_EQ(contents(*store), expected);
}

}  // namespace
}  // namespace perdure::store

// A full store: new records are refused first, existing ones go on, and after it is drained everything is free again.
#include <vector>

#include "base/random.hpp"
#include "store/file_fixture.hpp"

namespace perdure::store {
namespace {

class FullTest : public FileTest {
 protected:
  FullTest() { options.path.clear(); }

  // Creates records until no more are taken; each with a blob of `blob_bytes`.
  static std::vector<RecordId> fill(Store& store, std::size_t blob_bytes) {
    std::vector<RecordId> ids;
    for (std::uint32_t index = 0; index < store.partition_count(); ++index) {
      Partition& partition = store.partition(index);
      for (;;) {
        const RecordId id = partition.reserve<TestHeader>();
        if (id == RecordId::none) break;
        const BlobRef blob = partition.write(std::string(blob_bytes, 'i'));
        if (!blob) {
          partition.unreserve(id);
          break;
        }
        partition.create(id, TestHeader{ids.size(), 2 * ids.size(), blob, {}, {}});
        ids.push_back(id);
      }
    }
    return ids;
  }
  static Partition& owner(Store& store, RecordId id) { return store.partition(*store.partition_of(id)); }
  static void drain(Store& store, const std::vector<RecordId>& ids) {
    for (const RecordId id : ids) {
      owner(store, id).erase<TestHeader>(id);
      owner(store, id).reclaim();
    }
  }
};

TEST_F(FullTest, WhenNewRecordsAreRefusedExistingOnesStillGrow) {
  auto store = open();
  const auto ids = fill(*store, 1000);
  ASSERT_GT(ids.size(), 50U);
  EXPECT_LE(store->usage().claimed_bytes, store->usage().max_bytes / 4 * 3 + 2 * options.extent_bytes);
  // Each gets a response of a third of its request.
  for (const RecordId id : ids) {
    TestHeader header = owner(*store, id).get<TestHeader>(id);
    header.second = owner(*store, id).write(std::string(250, 'r'));
    ASSERT_TRUE(header.second);
    owner(*store, id).commit(id, header);
  }
  EXPECT_EQ(store->partition(0).reserve<TestHeader>(), RecordId::none);
}

TEST_F(FullTest, ToTheLastByteNothingBreaks) {
  auto store = open();
  const auto ids = fill(*store, 300);
  std::size_t grown = 0;
  for (const RecordId id : ids) {
    Partition& partition = owner(*store, id);
    TestHeader header = partition.get<TestHeader>(id);
    header.second = partition.write(std::string(3000, 'r'));
    if (!header.second) break;
    partition.commit(id, header);
    ++grown;
  }
  EXPECT_LT(grown, ids.size());
  EXPECT_FALSE(owner(*store, ids[0]).write(std::string(3000, 'r')));
  // A commit that needs no more room is still possible.
  TestHeader header = owner(*store, ids.back()).get<TestHeader>(ids.back());
  header.number = 77;
  owner(*store, ids.back()).commit(ids.back(), header);
  EXPECT_EQ(owner(*store, ids.back()).get<TestHeader>(ids.back()).number, 77U);
  drain(*store, ids);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

// What small records have used can be used by large blobs afterwards, and the other way round, for ever.
TEST_F(FullTest, WhatIsDrainedIsFreeForEverything) {
  auto store = open();
  std::map<std::size_t, std::size_t> first;
  for (int round = 0; round < 30; ++round)
    for (const std::size_t size : {10, 60, 300, 1000, 2500, 4000}) {
      const auto ids = fill(*store, size);
      const auto& expected = first.try_emplace(size, ids.size()).first->second;
      // Of each size one empty extent may stay with each partition until reclaim() finds the store short of room.
      ASSERT_GT(ids.size() * 10, expected * 7) << "size " << size << " round " << round;
      drain(*store, ids);
      ASSERT_EQ(store->usage().used_bytes, 0U);
      ASSERT_LT(store->usage().claimed_bytes, 16 * 4096U);
    }
}

// Each partition keeps an empty extent of every size that it has used. When another finds no room they are what it needs.
TEST_F(FullTest, EmptyExtentsGoToWhoNeedsThem) {
  options.max_bytes = 256 * 1024;
  const auto write_all = [](Partition& partition, std::size_t size) {
    std::vector<BlobRef> blobs;
    while (const BlobRef blob = partition.write(std::string(size, 'x'))) blobs.push_back(blob);
    return blobs;
  };
  const auto give_back = [](Partition& partition, const std::vector<BlobRef>& blobs) {
    for (const BlobRef blob : blobs) partition.abandon(blob);
    partition.reclaim();
  };
  const std::size_t all = write_all(open()->partition(0), 4000).size();
  auto store = open();
  Partition& first = store->partition(0);
  Partition& second = store->partition(1);
  for (std::size_t size = 40; size < 2000; size += 64) give_back(first, {first.write(std::string(size, 'x'))});
  const RecordId id = first.reserve<TestHeader>();
  ASSERT_NE(id, RecordId::none);
  first.create(id, TestHeader{});
  first.erase<TestHeader>(id);
  first.reclaim();
  const auto held = store->usage().claimed_bytes / options.extent_bytes;
  ASSERT_GT(held, 20U);
  // The same partition at once, but for the extent of records.
  auto blobs = write_all(first, 4000);
  EXPECT_EQ(blobs.size(), all - 1);
  first.reclaim();
  EXPECT_TRUE(first.write(std::string(4000, 'x')));
  give_back(first, blobs);

  for (std::size_t size = 40; size < 2000; size += 64) give_back(first, {first.write(std::string(size, 'x'))});
  // Another partition after the next reclaim() of the one that holds them.
  blobs = write_all(second, 4000);
  EXPECT_LT(blobs.size(), all - 20);
  first.reclaim();
  const auto more = write_all(second, 4000);
  EXPECT_EQ(blobs.size() + more.size(), all - 1);
}

// An extent of blobs that becomes one of records has no record in it, whatever the blobs said.
TEST_F(FullTest, OldBytesAreNoRecords) {
  std::vector<std::uint64_t> memory(32 * 1024);
  const auto attach = [&] { return std::move(*Store::attach_memory(reinterpret_cast<char*>(memory.data()), memory.size() * 8, options)); };
  auto store = attach();
  // Blobs full of bytes that would be live selectors.
  Partition& partition = store->partition(0);
  std::vector<BlobRef> blobs;
  while (const BlobRef blob = partition.write(std::string(500, '\x01'))) blobs.push_back(blob);
  for (const BlobRef blob : blobs) partition.abandon(blob);
  partition.reclaim();
  std::size_t records = 0;
  while (partition.record_count(Kind::Transaction) < 60) {
    const RecordId id = partition.reserve<TestHeader>();
    ASSERT_NE(id, RecordId::none);
    EXPECT_EQ(partition.sequence(id), 0U);
    EXPECT_EQ(partition.sent_sequence(id), 0U);
    partition.create(id, TestHeader{});
    ++records;
  }
  store = attach();
  EXPECT_EQ(store->attached().records, records);
  EXPECT_EQ(store->attached().dropped, 0U);
}

TEST_F(FullTest, BlobsOfEverySize) {
  options.extent_bytes = default_extent_bytes;
  options.max_bytes = 64 << 20;
  auto store = open();
  Partition& partition = store->partition(0);
  for (std::size_t size = 1; size <= default_extent_bytes; size = size < 5000 ? size + 37 : size * 5 / 4) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + size);
    const BlobRef blob = partition.write(text);
    ASSERT_EQ(static_cast<bool>(blob), size + sizeof(BlobPrefix) <= default_extent_bytes) << size;
    if (blob) {
      ASSERT_EQ(partition.read(blob), text);
      ASSERT_LE(blob_slot_bytes(static_cast<std::uint32_t>(size), default_extent_bytes),
                size + sizeof(BlobPrefix) + std::max<std::size_t>(64, size / 4 + 512));
    }
  }
  EXPECT_FALSE(partition.write(std::string(default_extent_bytes - 7, 'x')));
  EXPECT_TRUE(partition.write(std::string(default_extent_bytes - 8, 'x')));
  EXPECT_FALSE(partition.write(""));
  EXPECT_EQ(partition.read({}), "");
}

// A blob is readable until reclaim(), even when a commit has dropped it: its bytes may be on their way to a socket.
TEST_F(FullTest, DroppedBlobsStayUntilReclaim) {
  auto store = open();
  Partition& partition = store->partition(0);
  const RecordId id = partition.reserve<TestHeader>();
  const BlobRef first = partition.write("first"), second = partition.write("second");
  partition.create(id, TestHeader{1, 2, first, second, {}});
  const auto used = store->usage().used_bytes;
  partition.commit(id, TestHeader{2, 4, first, {}, {}});
  EXPECT_EQ(partition.read(second), "second");
  EXPECT_NE(partition.write("other"), second);
  EXPECT_EQ(partition.read(second), "second");
  EXPECT_EQ(store->usage().used_bytes, used + 64);
  partition.reclaim();
  EXPECT_EQ(store->usage().used_bytes, used);
  EXPECT_EQ(partition.read(partition.get<TestHeader>(id).first), "first") << "what is still referred to stays";
  partition.erase<TestHeader>(id);
  EXPECT_EQ(partition.read(first), "first");
  partition.reclaim();
  EXPECT_EQ(store->usage().used_bytes, 64U) << "only the other is left";
}

}  // namespace
}  // namespace perdure::store

// Memory that is damaged or made by an enemy: it is refused with a text, or its records are dropped and counted; never worse.
#include <gtest/gtest.h>

#include "base/checksum.hpp"
#include "base/random.hpp"
#include "store/record_types.hpp"

namespace perdure::store {
namespace {

using Memory = std::vector<std::uint64_t>;
char* bytes_of(Memory& memory) {
  return reinterpret_cast<char*>(memory.data());
}
Result<std::unique_ptr<Store>> attach(Memory& memory, const Options& options) {
  return Store::attach_memory(bytes_of(memory), memory.size() * 8, options);
}

// Uses everything that is offered, as an engine would.
void work_with(Store& store) {
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < store.partition_count(); ++i) {
    Partition& partition = store.partition(i);
    std::vector<RecordId> ids;
    partition.for_each<TestHeader>([&](RecordId id, const TestHeader& header) {
      for (const BlobRef blob : {header.first, header.second})
        for (const char c : partition.read(blob)) seen += static_cast<unsigned char>(c);
      ids.push_back(id);
    });
    ASSERT_EQ(ids.size(), partition.record_count(Kind::Transaction));
    for (std::size_t n = 0; n < ids.size(); ++n) {
      TestHeader header = partition.get<TestHeader>(ids[n]);
      header.second = partition.write("new");
      if (n % 2)
        partition.commit(ids[n], header);
      else {
        partition.abandon(header.second);
        partition.erase<TestHeader>(ids[n]);
      }
      partition.reclaim();
    }
    if (const RecordId id = partition.reserve<TestHeader>(); id != RecordId::none) {
      partition.create(id, TestHeader{1, 2, partition.write("fresh"), {}, {}});
      ASSERT_TRUE(partition.is_live<TestHeader>(id));
    }
  }
  volatile std::uint64_t sink = seen;
  (void)sink;
}

Memory small_store(std::size_t records = 6, std::uint64_t memory_bytes = 128 * 1024) {
  Memory memory(memory_bytes / 8);
  auto store = std::move(*attach(memory, test_options()));
  for (std::size_t i = 0; i < records; ++i) {
    Partition& partition = store->partition(i % 2);
    const RecordId id = partition.reserve<TestHeader>();
    const TestHeader header{i, 2 * i, partition.write("first"), partition.write(std::string(100 * i, 's')), {}};
    partition.create(id, header);
    partition.commit(id, header);
  }
  return memory;
}

// Each bit of superblock and extent table, and of every claimed extent.
TEST(Hostile, EverySingleBit) {
  const Memory good = small_store();
  Superblock block;
  std::memcpy(static_cast<void*>(&block), good.data(), sizeof block);
  const std::uint64_t table_end = superblock_bytes + 8 * std::uint64_t{block.extent_count};
  const std::uint64_t data = (table_end + 4095) / 4096 * 4096;
  std::uint64_t claimed_end = data;
  for (std::uint32_t i = 0; i < block.extent_count; ++i)
    if (good[superblock_bytes / 8 + i] != 0) claimed_end = data + (i + 1) * 4096;
  std::uint64_t refused = 0, dropped = 0, untouched = 0;
  for (const bool verify : {false, true}) {
    Options options = test_options();
    if (verify) options.boot_id = 8;
    Memory memory;
    // In the extents every third bit: what is between is more of the same.
    for (std::uint64_t bit = 0; bit < claimed_end * 8; bit += bit < table_end * 8 ? 1 : 3) {
      if (bit == sizeof(Superblock) * 8) bit = superblock_bytes * 8;  // nothing is stored between
      if (bit == table_end * 8) bit = data * 8;
      if (bit >= data * 8 && good[bit / 64] == 0 && bit % 64 != 0) continue;  // of unused words one bit is enough
      memory = good;
      memory[bit / 64] ^= std::uint64_t{1} << bit % 64;
      auto store = attach(memory, options);
      if (!store) {
        ++refused;
        ASSERT_FALSE(store.error().message.empty());
        ASSERT_LT(bit, table_end * 8) << "a record is never a reason to refuse the others";
        ASSERT_EQ(memory[bit / 64] ^ (std::uint64_t{1} << bit % 64), good[bit / 64]) << "left as it is";
        continue;
      }
      ASSERT_LE((*store)->attached().records, 7U);
      ++((*store)->attached().dropped ? dropped : untouched);
      if (verify && (*store)->attached().dropped == 0)
        for (std::uint32_t i = 0; i < 2; ++i)
          (*store)->partition(i).for_each<TestHeader>([&](RecordId, const TestHeader& header) {
            ASSERT_EQ(header.twice, 2 * header.number);
            ASSERT_EQ((*store)->partition(i).read(header.first), "first");
            ASSERT_EQ((*store)->partition(i).read(header.second), std::string(100 * header.number, 's'));
          });
      work_with(**store);
    }
  }
  EXPECT_GT(refused, 500U);
  EXPECT_GT(dropped, 500U);
  EXPECT_GT(untouched, 500U);
}

TEST(Hostile, RandomMutations) {
  Random random(5);
  const Memory good = small_store(40, 256 * 1024);
  const std::uint64_t words = 40 * 1024 / 8;  // superblock, table, the extents in use
  std::uint64_t refused = 0, dropped = 0;
  for (int round = 0; round < 20000; ++round) {
    Memory memory = good;
    for (std::uint64_t changes = random.below(20) + 1; changes > 0; --changes) {
      const std::uint64_t word = random.below(words);
      switch (random.below(5)) {
        case 0:
          memory[word] = random.next();
          break;
        case 1:
          memory[word] ^= std::uint64_t{1} << random.below(64);
          break;
        case 2:
          memory[word] = memory[random.below(words)];
          break;
        case 3:
          memory[word] = random.below(3) ? UINT64_MAX : 0;
          break;
        default:
          memory[word] += random.below(200) - 100;
          break;
      }
    }
    if (random.below(2)) {  // an enemy knows how to make the checksum
      auto* block = reinterpret_cast<Superblock*>(memory.data());
      block->magic = magic;
      block->version = format_version;
      block->checksum = 0;
      block->checksum = checksum(block, offsetof(Superblock, boot_id));
    }
    auto store = attach(memory, test_options());
    if (!store) {
      ++refused;
      continue;
    }
    dropped += (*store)->attached().dropped > 0;
    work_with(**store);
    if (testing::Test::HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(dropped, 1000U);
}

TEST(Hostile, RandomBytes) {
  Random random(6);
  for (int round = 0; round < 2000; ++round) {
    Memory memory(8 * 1024);
    for (auto& word : memory) word = random.next();
    EXPECT_FALSE(attach(memory, test_options()).has_value());
    // Behind a superblock and a table that are right.
    const Memory good = small_store(6, 64 * 1024);
    std::copy_n(good.begin(), 4096 / 8 + 64, memory.begin());
    auto store = attach(memory, test_options());
    ASSERT_TRUE(store.has_value()) << store.error().message;
    work_with(**store);
  }
}

TEST(Hostile, TooShort) {
  Memory memory(8 * 1024);
  for (std::uint64_t size = 0; size < 3 * 4096 + 64; size += 8) {
    std::ranges::fill(memory, 0);
    auto store = Store::attach_memory(bytes_of(memory), size, test_options());
    EXPECT_EQ(store.has_value(), size >= 3 * 4096) << size;  // superblock, table, one extent
  }
}

// Ids come in from the network as parts of branch parameters.
TEST(Hostile, AnyRecordId) {
  Memory memory = small_store();
  auto store = std::move(*attach(memory, test_options()));
  Random random(7);
  std::uint64_t live = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const RecordId id{i < 16384 ? static_cast<std::uint32_t>(i) : static_cast<std::uint32_t>(random.next())};
    const auto owner = store->partition_of(id);
    for (std::uint32_t p = 0; p < 2; ++p) {
      const bool there = store->partition(p).is_live<TestHeader>(id);
      if (there) {
        EXPECT_EQ(owner, p);
      }
      live += there;
    }
  }
  EXPECT_EQ(live, 6U);
}

}  // namespace
}  // namespace perdure::store

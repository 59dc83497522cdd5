// A new binary reads the records of the previous layout; every write of that is cut.
#include <gtest/gtest.h>

#include <map>

#include "store/record_types.hpp"

namespace perdure::store {
namespace {

using Memory = std::vector<std::uint64_t>;

// The next layout of TestHeader: larger, a blob dropped, another one rewritten.
struct NextHeader {
  using Previous = TestHeader;
  static constexpr Kind kind = Kind::Transaction;
  static constexpr std::uint16_t layout = 2;
  std::uint64_t number = 0;
  std::uint64_t thrice = 0;
  BlobRef first, copy;
  char filler[304] = {};  // no padding: tests compare the bytes

  template <class F>
  void for_each_blob(F&& f) const {
    if (first) f(first);
    if (copy) f(copy);
  }
  static bool upgrade(const TestHeader& from, NextHeader& to, Partition& partition) {
    if (from.number == unwanted) return false;
    to.number = from.number;
    to.thrice = 3 * from.number;
    to.first = from.first;
    if (!from.second) return true;
    to.copy = partition.write(std::string(partition.read(from.second)) + "!");
    return static_cast<bool>(to.copy);
  }
  static constexpr std::uint64_t unwanted = 666;
};

// And the one after it: smaller than both.
struct LastHeader {
  using Previous = NextHeader;
  static constexpr Kind kind = Kind::Transaction;
  static constexpr std::uint16_t layout = 3;
  std::uint64_t number = 0;
  BlobRef first, copy;

  template <class F>
  void for_each_blob(F&& f) const {
    if (first) f(first);
    if (copy) f(copy);
  }
  static bool upgrade(const NextHeader& from, LastHeader& to, Partition&) {
    to = {from.number, from.first, from.copy};
    return true;
  }
};

template <class Header>
Options options_of() {
  Options options = test_options();
  options.kinds = {kind_info<Header>()};
  return options;
}

template <class Header>
Result<std::unique_ptr<Store>> attach(Memory& memory, WriteObserver* observer = nullptr) {
  return Store::attach_memory(reinterpret_cast<char*>(memory.data()), memory.size() * 8, options_of<Header>(), observer);
}

// number, first and second or copy, sent?
using Model = std::map<std::uint32_t, std::tuple<std::uint64_t, std::string, std::string, bool>>;

template <class Header>
Model read_all(Store& store) {
  Model model;
  for (std::uint32_t i = 0; i < store.partition_count(); ++i) {
    Partition& partition = store.partition(i);
    partition.for_each<Header>([&](RecordId id, const Header& header) {
      EXPECT_EQ(store.partition_of(id), i);
      const bool sent = partition.sent_sequence(id) >= partition.sequence(id);
      std::string second;
      if constexpr (std::is_same_v<Header, TestHeader>)
        second = partition.read(header.second);
      else
        second = partition.read(header.copy);
      model[id.value] = {header.number, std::string(partition.read(header.first)), second, sent};
    });
  }
  return model;
}

std::uint64_t bytes_of(const Model& model, std::uint64_t per_record) {
  std::uint64_t bytes = 0;
  for (const auto& [id, state] : model) {
    bytes += per_record;
    for (const auto* text : {&std::get<1>(state), &std::get<2>(state)})
      if (!text->empty()) bytes += blob_slot_bytes(static_cast<std::uint32_t>(text->size()), 4096);
  }
  return bytes;
}

constexpr std::uint64_t first_slot = record_slot_bytes(sizeof(TestHeader)), next_slot = record_slot_bytes(sizeof(NextHeader)),
                        last_slot = record_slot_bytes(sizeof(LastHeader));

class UpgradeTest : public testing::Test {
 protected:
  // Records of the first layout, some changed, some erased, half of them sent.
  void fill(std::size_t count) {
    auto store = std::move(*attach<TestHeader>(memory_));
    for (std::size_t i = 0; i < count; ++i) {
      Partition& partition = store->partition(i % 2);
      const RecordId id = partition.reserve<TestHeader>();
      ASSERT_NE(id, RecordId::none);
      TestHeader header{
          i, 2 * i, partition.write("first " + std::to_string(i)), i % 3 ? partition.write(std::string(100 + 10 * i, 's')) : BlobRef{}, {}};
      partition.create(id, header);
      if (i % 4 == 0) partition.commit(id, header);
      if (i % 2 == 0) partition.mark_sent(id);
      if (i % 7 == 3) partition.erase<TestHeader>(id);
      partition.reclaim();
    }
    before_ = read_all<TestHeader>(*store);
    for (auto [id, state] : before_) {
      if (!std::get<2>(state).empty()) std::get<2>(state) += "!";
      after_[id] = state;
    }
  }
  Memory memory_ = Memory(48 * 1024);
  Model before_, after_;
};

TEST_F(UpgradeTest, RecordsKeepTheirIdsBlobsAndMarks) {
  fill(40);
  auto store = attach<NextHeader>(memory_);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->attached().records, before_.size());
  EXPECT_EQ((*store)->attached().upgraded, before_.size());
  EXPECT_EQ((*store)->attached().dropped, 0U);
  EXPECT_EQ(read_all<NextHeader>(**store), after_);
  EXPECT_EQ((*store)->usage().used_bytes, bytes_of(after_, first_slot + next_slot)) << "the old second blobs are free";
  // Once is enough.
  store->reset();
  store = attach<NextHeader>(memory_);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->attached().upgraded, 0U);
  EXPECT_EQ(read_all<NextHeader>(**store), after_);
}

TEST_F(UpgradeTest, WorkGoesOnUntilTheOldExtentsAreEmptyAndGivenBack) {
  fill(40);
  auto store = std::move(*attach<NextHeader>(memory_));
  Model model = after_;
  for (const auto& [value, state] : after_) {
    const RecordId id{value};
    Partition& partition = store->partition(*store->partition_of(id));
    NextHeader header = partition.get<NextHeader>(id);
    header.number += 1000;
    header.copy = partition.write("changed");
    const std::uint64_t sequence = partition.sequence(id);
    partition.commit(id, header);
    EXPECT_EQ(partition.sequence(id), sequence + 1);
    partition.mark_sent(id);
    partition.reclaim();
    std::get<0>(model[value]) = header.number;
    std::get<2>(model[value]) = "changed";
    std::get<3>(model[value]) = true;
  }
  EXPECT_EQ(read_all<NextHeader>(*store), model);
  // A new record goes among those of the new layout.
  const RecordId fresh = store->partition(0).reserve<NextHeader>();
  store->partition(0).create(fresh, NextHeader{5, 15, {}, {}, {}});
  model[fresh.value] = {5, "", "", false};
  store.reset();
  store = std::move(*attach<NextHeader>(memory_));
  EXPECT_EQ(read_all<NextHeader>(*store), model);
  for (const auto& [value, state] : model) {
    Partition& partition = store->partition(*store->partition_of(RecordId{value}));
    partition.erase<NextHeader>(RecordId{value});
    EXPECT_FALSE(partition.is_live<NextHeader>(RecordId{value}));
    partition.reclaim();
  }
  EXPECT_EQ(store->usage().used_bytes, 0U);
  store.reset();
  store = std::move(*attach<NextHeader>(memory_));
  EXPECT_EQ(store->usage().claimed_bytes, 0U);
}

TEST_F(UpgradeTest, TwiceThroughTheSameForward) {
  fill(40);
  ASSERT_TRUE(attach<NextHeader>(memory_).has_value());
  auto store = attach<LastHeader>(memory_);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->attached().upgraded, after_.size());
  EXPECT_EQ(read_all<LastHeader>(**store), after_);
  EXPECT_EQ((*store)->usage().used_bytes, bytes_of(after_, first_slot + last_slot)) << "nothing is left in the layout between";
}

TEST_F(UpgradeTest, ARecordThatCannotBeUpgradedIsDroppedWithItsBlobs) {
  fill(8);
  {
    auto store = std::move(*attach<TestHeader>(memory_));
    const RecordId id{before_.begin()->first};
    Partition& partition = store->partition(*store->partition_of(id));
    TestHeader header = partition.get<TestHeader>(id);
    header.number = NextHeader::unwanted;
    partition.commit(id, header);
  }
  auto store = std::move(*attach<NextHeader>(memory_));
  after_.erase(after_.begin());
  EXPECT_EQ(store->attached().dropped, 1U);
  EXPECT_EQ(store->attached().records, after_.size());
  EXPECT_EQ(read_all<NextHeader>(*store), after_);
  EXPECT_EQ(store->usage().used_bytes, bytes_of(after_, first_slot + next_slot));
}

TEST_F(UpgradeTest, AnUpgradedRecordCanGoToQuarantine) {
  fill(8);
  auto store = std::move(*attach<NextHeader>(memory_));
  const RecordId id{after_.begin()->first};
  EXPECT_TRUE(store->quarantine(id, "test"));
  EXPECT_FALSE(store->quarantine(id, "test"));
  after_.erase(id.value);
  for (std::uint32_t i = 0; i < 2; ++i) store->partition(i).reclaim();
  EXPECT_EQ(read_all<NextHeader>(*store), after_);
  EXPECT_EQ(store->usage().used_bytes, bytes_of(after_, first_slot + next_slot));
}

TEST_F(UpgradeTest, OtherLayoutsAreRefusedAndTheFileIsLeftAsItIs) {
  fill(8);
  const Memory first = memory_;
  const auto too_old = attach<LastHeader>(memory_);
  ASSERT_FALSE(too_old.has_value());
  EXPECT_EQ(too_old.error().message, "its records of kind 1 have layout 1, this program reads 2 and 3: start the version between once");
  EXPECT_EQ(memory_, first);
  ASSERT_TRUE(attach<NextHeader>(memory_).has_value());
  const Memory next = memory_;
  const auto too_new = attach<TestHeader>(memory_);
  ASSERT_FALSE(too_new.has_value());
  EXPECT_EQ(too_new.error().message, "its records of kind 1 have layout 2, this program knows 1");
  EXPECT_EQ(memory_, next);
}

// At each write of the upgrade: a copy is attached by the new program, or by the newest after it, and has every record.
class Cutter : public WriteObserver {
 public:
  Cutter(const Memory& memory, const Model& expected) : memory_(memory), expected_(expected) {}
  void before_write(std::uint64_t, std::size_t) override {
    ++cuts;
    if (testing::Test::HasFailure()) return;
    Memory copy = memory_;
    auto store = attach<NextHeader>(copy);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    ASSERT_EQ((*store)->attached().dropped, 0U) << "cut " << cuts;
    ASSERT_EQ(read_all<NextHeader>(**store), expected_) << "cut " << cuts;
    ASSERT_EQ((*store)->usage().used_bytes, bytes_of(expected_, first_slot + next_slot)) << "cut " << cuts;
  }
  std::size_t cuts = 0;

 private:
  const Memory& memory_;
  const Model& expected_;
};

TEST_F(UpgradeTest, EveryWriteMayBeTheLast) {
  fill(24);
  Cutter cutter(memory_, after_);
  ASSERT_TRUE(attach<NextHeader>(memory_, &cutter).has_value());
  EXPECT_GT(cutter.cuts, 1000U);
  Cutter again(memory_, after_);
  ASSERT_TRUE(attach<NextHeader>(memory_, &again).has_value());
  EXPECT_LT(again.cuts, 10U) << "nothing is left to do";
}

TEST_F(UpgradeTest, WithoutRoomNothingChangesAndTheProgramBeforeGoesOn) {
  fill(40);
  // Blobs fill the store to the last extent, its reserve included.
  {
    auto store = std::move(*attach<TestHeader>(memory_));
    Partition& partition = store->partition(0);
    for (std::uint64_t number = 0;; ++number) {
      const RecordId next = partition.reserve<TestHeader>();
      const BlobRef blob = partition.write(std::string(4000, 'x'));
      if (next == RecordId::none || !blob) {
        if (next != RecordId::none) partition.unreserve(next);
        if (blob) partition.abandon(blob);
        break;
      }
      partition.create(next, TestHeader{number, 2 * number, blob, {}, {}});
    }
    for (const auto& [value, state] : read_all<TestHeader>(*store)) {
      const RecordId record{value};
      Partition& owner = store->partition(*store->partition_of(record));
      TestHeader header = owner.get<TestHeader>(record);
      if (header.second) continue;
      header.second = owner.write(std::string(4000, 'y'));
      if (header.second) owner.commit(record, header);
    }
  }
  const auto before = read_all<TestHeader>(**attach<TestHeader>(memory_));
  const auto refused = attach<NextHeader>(memory_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("no room"), std::string::npos);
  const auto store = attach<TestHeader>(memory_);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->attached().dropped, 0U);
  EXPECT_EQ(read_all<TestHeader>(**store), before);
}

}  // namespace
}  // namespace perdure::store

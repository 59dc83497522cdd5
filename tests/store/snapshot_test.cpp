// copy_store: a store as a file to keep, restored on this or another host.
#include "store/file_fixture.hpp"
#include "store/superblock.hpp"

namespace perdure::store {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class SnapshotTest : public FileTest {
 protected:
  SnapshotTest() : snapshot(folder / "snapshot") {
    options.max_bytes = 32 << 20;
    auto store = open();
    for (std::uint64_t i = 0; i < 500; ++i) add(*store, i, "text " + std::to_string(i));
    // Extents that were used and given back are not copied.
    Partition& partition = store->partition(0);
    std::vector<BlobRef> blobs;
    for (int i = 0; i < 2000; ++i) blobs.push_back(partition.write(std::string(4000, 'x')));
    for (const BlobRef blob : blobs) partition.abandon(blob);
    partition.reclaim();
    expected = contents(*store);
    claimed = store->usage().claimed_bytes;
  }
  static std::uint64_t blocks_bytes(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  std::string snapshot;
  std::map<std::uint64_t, std::string> expected;
  std::uint64_t claimed = 0;
};

TEST_F(SnapshotTest, RoundTrip) {
  ASSERT_TRUE(copy_store(options.path, snapshot).has_value());
  struct stat info {};
  ASSERT_EQ(::stat(snapshot.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(info.st_size, 32 << 20);
  EXPECT_LT(blocks_bytes(snapshot), claimed + (1 << 20)) << "holes stay holes";
  EXPECT_FALSE(std::filesystem::exists(snapshot + ".part"));

  std::filesystem::remove(options.path);
  ASSERT_TRUE(copy_store(snapshot, options.path).has_value());
  auto store = open();
  EXPECT_TRUE(store->was_verified()) << "a copy has no boot id";
  EXPECT_EQ(store->attached().dropped, 0U);
  EXPECT_EQ(contents(*store), expected);
  store.reset();
  EXPECT_FALSE(open()->was_verified()) << "from then on it is the live file of this boot";
}

TEST_F(SnapshotTest, ItReplacesTheOneBefore) {
  std::ofstream(snapshot) << "an old one";
  ASSERT_TRUE(copy_store(options.path, snapshot).has_value());
  options.path = snapshot;
  EXPECT_EQ(contents(*open()), expected);
}

TEST_F(SnapshotTest, AStoreInUseIsNotCopied) {
  auto store = open();
  const auto copied = copy_store(options.path, snapshot);
  ASSERT_FALSE(copied.has_value());
  EXPECT_THAT(copied.error().message, EndsWith("live: another process has this store open"));
  EXPECT_FALSE(std::filesystem::exists(snapshot));
}

TEST_F(SnapshotTest, WhatIsNoStoreIsNotCopied) {
  const auto message = [&] {
    const auto copied = copy_store(options.path, snapshot);
    EXPECT_FALSE(std::filesystem::exists(snapshot));
    EXPECT_FALSE(std::filesystem::exists(snapshot + ".part"));
    return copied ? std::string() : copied.error().message;
  };
  std::filesystem::resize_file(options.path, 1 << 20);
  EXPECT_THAT(message(), HasSubstr("damaged: it has 1048576 bytes and should have"));
  set_bytes("hello");
  EXPECT_THAT(message(), HasSubstr("not a store: only 5 bytes"));
  set_bytes(std::string(10000, 'x'));
  EXPECT_THAT(message(), HasSubstr("not a store: the file begins with other bytes"));
  std::filesystem::remove(options.path);
  EXPECT_THAT(message(), EndsWith("live: No such file or directory"));
}

TEST_F(SnapshotTest, AFolderThatIsNotThere) {
  const auto copied = copy_store(options.path, folder / "nowhere" / "snapshot");
  ASSERT_FALSE(copied.has_value());
  EXPECT_THAT(copied.error().message, EndsWith("snapshot.part: No such file or directory"));
}

// The power went while the copy was made: pages are missing. What is whole stays, what is torn is dropped and counted.
TEST_F(SnapshotTest, TornCopies) {
  ASSERT_TRUE(copy_store(options.path, snapshot).has_value());
  options.path = snapshot;
  const std::string whole = bytes();
  const std::uint64_t first = data_offset_of(extents_for(whole.size(), options.extent_bytes), options.extent_bytes) / 4096;
  std::uint64_t dropped = 0;
  for (std::uint64_t page = first; page < first + claimed / 4096; page += 3) {
    set_bytes(whole);
    patch(page * 4096, std::string(4096, '\0'));
    auto store = open();
    ASSERT_NE(store, nullptr);
    EXPECT_TRUE(store->was_verified());
    dropped += store->attached().dropped;
    const auto found = contents(*store);
    EXPECT_LE(found.size(), expected.size());
    EXPECT_EQ(found.size(), store->attached().records);
    for (const auto& [number, text] : found) EXPECT_EQ(text, expected.at(number));
  }
  EXPECT_GT(dropped, 100U);
}

}  // namespace
}  // namespace perdure::store

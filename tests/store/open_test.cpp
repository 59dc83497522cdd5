// Which files are opened, which are refused and with what words. A refused file stays as it is.
#include <sys/wait.h>
#include <unistd.h>

#include "base/checksum.hpp"
#include "store/file_fixture.hpp"

namespace perdure::store {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class OpenTest : public FileTest {
 protected:
  void expect_refused(std::string_view words) {
    const std::string before = bytes();
    EXPECT_THAT(refusal(), HasSubstr(words));
    EXPECT_THAT(refusal(), HasSubstr(options.path));
    EXPECT_EQ(bytes(), before);
  }
  // Changes the superblock as a program would that wrote it so.
  template <class Change>
  void change_superblock(Change&& change) {
    Superblock block;
    std::memcpy(&block, bytes().data(), sizeof block);
    change(block);
    block.checksum = 0;
    block.checksum = checksum(&block, offsetof(Superblock, boot_id));
    patch_value(0, block);
  }
};

TEST_F(OpenTest, ANewFileIsForTheOwnerOnlyAndTakesNoSpace) {
  options.max_bytes = 64 << 20;
  auto store = open();
  struct stat info {};
  ASSERT_EQ(::stat(options.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(info.st_size, 64 << 20);
  EXPECT_LE(info.st_blocks * 512, 4 << 20) << "one huge page at most";
}

TEST_F(OpenTest, RecordsAreThereAgain) {
  {
    auto store = open();
    for (std::uint64_t i = 0; i < 20; ++i) add(*store, i, "text " + std::to_string(i));
  }
  auto store = open();
  EXPECT_EQ(store->attached().records, 20U);
  EXPECT_EQ(store->attached().dropped, 0U);
  EXPECT_FALSE(store->was_verified());
  EXPECT_EQ(store->secret(), 99U);
  EXPECT_EQ(contents(*store).at(13), "text 13");
}

TEST_F(OpenTest, ASecondInstanceIsRefused) {
  auto store = open();
  EXPECT_THAT(refusal(), EndsWith("live: another process has this store open"));
  const pid_t child = ::fork();
  if (child == 0) {
    auto second = Store::open(options);
    ::_exit(!second && second.error().message.ends_with("another process has this store open") ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  store.reset();
  EXPECT_EQ(refusal(), "");
}

TEST_F(OpenTest, AKilledInstanceLeavesNoLock) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::open(options);
    add(**store, 1, "of the dead");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto store = open();
  EXPECT_EQ(contents(*store).at(1), "of the dead");
}

TEST_F(OpenTest, ForeignFiles) {
  set_bytes("[global]\nstate = \"/run/perdure\"\n");
  expect_refused("not a store: the file begins with other bytes");
  options.discard = true;
  expect_refused("not a store: the file begins with other bytes");
  options.discard = false;
  set_bytes("PERDURE");
  expect_refused("not a store");
  set_bytes(std::string(8192, '\0') + "data");  // begins as an empty store, but is none
  expect_refused("not a store");
  set_bytes(std::string(100, '\0'));
  expect_refused("not a store: only 100 bytes");
  options.path = folder;
  EXPECT_THAT(refusal(), EndsWith("Is a directory"));
  options.path = folder / "fifo";
  ASSERT_EQ(::mkfifo(options.path.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), EndsWith("not a store: not a regular file"));
  options.path = folder / "nowhere" / "live";
  EXPECT_THAT(refusal(), EndsWith("No such file or directory"));
}

TEST_F(OpenTest, AnEmptyFileIsAnEmptyStore) {
  set_bytes("");
  EXPECT_EQ(open()->attached().records, 0U);
  set_bytes(std::string(1 << 20, '\0'));
  EXPECT_EQ(open()->attached().records, 0U);
}

TEST_F(OpenTest, ANewerFormat) {
  add(*open(), 1, "x");
  change_superblock([](Superblock& block) { block.version = format_version + 1; });
  expect_refused("format version " + std::to_string(format_version + 1) + ", this program knows " + std::to_string(format_version));
}

TEST_F(OpenTest, OfAnotherKind) {
  add(*open(), 1, "x");
  options.kinds = {};
  expect_refused("it has records of kind 1, which this program does not know");
}

TEST_F(OpenTest, ImpossibleSizes) {
  add(*open(), 1, "x");
  const std::string good = bytes();
  const auto with = [&](auto change, std::string_view words) {
    set_bytes(good);
    change_superblock(change);
    expect_refused(words);
  };
  with([](Superblock& block) { block.partition_count = 0; }, "impossible sizes");
  with([](Superblock& block) { block.partition_count = partitions_max + 1; }, "impossible sizes");
  with([](Superblock& block) { block.extent_bytes = 0; }, "impossible sizes");
  with([](Superblock& block) { block.extent_bytes = 4100; }, "impossible sizes");
  with([](Superblock& block) { block.extent_bytes = 1 << 30; }, "impossible sizes");
  with([](Superblock& block) { block.extent_count = 0; }, "impossible sizes");
  with([](Superblock& block) { block.extent_count = UINT32_MAX; }, "impossible sizes");
  with([](Superblock& block) { block.extent_count += 16; }, "damaged: it has 1048576 bytes and should have");
}

TEST_F(OpenTest, Truncated) {
  add(*open(), 1, "x");
  std::filesystem::resize_file(options.path, 512 * 1024);
  expect_refused("damaged: it has 524288 bytes and should have");
  std::filesystem::resize_file(options.path, 60);
  expect_refused("not a store: only 60 bytes");
}

TEST_F(OpenTest, AFileKeepsItsSizeAndPartitions) {
  add(*open(), 1, "x");
  options.max_bytes = 2 << 20;
  options.partitions = 5;
  options.secret = 12;
  auto store = open();
  EXPECT_EQ(store->partition_count(), 2U);
  EXPECT_LT(store->usage().max_bytes, 1U << 20);
  EXPECT_EQ(store->secret(), 99U);
  EXPECT_EQ(contents(*store).size(), 1U);
  store.reset();
  // Bytes behind the end belong to nobody.
  std::filesystem::resize_file(options.path, 3 << 20);
  EXPECT_EQ(contents(*open()).size(), 1U);
}

TEST_F(OpenTest, DamagedTable) {
  add(*open(), 1, "x");
  const std::string good = bytes();
  const auto with = [&](ExtentWord word, std::string_view words) {
    set_bytes(good);
    patch_value(superblock_bytes + 8 * 7, word);
    expect_refused(words);
  };
  with({Kind::None, 1, 9, 64, 0}, "damaged: entry 7 of the extent table");
  with({Kind::None, 2, 0, 64, 0}, "damaged: entry 7");
  with({Kind::None, 1, 0, 0, 0}, "damaged: entry 7");
  with({Kind::None, 1, 0, 65, 0}, "damaged: entry 7");
  with({Kind::None, 1, 0, 33, 0}, "damaged: entry 7");
  with({Kind::None, 1, 0, 1, 1}, "damaged: entry 7");
  with({static_cast<Kind>(200), 1, 0, 1, 1}, "damaged: entry 7");
  with({Kind::Dialog, 1, 0, 1, 1}, "records of kind 4");
  with({Kind::Transaction, 1, 0, 1, 1}, "damaged: entry 7 of the extent table has slots of 64 bytes, not");
  with({Kind::Transaction, 1, 0, 5, 9}, "its records of kind 1 have layout 9, this program knows 1");
}

TEST_F(OpenTest, Discard) {
  add(*open(), 1, "x");
  options.discard = true;
  options.partitions = 3;
  auto store = open();
  EXPECT_EQ(contents(*store).size(), 0U);
  EXPECT_EQ(store->partition_count(), 3U);
}

TEST_F(OpenTest, Limits) {
  options.max_bytes = 1000;
  EXPECT_THAT(refusal(), HasSubstr("max_bytes = 1000 is too small for 2 partitions"));
  options.max_bytes = 1 << 20;
  options.partitions = 0;
  EXPECT_THAT(refusal(), HasSubstr("0 partitions: there can be 1 to 1024"));
  options.partitions = 1025;
  EXPECT_THAT(refusal(), HasSubstr("1025 partitions"));
  EXPECT_FALSE(std::filesystem::exists(options.path));
}

TEST_F(OpenTest, ANewFileLeavesRoomInTheFileSystem) {
  options.extent_bytes = default_extent_bytes;
  options.max_bytes = 200ULL << 40;  // more than any test machine has
  auto store = open();
  ASSERT_NE(store, nullptr);
  EXPECT_LT(store->usage().max_bytes, std::filesystem::space(folder).available + store->usage().claimed_bytes);
}

TEST_F(OpenTest, WithoutAPathItIsMemoryOfThisProcess) {
  options.path.clear();
  auto first = open(), second = open();
  add(*first, 1, "x");
  EXPECT_EQ(contents(*first).size(), 1U);
  EXPECT_EQ(contents(*second).size(), 0U);
}

TEST_F(OpenTest, HostDurabilitySyncsAndStopsAtOnce) {
  options.durability = Durability::Host;
  options.sync_interval = 1ms;
  {
    auto store = open();
    add(*store, 1, "x");
    while (store->syncs() < 3) std::this_thread::yield();
  }
  options.sync_interval = 1h;  // closing does not wait for it
  EXPECT_EQ(contents(*open()).size(), 1U);
  options.durability = Durability::Process;
  options.sync_interval = 1ms;
  EXPECT_EQ(open()->syncs(), 0U);
}

}  // namespace
}  // namespace perdure::store

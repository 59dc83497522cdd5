// The state directory and the way of the live files to disk and back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/live_state.hpp"
#include "app/state_directory.hpp"
#include "proxy/proxy.hpp"
#include "store/store.hpp"

namespace perdure::app {
namespace {

namespace fs = std::filesystem;

class StateTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/perdure-state-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    fs::create_directories(folder_ / "memory");
    fs::create_directories(folder_ / "state");
    state_.directory = folder_ / "state";
    state_.max_bytes = 16 << 20;
    state_.partitions = 2;
  }
  void TearDown() override { fs::remove_all(folder_); }

  LivePlaces places() const { return {.memory = {folder_ / "memory"}, .must_be_tmpfs = false}; }
  LiveState prepare() const {
    auto live = LiveState::prepare(state_, places());
    EXPECT_TRUE(live.has_value()) << live.error().message;
    return std::move(*live);
  }
  // What an engine would do: makes or opens the store. Returns its secret, which tells one store from another.
  std::uint64_t use(const LiveState& live, std::uint64_t secret) const {
    store::Options options;
    options.path = live.store();
    options.max_bytes = live.max_bytes();
    options.partitions = state_.partitions;
    options.kinds = proxy::store_kinds();
    options.secret = secret;
    const auto store = store::Store::open(options);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return (*store)->secret();
  }
  static void write(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::string snapshot() const { return folder_ / "state" / "snapshot"; }

  fs::path folder_;
  Config::State state_;
};

TEST_F(StateTest, DirectoryIsMadeForTheOwnerOnly) {
  const std::string path = folder_ / "new" / "state";
  const auto directory = StateDirectory::open(path);
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0700u);
}

TEST_F(StateTest, EmptyDirectoryIsClosedToOthersAFullOneIsRefused) {
  const std::string path = folder_ / "open";
  fs::create_directories(path);
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  write(path + "/letter.txt", "private");
  const auto refused = StateDirectory::open(path);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("others may enter this folder"), std::string::npos) << refused.error().message;
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0755u);
  fs::remove(path + "/letter.txt");
  EXPECT_TRUE(StateDirectory::open(path).has_value());
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0700u);
}

TEST_F(StateTest, SecondServerIsRefusedUntilTheFirstIsGone) {
  {
    const auto first = StateDirectory::open(state_.directory);
    ASSERT_TRUE(first.has_value());
    write(first->file("edge.pid"), "4711\n");
    const auto second = StateDirectory::open(state_.directory);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().message, "state.directory " + state_.directory + ": another server is using it (process 4711)");
  }
  EXPECT_TRUE(StateDirectory::open(state_.directory).has_value());
}

TEST_F(StateTest, FileInPlaceOfTheDirectoryIsAnError) {
  write(folder_ / "file", "x");
  EXPECT_EQ(StateDirectory::open(folder_ / "file").error().message, "state.directory " + (folder_ / "file").string() + ": not a folder");
}

TEST_F(StateTest, SnapshotGoesToDiskAtTheStopAndComesBack) {
  auto first = prepare();
  EXPECT_TRUE(first.folder().starts_with((folder_ / "memory").string()));
  EXPECT_EQ(use(first, 42), 42u);
  write(first.dispatcher(), "states");
  write(first.gateways(), "gateways");
  first.attached();
  ASSERT_TRUE(first.save().has_value());
  EXPECT_TRUE(fs::exists(snapshot()));
  EXPECT_TRUE(fs::is_empty(folder_ / "memory"));

  auto second = prepare();
  EXPECT_EQ(use(second, 7), 42u);
  EXPECT_EQ(read(second.dispatcher()), "states");
  EXPECT_EQ(read(second.gateways()), "gateways");
  EXPECT_TRUE(fs::exists(snapshot()));  // until an engine has attached
  second.attached();
  EXPECT_FALSE(fs::exists(snapshot()));
}

TEST_F(StateTest, LiveFileOfAKilledServerCountsNotAnOlderSnapshot) {
  auto first = prepare();
  EXPECT_EQ(use(first, 1), 1u);
  ASSERT_TRUE(first.save().has_value());
  auto second = prepare();  // killed after this: the snapshot is still there
  EXPECT_EQ(use(second, 9), 1u);
  fs::remove(second.store());
  EXPECT_EQ(use(second, 2), 2u);  // stands for what has changed since
  auto third = prepare();
  EXPECT_EQ(use(third, 9), 2u);
}

TEST_F(StateTest, FailedStartLeavesTheSnapshotAndNoCopy) {
  auto first = prepare();
  (void)use(first, 5);
  ASSERT_TRUE(first.save().has_value());
  auto second = prepare();
  EXPECT_TRUE(fs::exists(second.store()));
  second.abandon();
  EXPECT_FALSE(fs::exists(second.folder()));
  EXPECT_TRUE(fs::exists(snapshot()));
}

TEST_F(StateTest, ForeignSnapshotIsAnErrorAndStays) {
  write(snapshot(), "this is no store at all");
  const auto live = LiveState::prepare(state_, places());
  ASSERT_FALSE(live.has_value());
  EXPECT_NE(live.error().message.find(snapshot() + ": not a store: only 23 bytes; move "), std::string::npos) << live.error().message;
  EXPECT_EQ(read(snapshot()), "this is no store at all");
  EXPECT_TRUE(fs::is_empty(folder_ / "memory"));
}

TEST_F(StateTest, OpenCallsMoveWhenDurabilityChanges) {
  auto in_memory = prepare();
  (void)use(in_memory, 11);  // killed: no snapshot
  state_.durability = store::Durability::Host;
  auto on_disk = prepare();
  EXPECT_EQ(on_disk.folder(), state_.directory);
  EXPECT_EQ(use(on_disk, 9), 11u);
  on_disk.attached();
  EXPECT_FALSE(fs::exists(in_memory.store()));
  ASSERT_TRUE(on_disk.save().has_value());
  EXPECT_TRUE(fs::exists(on_disk.store()));  // is on disk already
  EXPECT_FALSE(fs::exists(snapshot()));
  state_.durability = store::Durability::Process;
  auto again = prepare();
  EXPECT_EQ(use(again, 9), 11u);
}

TEST_F(StateTest, PersistOffNeitherReadsNorWritesASnapshot) {
  auto first = prepare();
  (void)use(first, 5);
  ASSERT_TRUE(first.save().has_value());
  state_.persist = proxy::Persist::Off;
  auto off = prepare();
  EXPECT_FALSE(fs::exists(off.store()));
  off.attached();
  EXPECT_FALSE(fs::exists(snapshot()));  // outdated: its calls have ended elsewhere by the next start
  ASSERT_TRUE(off.save().has_value());
  EXPECT_FALSE(fs::exists(snapshot()));
}

TEST_F(StateTest, FolderOfSomebodyElseIsNotUsed) {
  const auto own = prepare().folder();
  fs::remove_all(own);
  fs::create_directories(folder_ / "trap");
  fs::create_directory_symlink(folder_ / "trap", own);
  EXPECT_EQ(prepare().folder(), state_.directory);
  fs::remove(own);
  ASSERT_EQ(mkdir(own.c_str(), 0700), 0);
  ASSERT_EQ(chmod(own.c_str(), 0755), 0);
  EXPECT_EQ(prepare().folder(), state_.directory);
  EXPECT_TRUE(fs::is_empty(folder_ / "trap"));
}

TEST_F(StateTest, StoreIsNoLargerThanTheRoomThereIs) {
  state_.max_bytes = 1ULL << 60;
  const auto live = prepare();
  EXPECT_LT(live.max_bytes(), fs::space(folder_).available + 1);
  EXPECT_GE(live.max_bytes(), 16ULL << 20);
}

}  // namespace
}  // namespace perdure::app

// A record that is taken out of the store goes to a file with all that is known of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/record_types.hpp"

namespace perdure::store {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::string file_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class QuarantineTest : public testing::Test {
 protected:
  QuarantineTest() : memory_(64 * 1024) {
    char name[] = "/tmp/perdure-quarantine-XXXXXX";
    folder_ = ::mkdtemp(name);
    options_ = test_options();
    options_.quarantine = folder_ / "quarantine";
    options_.wall_us = 1'700'000'000'000'000;  // 2023-11-14T22:13:20Z
    attach();
  }
  ~QuarantineTest() override { std::filesystem::remove_all(folder_); }

  void attach() {
    store_.reset();
    auto store = Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, options_);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    store_ = std::move(*store);
  }
  RecordId add(std::string_view first) {
    Partition& partition = store_->partition(0);
    const RecordId id = partition.reserve<TestHeader>();
    TestHeader header;
    header.first = partition.write(first);
    partition.create(id, header);
    return id;
  }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    if (std::filesystem::exists(options_.quarantine))
      for (const auto& entry : std::filesystem::directory_iterator(options_.quarantine)) found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
  }

  std::filesystem::path folder_;
  std::vector<std::uint64_t> memory_;
  Options options_;
  std::unique_ptr<Store> store_;
};

TEST_F(QuarantineTest, RecordGoesToAFileWithItsBlobsAndLeavesTheStore) {
  const RecordId kept = add("stays");
  const RecordId id = add("INVITE sip:b@example.org SIP/2.0");
  ASSERT_TRUE(store_->quarantine(id, "killed the engine twice"));
  EXPECT_FALSE(store_->partition(0).is_live<TestHeader>(id));
  EXPECT_EQ(store_->quarantined(), 1U);
  EXPECT_EQ(store_->partition(0).record_count(Kind::Transaction), 1U);
  const auto found = files();
  ASSERT_EQ(found.size(), 2U);
  const std::string name = "record-1-" + std::to_string(id.value) + "-20231114T221320Z";
  EXPECT_EQ(found[0].filename(), name);
  EXPECT_EQ(found[1].filename(), name + ".reason.txt");
  const std::string text = file_text(found[0]);
  EXPECT_THAT(text, HasSubstr("kind 1 layout 1 id " + std::to_string(id.value) + "\nheader " + std::to_string(sizeof(TestHeader)) + "\n"));
  EXPECT_THAT(text, EndsWith(" 32\nINVITE sip:b@example.org SIP/2.0\n"));
  EXPECT_EQ(file_text(found[1]), "killed the engine twice\n");
  struct stat info {};
  ASSERT_EQ(::stat(found[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);

  // It stays out over a restart, and its blob is free.
  store_->partition(0).reclaim();
  const auto used = store_->usage().used_bytes;
  attach();
  EXPECT_EQ(store_->attached().records, 1U);
  EXPECT_EQ(store_->usage().used_bytes, used);
  EXPECT_EQ(store_->partition(0).read(store_->partition(0).get<TestHeader>(kept).first), "stays");
}

TEST_F(QuarantineTest, ThereIsNoSuchRecord) {
  const RecordId id = add("x");
  EXPECT_FALSE(store_->quarantine(RecordId::none, "no"));
  EXPECT_FALSE(store_->quarantine(RecordId{id.value + 1}, "a free slot"));
  EXPECT_FALSE(store_->quarantine(RecordId{id.value | 0xFF}, "beyond the last slot"));
  EXPECT_FALSE(store_->quarantine(RecordId{(store_->partition(0).get<TestHeader>(id).first.unit * 64 / 4096) << 8}, "an extent of blobs"));
  store_->partition(0).erase<TestHeader>(id);
  EXPECT_FALSE(store_->quarantine(id, "erased"));
  EXPECT_EQ(store_->quarantined(), 0U);
  EXPECT_TRUE(files().empty());
}

TEST_F(QuarantineTest, WithoutAFolderItIsOnlyDropped) {
  options_.quarantine.clear();
  attach();
  const RecordId id = add("x");
  EXPECT_TRUE(store_->quarantine(id, "bad"));
  EXPECT_FALSE(store_->partition(0).is_live<TestHeader>(id));
}

TEST_F(QuarantineTest, AFolderThatCannotBeMadeDoesNotKeepABadRecord) {
  options_.quarantine = "/proc/perdure-no-such-folder";
  attach();
  const RecordId id = add("x");
  EXPECT_TRUE(store_->quarantine(id, "bad"));
  EXPECT_FALSE(store_->partition(0).is_live<TestHeader>(id));
}

TEST_F(QuarantineTest, WhatAttachDropsIsSavedUpToALimit) {
  std::vector<RecordId> ids;
  for (std::uint64_t i = 0; i < Quarantine::files_max + 20; ++i) ids.push_back(add("blob " + std::to_string(i)));
  for (const RecordId id : ids) const_cast<TestHeader&>(store_->partition(0).get<TestHeader>(id)).number = 17;
  options_.boot_id = 8;  // another boot: checksums are verified
  attach();
  EXPECT_EQ(store_->attached().records, 0U);
  EXPECT_EQ(store_->attached().dropped, ids.size());
  const auto found = files();
  ASSERT_EQ(found.size(), 2 * Quarantine::files_max);
  EXPECT_EQ(file_text(found[1]), "header checksum\n");
  EXPECT_THAT(file_text(found[0]), HasSubstr("\nblob "));
}

}  // namespace
}  // namespace perdure::store

// The last messages in shared memory: the oldest go first, whatever a dead writer left is survived.
#include "trace/ring_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace perdure::trace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RingFileTest : public testing::Test {
 protected:
  RingFileTest() {
    char name[] = "/tmp/perdure-trace-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/ring";
  }
  ~RingFileTest() override { std::filesystem::remove_all(folder_); }

  static Entry message(std::string_view bytes, std::uint64_t id = 0) {
    return {.kind = EntryKind::Received,
            .id = id,
            .wall_us = 5,
            .remote = *SocketAddress::parse("192.0.2.1", 5060),
            .local = {},
            .bytes = bytes};
  }
  static std::vector<std::string> read_all(const RingFile& file, std::uint32_t index = 0) {
    std::vector<std::string> texts;
    RingReader(file.ring(index)).read([&](const Entry& entry) { texts.emplace_back(entry.bytes); });
    return texts;
  }

  std::string folder_, path_;
};

TEST_F(RingFileTest, GivesBackWhatWasWritten) {
  const auto file = std::move(*RingFile::open(path_, 2, 1 << 20));
  RingWriter(file->ring(1))
      .append({.kind = EntryKind::Sent,
               .transport = Transport::Tls,
               .id = 7,
               .wall_us = 1'000'001,
               .remote = *SocketAddress::parse("2001:db8::1", 5061),
               .local = *SocketAddress::parse("192.0.2.1", 5060),
               .bytes = "BYE"});
  int count = 0;
  const auto reading = std::move(*RingFile::open_to_read(path_));
  EXPECT_EQ(reading->count(), 2U);
  RingReader(reading->ring(1)).read([&](const Entry& entry) {
    ++count;
    EXPECT_EQ(entry.kind, EntryKind::Sent);
    EXPECT_EQ(entry.transport, Transport::Tls);
    EXPECT_EQ(entry.id, 7U);
    EXPECT_EQ(entry.wall_us, 1'000'001);
    EXPECT_EQ(entry.remote.text(), "[2001:db8::1]:5061");
    EXPECT_EQ(entry.local.text(), "192.0.2.1:5060");
    EXPECT_EQ(entry.bytes, "BYE");
  });
  EXPECT_EQ(count, 1);
  EXPECT_THAT(read_all(*reading, 0), IsEmpty());
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U) << "they are messages";
}

TEST_F(RingFileTest, TheOldestGoFirstAndTheRestIsWhole) {
  const auto file = std::move(*RingFile::open(path_, 1, 0));  // the least there is: 256 KiB
  RingWriter writer(file->ring(0));
  constexpr int count = 5000;
  for (int i = 0; i < count; ++i) writer.append(message(std::to_string(i) + std::string(static_cast<std::size_t>(i * 37 % 1500), 'x')));
  const auto texts = read_all(*file);
  ASSERT_GT(texts.size(), 200U);
  ASSERT_LT(texts.size(), static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto number = static_cast<std::size_t>(count) - texts.size() + i;
    EXPECT_EQ(texts[i], std::to_string(number) + std::string(number * 37 % 1500, 'x'));
  }
}

TEST_F(RingFileTest, AnotherWriterGoesOnWhereTheFirstDied) {
  {
    const auto file = std::move(*RingFile::open(path_, 1, 0));
    RingWriter(file->ring(0)).append(message("one"));
  }
  const auto file = std::move(*RingFile::open(path_, 1, 0));
  RingWriter(file->ring(0)).append(message("two"));
  EXPECT_THAT(read_all(*file), ElementsAre("one", "two"));
}

TEST_F(RingFileTest, AnotherShapeIsAnotherFile) {
  const auto before = std::move(*RingFile::open(path_, 1, 0));
  RingWriter(before->ring(0)).append(message("one"));
  EXPECT_TRUE(before->is_current());
  const auto after = std::move(*RingFile::open(path_, 2, 0));
  EXPECT_FALSE(before->is_current());
  EXPECT_THAT(read_all(*after), IsEmpty());
}

TEST_F(RingFileTest, AnythingElseIsNoTrace) {
  EXPECT_FALSE(RingFile::open_to_read(path_).has_value());
  std::ofstream(path_) << std::string(10'000, 'z');
  EXPECT_FALSE(RingFile::open_to_read(path_).has_value());
  EXPECT_TRUE(RingFile::open(path_, 1, 0).has_value()) << "it is made anew";
}

// A sparse file would be made, and kill who writes to it later.
TEST_F(RingFileTest, WithoutRoomThereIsNone) {
  struct statfs info {};
  ASSERT_EQ(statfs("/dev/shm", &info), 0);
  const std::string path = "/dev/shm/perdure-trace-test-" + std::to_string(getpid());
  const auto free_bytes = info.f_bfree * static_cast<std::uint64_t>(info.f_bsize);
  EXPECT_FALSE(RingFile::open(path, 1, free_bytes + (1ULL << 30)).has_value());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST_F(RingFileTest, AReaderThatStaysBehindIsToldWhatItMissed) {
  const auto file = std::move(*RingFile::open(path_, 1, 0));
  RingWriter writer(file->ring(0));
  RingReader reader(file->ring(0), true);
  writer.append(message("first"));
  std::vector<std::string> texts;
  const auto note = [&](const Entry& entry) { texts.emplace_back(entry.bytes); };
  EXPECT_EQ(reader.read(note), 0U);
  EXPECT_THAT(texts, ElementsAre("first"));
  for (int i = 0; i < 1000; ++i) writer.append(message(std::string(1000, 'y')));
  writer.append(message("last"));
  EXPECT_GT(reader.read(note), 500'000U);
  EXPECT_EQ(texts.back(), "last");
}

// Damage of any kind: a reader and the next writer stay inside and go on.
TEST_F(RingFileTest, DamagedMemoryIsSurvived) {
  std::uint64_t seed = 1;
  const auto next = [&] { return seed = seed * 6364136223846793005U + 1442695040888963407U, seed >> 33; };
  for (int round = 0; round < 200; ++round) {
    const auto file = std::move(*RingFile::open(path_, 1, 0));
    const Ring ring = file->ring(0);
    RingWriter writer(ring);
    for (int i = 0; i < 100; ++i) writer.append(message(std::string(next() % 3000, 'x')));
    for (int i = 0; i < 50; ++i) ring.data[next() % ring.capacity] = static_cast<char>(next());
    if (round % 3 == 0) ring.control->tail.store(next());
    if (round % 3 == 1) ring.control->head.store(next());
    std::size_t bytes = 0;
    RingReader(ring).read([&](const Entry& entry) { bytes += entry.bytes.size(); });
    EXPECT_LE(bytes, ring.capacity);
    RingWriter again(ring);
    for (int i = 0; i < 1000; ++i) again.append(message(std::string(next() % 3000, 'y')));
    again.append(message("good"));
    EXPECT_EQ(read_all(*file).back(), "good");
  }
}

TEST_F(RingFileTest, AReaderBesideTheWriterSeesWholeEntriesOnly) {
  const auto file = std::move(*RingFile::open(path_, 1, 0));
  std::atomic<bool> end{false};
  std::jthread thread([&] {
    RingWriter writer(file->ring(0));
    for (std::uint64_t i = 0; !end.load(); ++i) writer.append(message(std::string(i % 1500, static_cast<char>('a' + i % 26)), i));
  });
  std::uint64_t seen = 0;
  RingReader reader(file->ring(0));
  while (seen < 20'000)
    reader.read([&](const Entry& entry) {
      ++seen;
      ASSERT_EQ(entry.bytes, std::string(entry.id % 1500, static_cast<char>('a' + entry.id % 26)));
    });
  end = true;
}

}  // namespace
}  // namespace perdure::trace

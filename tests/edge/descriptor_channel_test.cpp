#include "edge/descriptor_channel.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace perdure::edge {
namespace {

ino_t inode(int descriptor) {
  struct stat info {};
  EXPECT_EQ(fstat(descriptor, &info), 0);
  return info.st_ino;
}

class DescriptorChannelTest : public testing::Test {
 protected:
  DescriptorChannelTest() {
    const auto pair = DescriptorChannel::make_pair();
    EXPECT_TRUE(pair);
    one.emplace(pair->first);
    other.emplace(pair->second);
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  }
  ~DescriptorChannelTest() override {
    close(ends[0]);
    close(ends[1]);
  }
  std::optional<DescriptorChannel> one, other;
  int ends[2];
};

TEST_F(DescriptorChannelTest, TextsAndDescriptorsArrive) {
  ASSERT_TRUE(one->send("udp", "two\nlines", {ends[0], ends[1]}));
  ASSERT_TRUE(one->send("complete"));
  const auto first = other->receive(), second = other->receive();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->type, "udp");
  EXPECT_EQ(first->text, "two\nlines");
  ASSERT_EQ(first->descriptors.size(), 2U);
  EXPECT_EQ(inode(first->descriptors[0]), inode(ends[0]));
  EXPECT_NE(fcntl(first->descriptors[0], F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(second->type, "complete");
  EXPECT_EQ(second->text, "");
  EXPECT_TRUE(second->descriptors.empty());
  for (const int descriptor : first->descriptors) close(descriptor);
}

TEST_F(DescriptorChannelTest, NothingYetIsNotTheEnd) {
  EXPECT_FALSE(other->receive());
  EXPECT_FALSE(other->ended());
  one.reset();
  EXPECT_FALSE(other->receive());
  EXPECT_TRUE(other->ended());
  EXPECT_FALSE(other->send("late"));
}

TEST_F(DescriptorChannelTest, WhatDoesNotFitWaits) {
  const std::string text(30000, 'x');
  std::size_t sent = 0;
  while (!one->wants_write() && sent < 1000) {
    ASSERT_TRUE(one->send("item", text, {ends[0]}));
    ++sent;
  }
  ASSERT_TRUE(one->wants_write());
  ASSERT_TRUE(one->send("complete"));
  std::size_t received = 0;
  for (std::string type; type != "complete";) {
    const auto message = other->receive();
    ASSERT_TRUE(message);
    for (const int descriptor : message->descriptors) close(descriptor);
    type = message->type;
    ++received;
    ASSERT_TRUE(one->flush());
  }
  EXPECT_EQ(received, sent + 1);
  EXPECT_FALSE(one->wants_write());
}

TEST_F(DescriptorChannelTest, TooMuchIsRefused) {
  EXPECT_FALSE(one->send("item", std::string(descriptor_message_bytes_max, 'x')));
  EXPECT_FALSE(one->send("item", "", std::vector<int>(descriptors_per_message_max + 1, ends[0])));
  EXPECT_FALSE(other->receive());
}

}  // namespace
}  // namespace perdure::edge

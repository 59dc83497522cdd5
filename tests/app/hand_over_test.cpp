// What one edge gives to the next arrives whole, or not at all.
#include "app/hand_over.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

namespace perdure::app {
namespace {

using testing::HasSubstr;

ino_t inode(int descriptor) {
  struct stat info {};
  EXPECT_EQ(fstat(descriptor, &info), 0);
  return info.st_ino;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const folder = opendir("/proc/self/fd");
  while (readdir(folder)) ++count;
  closedir(folder);
  return count;
}

void close_all(const HandOver& taken) {
  for (const int descriptor : {taken.lock, taken.control, taken.configuration, taken.region}) close(descriptor);
  for (const auto* many : {&taken.sockets, &taken.listeners, &taken.rings})
    for (const int descriptor : *many) close(descriptor);
}

class HandOverTest : public testing::Test {
 protected:
  HandOverTest() {
    const auto pair = edge::DescriptorChannel::make_pair();
    EXPECT_TRUE(pair);
    before.emplace(pair->first);
    next.emplace(pair->second);
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    given.config_path = "/etc/perdure/perdure.toml";
    given.live_folder = "/dev/shm/perdure-1";
    given.live_bytes = 1ULL << 40;
    given.engine_starts = 7;
    given.started_us = 123456789;
    given.workers = 2;
    given.lock = given.configuration = ends[0];
    given.control = given.region = ends[1];
    given.sockets.assign(150, ends[0]);  // more than go in one message
    given.sockets.back() = ends[1];
    given.listeners = {ends[0], ends[1]};
    given.rings = {ends[1], ends[0], ends[1]};
  }
  ~HandOverTest() override {
    close(ends[0]);
    close(ends[1]);
  }
  [[nodiscard]] std::string error(Duration timeout = 100ms) {
    const std::size_t open = open_descriptors();
    const auto taken = receive_hand_over(*next, timeout);
    EXPECT_EQ(open_descriptors(), open) << "what had come is left open";
    return taken ? "taken" : taken.error().message;
  }

  std::optional<edge::DescriptorChannel> before, next;
  HandOver given;
  int ends[2];
};

TEST_F(HandOverTest, AllArrives) {
  ASSERT_TRUE(send_hand_over(*before, given));
  const auto taken = receive_hand_over(*next, 1s);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->config_path, given.config_path);
  EXPECT_EQ(taken->live_folder, given.live_folder);
  EXPECT_EQ(taken->live_bytes, given.live_bytes);
  EXPECT_EQ(taken->engine_starts, 7U);
  EXPECT_EQ(taken->started_us, 123456789);
  EXPECT_EQ(taken->workers, 2U);
  EXPECT_EQ(inode(taken->lock), inode(ends[0]));
  EXPECT_EQ(inode(taken->control), inode(ends[1]));
  ASSERT_EQ(taken->sockets.size(), 150U);
  EXPECT_EQ(inode(taken->sockets.front()), inode(ends[0]));
  EXPECT_EQ(inode(taken->sockets.back()), inode(ends[1]));
  ASSERT_EQ(taken->listeners.size(), 2U);
  EXPECT_EQ(inode(taken->listeners.back()), inode(ends[1]));
  ASSERT_EQ(taken->rings.size(), 3U);
  EXPECT_EQ(inode(taken->rings[1]), inode(ends[0]));
  EXPECT_EQ(taken->connections_layout, edge::handed_layout);
  close_all(*taken);
}

// More descriptors than one message has, and more bytes.
TEST_F(HandOverTest, ConnectionsArriveInTheirOrder) {
  edge::HandedConnections connections;
  for (std::uint64_t id = 1; id <= 100; ++id) {
    edge::HandedConnection one;
    one.id = id;
    one.in.assign(1000, 'x');
    connections.connections.push_back(one);
    connections.descriptors.push_back(dup(ends[id % 2]));
  }
  ASSERT_TRUE(send_connections(*before, connections));
  ConnectionsReceiver receiver;
  while (const auto message = next->receive()) EXPECT_TRUE(receiver.take(*message)) << message->type;
  const auto taken = receiver.connections();
  ASSERT_TRUE(taken) << taken.error().message;
  ASSERT_EQ(taken->connections.size(), 100U);
  EXPECT_EQ(taken->connections.back().id, 100U);
  EXPECT_EQ(taken->connections.back().in.size(), 1000U);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(inode(taken->descriptors[i]), inode(ends[(i + 1) % 2])) << i;
}

TEST_F(HandOverTest, ConnectionsOfWhichDescriptorsAreMissingAreRefused) {
  ConnectionsReceiver nothing;
  const auto none = nothing.connections();
  ASSERT_TRUE(none) << "there may be none";
  EXPECT_TRUE(none->connections.empty());
  edge::HandedConnections connections;
  connections.connections.resize(2);
  connections.descriptors = {dup(ends[0])};
  ASSERT_TRUE(send_connections(*before, connections));
  const std::size_t open = open_descriptors();
  {
    ConnectionsReceiver receiver;
    while (const auto message = next->receive()) EXPECT_TRUE(receiver.take(*message)) << message->type;
    EXPECT_FALSE(receiver.connections());
  }
  EXPECT_EQ(open_descriptors(), open) << "what had come is left open";
}

TEST_F(HandOverTest, WhatALaterVersionAddsIsSkipped) {
  ASSERT_TRUE(before->send("tcp-connection", "of a later version", {ends[0]}));
  ASSERT_TRUE(send_hand_over(*before, given));
  const auto taken = receive_hand_over(*next, 1s);
  ASSERT_TRUE(taken);
  close_all(*taken);
}

TEST_F(HandOverTest, AnEndInTheMiddleIsNoHandOver) {
  ASSERT_TRUE(before->send("lock", "", {ends[0]}));
  ASSERT_TRUE(before->send("udp", "", {ends[0], ends[1]}));
  before.reset();
  EXPECT_THAT(error(), HasSubstr("ended while it handed over"));
}

TEST_F(HandOverTest, SilenceIsNoHandOver) {
  ASSERT_TRUE(before->send("lock", "", {ends[0]}));
  EXPECT_THAT(error(50ms), HasSubstr("did not hand over in time"));
}

TEST_F(HandOverTest, SomethingMissingIsNoHandOver) {
  ASSERT_TRUE(before->send("lock", "", {ends[0]}));
  ASSERT_TRUE(before->send("complete"));
  EXPECT_THAT(error(), HasSubstr("has not handed over all"));
}

TEST_F(HandOverTest, NonsenseIsNoHandOver) {
  for (const char* facts : {"", "{}", "[1]", R"({"config_path":1})", R"({"config_path":"/x","live_folder":"/y","live_bytes":"many"})"}) {
    ASSERT_TRUE(before->send("facts", facts, {ends[0]}));
    EXPECT_THAT(error(), HasSubstr("makes no sense")) << facts;
  }
}

}  // namespace
}  // namespace perdure::app

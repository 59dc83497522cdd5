#include "locate/block_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace perdure::locate {
namespace {

using testing::ElementsAre;

Server server(int number, Transport transport = Transport::Udp) {
  return {transport, *SocketAddress::parse("192.0.2." + std::to_string(number), 5060)};
}
constexpr Time start{1s};

TEST(BlockList, PutsLastAndKeepsTheOrderOtherwise) {
  BlockList list;
  list.block(server(1), start + 10s, start);
  list.block(server(3), start + 20s, start);
  std::vector<Server> servers{server(1), server(2), server(3), server(4)};
  list.put_last(servers, start);
  EXPECT_THAT(servers, ElementsAre(server(2), server(4), server(1), server(3)));
  servers = {server(1), server(2), server(3)};
  list.put_last(servers, start + 10s);
  EXPECT_THAT(servers, ElementsAre(server(1), server(2), server(3)));
  servers = {server(3, Transport::Tcp), server(2)};
  list.put_last(servers, start);
  EXPECT_THAT(servers, ElementsAre(server(3, Transport::Tcp), server(2))) << "another transport is another server";
}

TEST(BlockList, LongerBlockStays) {
  BlockList list;
  list.block(server(1), start + 20s, start);
  list.block(server(1), start + 10s, start);
  list.block(server(2), start, start);
  const auto views = list.list(start);
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views[0].left, 20s);
  list.clear();
  EXPECT_TRUE(list.list(start).empty());
}

TEST(BlockList, IsBounded) {
  BlockList list(2);
  list.block(server(1), start + 10s, start);
  list.block(server(2), start + 20s, start);
  list.block(server(3), start + 30s, start);
  const auto views = list.list(start);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].server, server(2));
  EXPECT_EQ(views[1].server, server(3));
  list.block(server(4), start + 90s, start + 60s);
  EXPECT_EQ(list.list(start + 60s).size(), 1U);
}

}  // namespace
}  // namespace perdure::locate

#include "sim/network.hpp"

#include <gmock/gmock.h>

namespace perdure::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SocketAddress address(std::uint16_t port) {
  return *SocketAddress::parse("10.0.0.1", port);
}

// What one address gets.
struct Listener {
  std::vector<std::string> got;
  std::vector<Time> times;
  Listener(Network& network, const SocketAddress& at) {
    network.attach(at, [this](const Packet& packet) {
      got.push_back(packet.bytes);
      times.push_back(packet.at);
    });
  }
};

std::uint64_t digest_of(std::uint64_t seed, std::uint16_t from = 1, std::string_view last = "z") {
  Network network(seed, {.jitter = 3ms, .lost = 100, .doubled = 100, .delayed = 100, .delay = 20ms});
  const Listener listener(network, address(2));
  for (int i = 0; i < 200; ++i) network.send(address(1), address(2), std::to_string(i));
  EXPECT_TRUE(network.run(never));
  // Sent often enough that one arrives, whatever the seed.
  for (int i = 0; i < 20; ++i) network.send(address(from), address(2), last);
  EXPECT_TRUE(network.run(never));
  return network.digest();
}

TEST(Network, DeliversInOrderAfterTheLatency) {
  Network network(1, {.latency = 5ms});
  const Listener listener(network, address(2));
  const Time begin = network.now();
  network.send(address(1), address(2), "a");
  network.after(1ms, [&] { network.send(address(1), address(2), "b"); });
  EXPECT_FALSE(network.run(begin + 4ms));
  EXPECT_THAT(listener.got, IsEmpty());
  EXPECT_TRUE(network.run(never));
  EXPECT_THAT(listener.got, ElementsAre("a", "b"));
  EXPECT_EQ(network.now(), begin + 6ms);
}

TEST(Network, EventsOfOneTimeHappenInTheOrderOfTheirMaking) {
  Network network(1, {});
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) network.after(Duration((i * 7) % 3), [&order, i] { order.push_back(i); });
  EXPECT_TRUE(network.run(never));
  ASSERT_EQ(order.size(), 100U);
  const auto due = [](int i) { return std::pair((i * 7) % 3, i); };
  EXPECT_TRUE(std::ranges::is_sorted(order, {}, due));
}

TEST(Network, CutLosesWhatGoesInOutAndIsUnderWayUntilItEnds) {
  Network network(1, {.latency = 10ms});
  const Listener one(network, address(1)), two(network, address(2)), three(network, address(3));
  const Time begin = network.now();
  network.send(address(1), address(2), "under way");
  network.after(5ms, [&] {
    network.cut(address(2), begin + 100ms);
    network.send(address(1), address(2), "in");
    network.send(address(2), address(1), "out");
    network.send(address(1), address(3), "beside");
  });
  network.after(100ms, [&] { network.send(address(1), address(2), "after"); });
  EXPECT_TRUE(network.run(never));
  EXPECT_THAT(one.got, IsEmpty());
  EXPECT_THAT(two.got, ElementsAre("after"));
  EXPECT_THAT(three.got, ElementsAre("beside"));
  EXPECT_EQ(network.cut_off(), 3U);
  EXPECT_EQ(network.lost(), 3U);
  EXPECT_EQ(network.sent(), 5U);
}

TEST(Network, DelayedPacketsAreOvertaken) {
  Network network(7, {.delayed = 200, .delay = 50ms});
  const Listener listener(network, address(2));
  for (int i = 0; i < 100; ++i)
    network.after(std::chrono::milliseconds(i), [&network, i] { network.send(address(1), address(2), std::to_string(100 + i)); });
  EXPECT_TRUE(network.run(never));
  EXPECT_EQ(listener.got.size(), 100U);
  EXPECT_FALSE(std::ranges::is_sorted(listener.got));
  EXPECT_GT(network.delayed(), 5U);
  EXPECT_LT(network.delayed(), 50U);
  EXPECT_EQ(network.lost(), 0U);
}

TEST(Network, WithoutFaultsNothingIsOvertakenLostOrDoubled) {
  Network network(7, {});
  const Listener listener(network, address(2));
  for (int i = 0; i < 100; ++i) network.send(address(1), address(2), std::to_string(100 + i));
  EXPECT_TRUE(network.run(never));
  EXPECT_EQ(listener.got.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(listener.got));
  EXPECT_EQ(network.lost() + network.doubled() + network.delayed() + network.cut_off(), 0U);
}

TEST(Network, CountsWhatIsLostAndDoubled) {
  Network network(3, {.lost = 200, .doubled = 200});
  const Listener listener(network, address(2));
  for (int i = 0; i < 1000; ++i) network.send(address(1), address(2), "x");
  EXPECT_TRUE(network.run(never));
  EXPECT_GT(network.lost(), 100U);
  EXPECT_GT(network.doubled(), 100U);
  EXPECT_EQ(listener.got.size(), 1000 - network.lost() + network.doubled());
}

TEST(Network, AddressesDifferByHostPortAndFamily) {
  Network network(1, {});
  const auto other_host = *SocketAddress::parse("10.0.0.2", 1), v6 = *SocketAddress::parse("2001:db8::1", 1);
  const Listener one(network, address(1)), host(network, other_host), six(network, v6);
  network.send(address(9), other_host, "host");
  network.send(address(9), v6, "six");
  network.send(address(9), address(8), "nobody");
  EXPECT_TRUE(network.run(never));
  EXPECT_THAT(one.got, IsEmpty());
  EXPECT_THAT(host.got, ElementsAre("host"));
  EXPECT_THAT(six.got, ElementsAre("six"));
}

TEST(Network, DigestIsThatOfTheSeed) {
  EXPECT_EQ(digest_of(1), digest_of(1));
  EXPECT_NE(digest_of(1), digest_of(2));
}

TEST(Network, DigestDependsOnSenderAndBytes) {
  EXPECT_NE(digest_of(1), digest_of(1, 3));
  EXPECT_NE(digest_of(1), digest_of(1, 1, "y"));
}

}  // namespace
}  // namespace perdure::sim

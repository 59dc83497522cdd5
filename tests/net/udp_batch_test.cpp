#include "net/udp_batch.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "net/sockets.hpp"

namespace perdure::net {
namespace {

using test::address_of;
using test::bound_udp;
using test::receive;
using test::Socket;

struct Texts {
  std::vector<std::string> texts;
  std::vector<Datagram> datagrams;
  void add(std::string text, const SocketAddress& to) {
    texts.push_back(std::move(text));
    datagrams.push_back({{}, to});
  }
  // The views, when no more texts come.
  std::span<const Datagram> all() {
    for (std::size_t i = 0; i < texts.size(); ++i) datagrams[i].bytes = texts[i];
    return datagrams;
  }
};

TEST(UdpBatch, SendsNothingForNothing) {
  const Socket from = bound_udp();
  const SendCounts counts = send_datagrams(from.get(), {});
  EXPECT_EQ(counts.sent + counts.failed + counts.calls, 0U);
}

TEST(UdpBatch, SendsMoreThanOneCallTakesInOrder) {
  const Socket from = bound_udp(), to = bound_udp();
  Texts texts;
  for (int i = 0; i < 150; ++i) texts.add("datagram " + std::to_string(i), address_of(to));
  const SendCounts counts = send_datagrams(from.get(), texts.all());
  EXPECT_EQ(counts.sent, 150U);
  EXPECT_EQ(counts.failed, 0U);
  EXPECT_EQ(counts.calls, 3U);
  for (int i = 0; i < 150; ++i) EXPECT_EQ(receive(to), "datagram " + std::to_string(i));
}

TEST(UdpBatch, SendsEachToItsOwnDestination) {
  const Socket from = bound_udp(), left = bound_udp(), right = bound_udp();
  Texts texts;
  texts.add("to the left", address_of(left));
  texts.add("to the right", address_of(right));
  EXPECT_EQ(send_datagrams(from.get(), texts.all()).sent, 2U);
  EXPECT_EQ(receive(left), "to the left");
  EXPECT_EQ(receive(right), "to the right");
}

TEST(UdpBatch, SkipsWhatTheKernelRefusesAndSendsTheRest) {
  const Socket from = bound_udp(), to = bound_udp();
  Texts texts;
  texts.add("before", address_of(to));
  texts.add(std::string(65536, 'x'), address_of(to));               // longer than UDP can be
  texts.add("IPv6 from IPv4", *SocketAddress::parse("::1", 5060));  // another family
  texts.add("nowhere", SocketAddress{});
  texts.add("after", address_of(to));
  const SendCounts counts = send_datagrams(from.get(), texts.all());
  EXPECT_EQ(counts.sent, 2U);
  EXPECT_EQ(counts.failed, 3U);
  EXPECT_EQ(receive(to), "before");
  EXPECT_EQ(receive(to), "after");
}

TEST(UdpBatch, AnEarlierDatagramThatWasRefusedCostsTheNextOneNothing) {
  // Only a connected socket hears of ICMP errors, and it hears of them when it sends the next time.
  const Socket from = bound_udp(), to = bound_udp();
  const SocketAddress dead = test::dead_address();
  test::connect_to(from, dead);
  test::send_to(dead, "into the void", from);
  ASSERT_TRUE(test::wait_readable(from.get())) << "no ICMP error came back";
  Texts texts;
  texts.add("arrives", address_of(to));
  const SendCounts counts = send_datagrams(from.get(), texts.all());
  EXPECT_EQ(counts.sent, 1U);
  EXPECT_EQ(counts.failed, 0U);
  EXPECT_EQ(counts.calls, 2U);
  EXPECT_EQ(receive(to), "arrives");
}

TEST(UdpBatch, GivesUpOnASocketThatStaysFull) {
  // A datagram socket pair is full when the peer does not read, for as long as it likes; UDP on loopback drops instead. The peer
  // is the destination.
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
  const Socket from(pair[0]), peer(pair[1]);
  Texts texts;
  for (int i = 0; i < 5000; ++i) texts.add(std::string(1000, 'x'), SocketAddress{});
  const auto began = std::chrono::steady_clock::now();
  const SendCounts counts = send_datagrams(from.get(), texts.all());
  EXPECT_GT(counts.sent, 0U);
  EXPECT_GT(counts.failed, 0U);
  EXPECT_EQ(counts.sent + counts.failed, 5000U);
  // One budget for all of them: a worker that waited for each would look dead to the watchdog.
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  EXPECT_EQ(receive(peer), std::string(1000, 'x'));
}

}  // namespace
}  // namespace perdure::net

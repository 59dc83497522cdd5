#include "net/udp_socket.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "net/sockets.hpp"

namespace perdure::net {
namespace {

using test::loopback;
using test::Socket;
using ::testing::HasSubstr;

TEST(UdpSocket, LetsTheKernelChooseAPort) {
  const auto opened = open_udp_socket(loopback(0), 1 << 20, true);
  ASSERT_TRUE(opened) << opened.error().message;
  const Socket socket(*opened);
  const SocketAddress address = local_address(socket.get());
  EXPECT_TRUE(address.same_ip(loopback(0)));
  EXPECT_NE(address.port, 0);
}

TEST(UdpSocket, IsNonBlockingAndDoesNotLeakIntoOtherPrograms) {
  const Socket socket(*open_udp_socket(loopback(0), 1 << 20, true));
  EXPECT_TRUE(fcntl(socket.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(socket.get(), F_GETFD) & FD_CLOEXEC);
}

TEST(UdpSocket, HasTheReceiveBufferThatWasAskedFor) {
  // Small enough for any net.core.rmem_max; the kernel doubles it for its own bookkeeping.
  const Socket socket(*open_udp_socket(loopback(0), 64 << 10, true));
  int size = 0;
  socklen_t length = sizeof size;
  ASSERT_EQ(getsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
  EXPECT_GE(size, 64 << 10);
}

TEST(UdpSocket, GivesEveryWorkerOneOfItsOwnOnTheSameAddress) {
  const Socket first(*open_udp_socket(loopback(0), 1 << 20, true));
  const SocketAddress address = local_address(first.get());
  const auto second = open_udp_socket(address, 1 << 20, false);
  ASSERT_TRUE(second) << second.error().message;
  const Socket guard(*second);
  EXPECT_EQ(local_address(guard.get()), address);
}

TEST(UdpSocket, NamesAnAddressThatAnotherProgramUses) {
  const Socket other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = test::bind_to(other, loopback(0));
  const auto opened = open_udp_socket(address, 1 << 20, true);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "udp:" + address.text() + " is already in use");
}

TEST(UdpSocket, RefusesToShareAnAddressWithAnotherServerThatWouldShare) {
  // Without the probe the kernel would give each server a part of the calls.
  const Socket other(*open_udp_socket(loopback(0), 1 << 20, true));
  const SocketAddress address = local_address(other.get());
  const auto opened = open_udp_socket(address, 1 << 20, true);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "udp:" + address.text() + " is already in use");
}

TEST(UdpSocket, SaysWhyAnAddressOfAnotherMachineIsImpossible) {
  const auto opened = open_udp_socket(*SocketAddress::parse("192.0.2.1", 5060), 1 << 20, true);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("udp:192.0.2.1:5060 cannot be listened on: "));
}

TEST(UdpSocket, TakesIPv6OnlyOnAnIPv6Address) {
  const auto address = *SocketAddress::parse("::1", 0);
  const auto opened = open_udp_socket(address, 1 << 20, true);
  if (!opened) GTEST_SKIP() << "no IPv6 on this machine: " << opened.error().message;
  const Socket socket(*opened);
  int only = 0;
  socklen_t length = sizeof only;
  ASSERT_EQ(getsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, &length), 0);
  EXPECT_EQ(only, 1);
}

}  // namespace
}  // namespace perdure::net

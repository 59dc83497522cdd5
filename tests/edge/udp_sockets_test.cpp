#include "edge/udp_sockets.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "net/udp_socket.hpp"

namespace perdure::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t buffer = 1 << 16;

// A socket as a service manager makes it.
int foreign_socket(int type = SOCK_DGRAM) {
  const int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return descriptor;
}

TEST(UdpSockets, OpensOnePerAddressAndWorker) {
  std::vector<int> none;
  const auto sockets = UdpSockets::open({*SocketAddress::parse("127.0.0.1", 0), *SocketAddress::parse("127.0.0.1", 0)}, 3, buffer, none);
  ASSERT_TRUE(sockets);
  ASSERT_EQ(sockets->descriptors().size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(net::local_address(sockets->descriptors()[i]), sockets->addresses()[i / 3]);
  EXPECT_NE(sockets->addresses()[0].port, 0);
  EXPECT_EQ(sockets->name(4), "udp-1-1");
}

TEST(UdpSockets, AnAddressInUseIsAnError) {
  const int taken = foreign_socket();
  std::vector<int> none;
  const auto sockets = UdpSockets::open({net::local_address(taken)}, 1, buffer, none);
  ASSERT_FALSE(sockets);
  EXPECT_THAT(sockets.error().message, HasSubstr("already in use"));
  close(taken);
}

TEST(UdpSockets, TakesWhatIsBoundToItsAddressesAndLeavesTheRest) {
  const int wanted = foreign_socket(), other = foreign_socket(), stream = foreign_socket(SOCK_STREAM);
  std::vector<int> inherited = {stream, other, wanted};
  const auto sockets = UdpSockets::open({net::local_address(wanted)}, 2, buffer, inherited);
  ASSERT_TRUE(sockets);
  EXPECT_THAT(inherited, ElementsAre(stream, other));
  ASSERT_EQ(sockets->descriptors().size(), 2U);
  EXPECT_EQ(sockets->descriptors()[0], wanted);
  EXPECT_EQ(net::local_address(sockets->descriptors()[1]), net::local_address(wanted));  // the second worker has its own
  EXPECT_NE(fcntl(wanted, F_GETFL) & O_NONBLOCK, 0);
  for (const int descriptor : inherited) close(descriptor);
}

TEST(UdpSockets, MoreThanThereAreWorkersAreNotTaken) {
  std::vector<int> none;
  const auto before = UdpSockets::open({*SocketAddress::parse("127.0.0.1", 0)}, 3, buffer, none);
  ASSERT_TRUE(before);
  std::vector<int> inherited;
  for (const int descriptor : before->descriptors()) inherited.push_back(dup(descriptor));
  const auto sockets = UdpSockets::open(before->addresses(), 2, buffer, inherited);
  ASSERT_TRUE(sockets);
  EXPECT_EQ(sockets->descriptors().size(), 2U);
  ASSERT_EQ(inherited.size(), 1U);
  close(inherited[0]);
}

TEST(UdpSockets, AdoptsAllOfAnother) {
  std::vector<int> none;
  const auto before = UdpSockets::open({*SocketAddress::parse("127.0.0.1", 0), *SocketAddress::parse("127.0.0.1", 0)}, 2, buffer, none);
  ASSERT_TRUE(before);
  std::vector<int> copies;
  for (const int descriptor : before->descriptors()) copies.push_back(dup(descriptor));
  const auto sockets = UdpSockets::adopt(copies, 2);
  ASSERT_TRUE(sockets);
  EXPECT_EQ(sockets->addresses(), before->addresses());
  EXPECT_FALSE(UdpSockets::adopt({}, 0));
  EXPECT_FALSE(UdpSockets::adopt({dup(0)}, 1));
  EXPECT_FALSE(UdpSockets::adopt({dup(copies[0])}, 2));
}

}  // namespace
}  // namespace perdure::edge

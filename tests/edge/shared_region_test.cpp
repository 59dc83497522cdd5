#include "edge/shared_region.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace perdure::edge {
namespace {

// As if the kernel had filled that slot.
void fill(SharedRegion& region, SlotId id, std::uint32_t length) {
  region.adopt(id.worker, id.slot / batch_size);
  mmsghdr& header = region.headers(id.worker, id.slot / batch_size)[id.slot % batch_size];
  SocketAddress::parse("192.0.2.1", 5060)->to_native(*static_cast<sockaddr_storage*>(header.msg_hdr.msg_name));
  header.msg_len = length;
}

TEST(SharedRegion, IsMappedAsItWasLeft) {
  const auto region = SharedRegion::create(2);
  ASSERT_TRUE(region);
  fill(**region, {1, 3}, 100);
  (*region)->mark(1).record = 7;
  const auto again = SharedRegion::map(dup((*region)->descriptor()));
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->worker_count(), 2U);
  EXPECT_EQ((*again)->taken(), (std::vector<SlotId>{{1, 3}}));
  EXPECT_EQ((*again)->source({1, 3}).text(), "192.0.2.1:5060");
  EXPECT_EQ((*again)->mark(1).record, 7U);
}

TEST(SharedRegion, RefusesAFileOfAnotherSize) {
  const auto region = SharedRegion::create(1);
  ASSERT_TRUE(region);
  const int copy = dup((*region)->descriptor());
  ASSERT_EQ(ftruncate(copy, 4096), 0);
  EXPECT_FALSE(SharedRegion::map(copy));
  EXPECT_FALSE(SharedRegion::map(memfd_create("empty", MFD_CLOEXEC)));
}

TEST(SharedRegion, TellsSlotsThatNoKernelFilled) {
  const auto region = SharedRegion::create(1);
  ASSERT_TRUE(region);
  SharedRegion& sound = **region;
  fill(sound, {0, 0}, 100);
  EXPECT_TRUE(sound.is_sound({0, 0}, 1));
  sound.info({0, 0}).socket = 1;
  EXPECT_TRUE(sound.is_sound({0, 0}, 2));
  EXPECT_FALSE(sound.is_sound({0, 0}, 1)) << "there is no such socket";
  fill(sound, {0, 1}, 65536);
  EXPECT_FALSE(sound.is_sound({0, 1}, 1)) << "longer than any datagram";
  EXPECT_EQ(sound.bytes({0, 1}).size(), datagram_bytes_max);
  fill(sound, {0, 2}, 100);
  static_cast<sockaddr_storage*>(sound.headers(0, 0)[2].msg_hdr.msg_name)->ss_family = AF_UNIX;
  EXPECT_FALSE(sound.is_sound({0, 2}, 1)) << "from no address";
}

}  // namespace
}  // namespace perdure::edge

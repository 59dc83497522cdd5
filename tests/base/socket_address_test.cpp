#include "base/socket_address.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace perdure {
namespace {

TEST(SocketAddress, ParsesNumericAddressesAndNothingElse) {
  EXPECT_EQ(SocketAddress::parse("192.0.2.1", 5060)->text(), "192.0.2.1:5060");
  EXPECT_EQ(SocketAddress::parse("[2001:db8::1]", 5061)->text(), "[2001:db8::1]:5061");
  EXPECT_EQ(SocketAddress::parse("2001:db8::1", 0)->ip_text(), "2001:db8::1");
  for (const char* bad : {"", "example.org", "192.0.2", "192.0.2.256", "[", "[]", "2001:db8:::1"})
    EXPECT_FALSE(SocketAddress::parse(bad, 1)) << bad;
  EXPECT_FALSE(SocketAddress::parse(std::string_view("::1\0", 4), 1)) << "a zero byte ends no text";
}

TEST(SocketAddress, WritesEachNumberAsItIsRead) {
  for (int number = 0; number < 256; ++number) {
    const std::string digits = std::to_string(number);
    for (const std::string& text : {digits + ".0.10.255", "255." + digits + ".1.0", "9.99." + digits + ".100", "0.0.0." + digits}) {
      const auto address = SocketAddress::parse(text, 5060);
      ASSERT_TRUE(address) << text;
      EXPECT_EQ(address->ip_text(), text);
    }
  }
  EXPECT_EQ(SocketAddress{}.ip_text(), "");
}

TEST(SocketAddress, SurvivesTheNativeForm) {
  for (const char* ip : {"127.0.0.1", "::1"}) {
    const auto address = *SocketAddress::parse(ip, 5080);
    sockaddr_storage native{};
    EXPECT_GT(address.to_native(native), 0U);
    EXPECT_EQ(SocketAddress::from_native(native), address);
  }
}

TEST(SocketAddress, KnowsWhatIsOneHost) {
  for (const char* one : {"192.0.2.1", "127.0.0.1", "223.255.255.255", "240.0.0.1", "::1", "2001:db8::1"})
    EXPECT_TRUE(SocketAddress::parse(one, 5060)->is_unicast()) << one;
  for (const char* many : {"0.0.0.0", "255.255.255.255", "224.0.1.75", "239.1.2.3", "::", "ff02::1"})
    EXPECT_FALSE(SocketAddress::parse(many, 5060)->is_unicast()) << many;
}

TEST(Transport, NamesAreCaseInsensitive) {
  EXPECT_EQ(transport_from("TcP"), Transport::Tcp);
  EXPECT_EQ(via_name(Transport::Wss), "WSS");
  EXPECT_FALSE(transport_from("sctp"));
}

}  // namespace
}  // namespace perdure

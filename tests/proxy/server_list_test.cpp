#include "proxy/server_list.hpp"

#include <gtest/gtest.h>

namespace perdure::proxy {
namespace {

TEST(ServerList, ReadsWhatItWrote) {
  for (const auto transport : {std::optional<Transport>{}, std::optional(Transport::Tcp)}) {
    const locate::Destination destination{.host = "sip.example.org", .port = 5070, .transport = transport, .secure = !transport};
    const std::vector<locate::Server> left{{Transport::Tls, *SocketAddress::parse("192.0.2.1", 5061)},
                                           {Transport::Udp, *SocketAddress::parse("2001:db8::1", 5060)}};
    std::string bytes;
    encode_servers(destination, left, bytes);
    ServerList list;
    ASSERT_TRUE(decode_servers(bytes, list));
    EXPECT_EQ(list.destination, destination);
    EXPECT_EQ(list.left, left);
    EXPECT_EQ(name_of_servers(bytes), "sip.example.org");
  }
}

TEST(ServerList, RefusesOtherBytes) {
  std::string bytes;
  encode_servers({.host = "sip.example.org"}, {{Transport::Tls, *SocketAddress::parse("192.0.2.1", 5061)}}, bytes);
  ServerList list;
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{12}, bytes.size() - 1})
    EXPECT_FALSE(decode_servers(bytes.substr(0, size), list)) << size;
  EXPECT_FALSE(decode_servers(bytes + "x", list));
  std::string other = bytes;
  other[0] = 2;
  EXPECT_FALSE(decode_servers(other, list)) << "another version";
  other = bytes;
  other[2] = 99;
  EXPECT_FALSE(decode_servers(other, list)) << "no transport";
  EXPECT_EQ(name_of_servers("sip.example.org"), "") << "the name alone, of a branch that is not located";
}

}  // namespace
}  // namespace perdure::proxy

#include "permissions/address_list.hpp"

#include <gtest/gtest.h>

namespace perdure::permissions {
namespace {

AddressList parse(std::string_view text) {
  auto list = AddressList::parse(text, "address.list");
  EXPECT_TRUE(list) << list.error().message;
  return list ? std::move(*list) : AddressList();
}
std::string error_of(std::string_view text) {
  const auto list = AddressList::parse(text, "address.list");
  return list ? "" : list.error().message;
}
// "group tag" of the entry; empty if there is none.
std::string find(const AddressList& list, const char* ip, std::uint16_t port, std::optional<std::uint32_t> group = {}) {
  const auto* entry = list.find(*SocketAddress::parse(ip, port), group);
  return entry ? std::to_string(entry->group) + " " + entry->tag : "";
}

TEST(AddressList, FindsAddressesAndNetworks) {
  const auto list = parse(
      "# gateways\n1 192.0.2.1 32 0 exact\n1 192.0.2.1 32 5070 port\n2 192.0.2.0/24 0 net\n3 192.0.2.77/25\n"
      "4 2001:db8::/32 0 six\n4 [2001:db8::5] 128 5061 host\n9 0.0.0.0/0 0 all\n");
  EXPECT_EQ(list.entries().size(), 7U);
  EXPECT_EQ(find(list, "192.0.2.1", 5060), "1 exact");
  EXPECT_EQ(find(list, "192.0.2.1", 5070, 1), "1 exact") << "the first of the file";
  EXPECT_EQ(find(list, "192.0.2.1", 5060, 2), "2 net");
  EXPECT_EQ(find(list, "192.0.2.2", 5060), "3 ") << "the longest prefix first";
  EXPECT_EQ(find(list, "192.0.2.200", 5060), "2 net");
  EXPECT_EQ(find(list, "198.51.100.1", 5060), "9 all");
  EXPECT_EQ(find(list, "198.51.100.1", 5060, 2), "");
  EXPECT_EQ(find(list, "2001:db8::5", 5061), "4 host");
  EXPECT_EQ(find(list, "2001:db8::5", 5060), "4 six") << "the port is another one";
  EXPECT_EQ(find(list, "2001:db9::5", 5060), "") << "0.0.0.0/0 is IPv4 only";
  EXPECT_EQ(find(AddressList(), "192.0.2.1", 5060), "");
}

TEST(AddressList, ErrorsNameFileAndLine) {
  EXPECT_EQ(error_of("1 192.0.2.1\nx 192.0.2.1\n"), "address.list:2: 'x' is not the number of a group, 1 or more");
  EXPECT_EQ(error_of("0 192.0.2.1"), "address.list:1: '0' is not the number of a group, 1 or more");
  EXPECT_EQ(error_of("1 gateway.example.org"), "address.list:1: 'gateway.example.org' is not a numeric address");
  EXPECT_EQ(error_of("1 192.0.2.1/33"), "address.list:1: '33' is not a number of bits from 0 to 32");
  EXPECT_EQ(error_of("1 192.0.2.1/"), "address.list:1: a slash without a number of bits");
  EXPECT_EQ(error_of("1 2001:db8:: 129"), "address.list:1: '129' is not a number of bits from 0 to 128");
  EXPECT_EQ(error_of("1 192.0.2.1 32 70000"), "address.list:1: '70000' is not a port");
  EXPECT_EQ(error_of("1 192.0.2.1 32 0 tag more"), "address.list:1: 'more' after the tag");
}

TEST(Permissions, TheListIsReplacedAsAWhole) {
  Permissions permissions;
  EXPECT_TRUE(permissions.list()->entries().empty());
  const auto before = permissions.list();
  permissions.replace(parse("1 192.0.2.1\n"));
  EXPECT_TRUE(before->entries().empty()) << "who has the old one keeps it";
  EXPECT_EQ(find(*permissions.list(), "192.0.2.1", 1), "1 ");
}

}  // namespace
}  // namespace perdure::permissions

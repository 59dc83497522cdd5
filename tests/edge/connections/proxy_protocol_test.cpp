#include "edge/connections/proxy_protocol.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perdure::edge {
namespace {

using Kind = ProxyHeader::Kind;
using namespace std::string_view_literals;

constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;

std::string binary(std::string_view command_and_family, std::string_view rest) {
  std::string text(signature);
  text += command_and_family;
  text += static_cast<char>(rest.size() >> 8);
  text += static_cast<char>(rest.size());
  return text.append(rest);
}

TEST(ProxyProtocol, ReadsTheLineOfVersion1) {
  const std::string line = "PROXY TCP4 192.0.2.1 198.51.100.1 5070 5060\r\n";
  const auto header = read_proxy_header(line + "INVITE");
  ASSERT_EQ(header.kind, Kind::Done);
  EXPECT_EQ(header.consumed, line.size());
  EXPECT_EQ(header.source->text(), "192.0.2.1:5070");
  EXPECT_EQ(read_proxy_header("PROXY TCP6 2001:db8::1 2001:db8::2 5070 5060\r\n").source->text(), "[2001:db8::1]:5070");
  EXPECT_EQ(read_proxy_header("PROXY UNKNOWN\r\n").kind, Kind::Done);
  EXPECT_FALSE(read_proxy_header("PROXY UNKNOWN ffff:f...f ffff 1 2\r\n").source);
  for (std::size_t size = 0; size < line.size(); ++size)
    EXPECT_EQ(read_proxy_header(std::string_view(line).substr(0, size)).kind, Kind::NeedMore) << size;
}

TEST(ProxyProtocol, ReadsTheHeaderOfVersion2) {
  const std::string addresses(std::string("\xC0\x00\x02\x01\xC6\x33\x64\x01\x13\xCE\x13\xC4", 12));
  const std::string whole = binary("\x21\x11", addresses + std::string("\x04\x00\x01x", 4));
  const auto header = read_proxy_header(whole + "INVITE");
  ASSERT_EQ(header.kind, Kind::Done);
  EXPECT_EQ(header.consumed, whole.size()) << "what it says beside addresses is skipped";
  EXPECT_EQ(header.source->text(), "192.0.2.1:5070");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(read_proxy_header(std::string_view(whole).substr(0, size)).kind, Kind::NeedMore) << size;
  const auto local = read_proxy_header(binary("\x20\x00"sv, ""));
  EXPECT_EQ(local.kind, Kind::Done);
  EXPECT_FALSE(local.source) << "a health check";
}

TEST(ProxyProtocol, RefusesEverythingElse) {
  for (const auto text :
       {"INVITE sip:a@b SIP/2.0\r\n"sv, "PROXY TCP4 192.0.2.1 198.51.100.1 5070\r\n"sv, "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"sv,
        "PROXY TCP4 192.0.2.1 198.51.100.1 99999 1\r\n"sv, "PROXY \r\n"sv, "\r\n\r\n\r\n"sv, "X"sv})
    EXPECT_EQ(read_proxy_header(text).kind, Kind::Bad) << text;
  EXPECT_EQ(read_proxy_header("PROXY " + std::string(200, 'x')).kind, Kind::Bad) << "a line without end";
  EXPECT_EQ(read_proxy_header(binary("\x21\x11", "short")).kind, Kind::Bad);
  EXPECT_EQ(read_proxy_header(binary("\x31\x11", std::string(12, 'x'))).kind, Kind::Bad) << "version 3";
  EXPECT_EQ(read_proxy_header(binary("\x21\x11", std::string(5000, 'x'))).kind, Kind::Bad) << "endless";
}

}  // namespace
}  // namespace perdure::edge

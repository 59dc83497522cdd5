#include "edge/connections/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace perdure::edge {
namespace {

using Kind = ProxyHeader::Kind;

constexpr std::string_view signature_v2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view signature_v1 = "PROXY ";
constexpr std::size_t line_bytes_max = 107;  // of version 1, with its CRLF

std::optional<std::uint16_t> port_from(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

ProxyHeader read_line(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return {bytes.size() < line_bytes_max ? Kind::NeedMore : Kind::Bad, 0, {}};
  if (end + 2 > line_bytes_max) return {Kind::Bad, 0, {}};
  // PROXY, family, source, destination, source port, destination port
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  for (std::string_view rest = bytes.substr(0, end); count < words.size(); ++count) {
    const std::size_t space = rest.find(' ');
    words[count] = rest.substr(0, space);
    if (space == std::string_view::npos) {
      ++count;
      break;
    }
    rest.remove_prefix(space + 1);
  }
  if (count >= 2 && words[1] == "UNKNOWN") return {Kind::Done, end + 2, {}};
  const auto port = count == 6 ? port_from(words[4]) : std::nullopt;
  const auto source = port ? SocketAddress::parse(words[2], *port) : std::nullopt;
  const auto family = words[1] == "TCP4" ? Family::IPv4 : words[1] == "TCP6" ? Family::IPv6 : Family::None;
  if (!source || source->family != family || !port_from(words[5])) return {Kind::Bad, 0, {}};
  return {Kind::Done, end + 2, source};
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 | static_cast<unsigned char>(bytes[at + 1]));
}

ProxyHeader read_binary(std::string_view bytes) {
  constexpr std::size_t fixed = 16;
  if (bytes.size() < fixed) return {};
  const auto command = static_cast<unsigned char>(bytes[12]), family = static_cast<unsigned char>(bytes[13]);
  const std::size_t length = number_at(bytes, 14);
  if (command >> 4 != 2 || (command & 15) > 1 || fixed + length > proxy_header_bytes_max) return {Kind::Bad, 0, {}};
  if (bytes.size() < fixed + length) return {};
  ProxyHeader header{Kind::Done, fixed + length, {}};
  if ((command & 15) == 0) return header;  // LOCAL: a health check of the balancer
  const std::string_view addresses = bytes.substr(fixed, length);
  const std::size_t ip_bytes = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
  if (ip_bytes == 0) return header;  // not TCP over IP: nothing that limits could hold for
  if (addresses.size() < 2 * ip_bytes + 4) return {Kind::Bad, 0, {}};
  SocketAddress source;
  source.family = ip_bytes == 4 ? Family::IPv4 : Family::IPv6;
  std::copy_n(addresses.begin(), ip_bytes, reinterpret_cast<char*>(source.ip.data()));
  source.port = number_at(addresses, 2 * ip_bytes);
  header.source = source;
  return header;
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
  const auto begins = [bytes](std::string_view signature) {
    const std::size_t common = std::min(bytes.size(), signature.size());
    return bytes.substr(0, common) == signature.substr(0, common);
  };
  if (begins(signature_v1)) return bytes.size() < signature_v1.size() ? ProxyHeader{} : read_line(bytes);
  if (begins(signature_v2)) return read_binary(bytes);
  return {Kind::Bad, 0, {}};
}

}  // namespace perdure::edge

#include "base/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/assert.hpp"

namespace perdure {

namespace {

// Four numbers with dots, without leading zeros, as inet_pton reads them. By hand, since every message brings some of them.
bool parse_ipv4(std::string_view text, std::uint8_t* out) {
  std::size_t i = 0;
  for (int part = 0; part < 4; ++part) {
    if (part && (i == text.size() || text[i++] != '.')) return false;
    const std::size_t begin = i;
    unsigned value = 0;
    while (i < text.size() && i < begin + 3 && text[i] >= '0' && text[i] <= '9')
      value = value * 10 + static_cast<unsigned>(text[i++] - '0');
    if (i == begin || value > 255 || (text[begin] == '0' && i > begin + 1)) return false;
    out[part] = static_cast<std::uint8_t>(value);
  }
  return i == text.size();
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text, std::uint16_t port) {
  SocketAddress address;
  address.port = port;
  const bool bracketed = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  if (bracketed) text = text.substr(1, text.size() - 2);
  if (parse_ipv4(text, address.ip.data())) {
    address.family = Family::IPv4;
    return address;
  }
  address.ip = {};
  char zero_terminated[INET6_ADDRSTRLEN + 1];
  if (text.size() >= sizeof zero_terminated || !text.contains(':') || text.contains('\0')) return std::nullopt;
  std::memcpy(zero_terminated, text.data(), text.size());
  zero_terminated[text.size()] = '\0';
  if (inet_pton(AF_INET6, zero_terminated, address.ip.data()) != 1) return std::nullopt;
  address.family = Family::IPv6;
  return address;
}

SocketAddress SocketAddress::from_native(const sockaddr_storage& native) {
  SocketAddress address;
  if (native.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(native);
    std::memcpy(address.ip.data(), &in.sin_addr, 4);
    address.port = ntohs(in.sin_port);
    address.family = Family::IPv4;
  } else if (native.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(native);
    std::memcpy(address.ip.data(), &in.sin6_addr, 16);
    address.port = ntohs(in.sin6_port);
    address.family = Family::IPv6;
  }
  return address;
}

std::size_t SocketAddress::to_native(sockaddr_storage& native) const {
  PERDURE_ASSERT(family != Family::None);
  if (family == Family::IPv4) {
    auto& in = reinterpret_cast<sockaddr_in&>(native);
    in = {};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, ip.data(), 4);
    return sizeof in;
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(native);
  in = {};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  std::memcpy(&in.sin6_addr, ip.data(), 16);
  return sizeof in;
}

bool SocketAddress::is_unicast() const {
  const auto all = [this](std::size_t count, std::uint8_t value) {
    return std::all_of(ip.begin(), ip.begin() + static_cast<std::ptrdiff_t>(count), [value](std::uint8_t byte) { return byte == value; });
  };
  switch (family) {
    case Family::IPv4:
      return !all(4, 0) && !all(4, 255) && (ip[0] & 0xF0) != 0xE0;
    case Family::IPv6:
      return !all(16, 0) && ip[0] != 0xFF;
    case Family::None:
      break;
  }
  return false;
}

void SocketAddress::append_ip_text(std::string& out) const {
  if (family == Family::IPv4) {  // by hand: inet_ntop() would go through printf, for each message
    char digits[16];
    char* at = digits;
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) *at++ = '.';
      at = std::to_chars(at, digits + sizeof digits, unsigned{ip[i]}).ptr;
    }
    out.append(digits, at);
  } else if (family == Family::IPv6) {
    char text[INET6_ADDRSTRLEN] = "";
    out += inet_ntop(AF_INET6, ip.data(), text, sizeof text);
  }
}

std::string SocketAddress::ip_text() const {
  std::string text;
  append_ip_text(text);
  return text;
}

std::string SocketAddress::host_text() const {
  return family == Family::IPv6 ? "[" + ip_text() + "]" : ip_text();
}
std::string SocketAddress::text() const {
  return host_text() + ":" + std::to_string(port);
}

namespace {
struct Names {
  std::string_view lower, upper;
};
constexpr Names names[] = {{"udp", "UDP"}, {"tcp", "TCP"}, {"tls", "TLS"}, {"ws", "WS"}, {"wss", "WSS"}};
}  // namespace

std::string_view name(Transport transport) {
  return names[static_cast<std::size_t>(transport)].lower;
}
std::string_view via_name(Transport transport) {
  return names[static_cast<std::size_t>(transport)].upper;
}

std::optional<Transport> transport_from(std::string_view text) {
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (text.size() == names[i].lower.size() && strncasecmp(text.data(), names[i].lower.data(), text.size()) == 0)
      return static_cast<Transport>(i);
  return std::nullopt;
}

}  // namespace perdure

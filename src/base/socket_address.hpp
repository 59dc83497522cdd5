#pragma once
// An IP address with a port, trivially copyable because it is stored in records as it is.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

struct sockaddr_storage;

namespace perdure {

enum class Family : std::uint8_t { None, IPv4, IPv6 };

struct SocketAddress {
  std::array<std::uint8_t, 16> ip{};  // network order, the first 4 for IPv4
  std::uint16_t port = 0;             // host order
  Family family = Family::None;
  std::uint8_t reserved = 0;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;

  // A numeric address, "192.0.2.1", "2001:db8::1" or "[2001:db8::1]"; never a name.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view ip, std::uint16_t port);
  [[nodiscard]] static SocketAddress from_native(const sockaddr_storage& native);
  // Fills `native`, returns its length.
  std::size_t to_native(sockaddr_storage& native) const;

  [[nodiscard]] bool same_ip(const SocketAddress& other) const { return family == other.family && ip == other.ip; }
  // One host: neither unspecified, nor multicast, nor the broadcast address.
  [[nodiscard]] bool is_unicast() const;
  void append_ip_text(std::string& out) const;  // appends nothing without a family
  [[nodiscard]] std::string ip_text() const;    // "192.0.2.1", "2001:db8::1"
  [[nodiscard]] std::string host_text() const;  // as in a URI or Via: IPv6 in brackets
  [[nodiscard]] std::string text() const;       // "192.0.2.1:5060", "[2001:db8::1]:5060"
};
static_assert(std::is_trivially_copyable_v<SocketAddress> && sizeof(SocketAddress) == 20);

enum class Transport : std::uint8_t { Udp, Tcp, Tls, Ws, Wss };
[[nodiscard]] std::string_view name(Transport transport);                      // "udp"
[[nodiscard]] std::string_view via_name(Transport transport);                  // "UDP"
[[nodiscard]] std::optional<Transport> transport_from(std::string_view name);  // case-insensitive
[[nodiscard]] constexpr bool is_reliable(Transport transport) {
  return transport != Transport::Udp;
}

}  // namespace perdure

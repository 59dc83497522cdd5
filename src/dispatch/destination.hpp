#pragma once
// Destinations and their states, as Kamailio's dispatcher numbers and names them.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"

namespace perdure::dispatch {

inline constexpr std::size_t destinations_max = 4096;  // in all sets together
inline constexpr std::size_t candidates_max = 16;      // tried for one call

// Bits of a destination's state; none set: active.
namespace state {
inline constexpr std::uint8_t inactive = 1, trying = 2, disabled = 4, probing = 8;
inline constexpr std::uint8_t all = 15;
// Bits of the list file that are not states.
inline constexpr std::uint8_t no_dns = 16, no_ping = 32;
}  // namespace state

[[nodiscard]] constexpr bool is_usable(std::uint8_t flags) {
  return (flags & (state::inactive | state::disabled)) == 0;
}

// "AX", "IP", "TX", "DX": first active, inactive, trying or disabled, then P if it is probed, else X.
[[nodiscard]] std::string_view state_text(std::uint8_t flags);

// The letters of ds_mark_dst and dispatcher.set_state ("a", "ip", "tp", "d", …) as state bits; < 0 for another letter.
[[nodiscard]] int state_from_letters(std::string_view letters);

// One line of the list. Immutable; its state lives in the StateFile under `slot`.
struct Destination {
  std::int32_t set = 0;
  std::string uri;
  std::uint8_t listed_flags = 0;  // of the list file: state it starts with, and no_ping
  std::int32_t priority = 0;      // higher first
  std::string attrs;              // as written; Kamailio's $xavp(_dsdst_=>attrs)
  // Taken from attrs:
  std::uint32_t weight = 0, relative_weight = 0, maxload = 0;
  std::string duid, socket, ping_from;

  SocketAddress address;  // where `uri` points; Family::None: it has a host name, and Dispatcher::servers_of() says where
  Transport transport = Transport::Udp;
  std::uint32_t slot = 0;  // in the StateFile
  std::uint32_t line = 0;  // in the list file
};

}  // namespace perdure::dispatch

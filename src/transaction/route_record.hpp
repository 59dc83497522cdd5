#pragma once
// What [state] persist = "routes" keeps of each INVITE branch: where it went and under which name, so that after a restart CANCEL and ACK
// find it. docs/store-format.md describes the bytes.
#include <cstdint>
#include <type_traits>

#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "store/store.hpp"
#include "transaction/record_layout1.hpp"
#include "transaction/state.hpp"

namespace perdure::transaction {

struct RouteHeader {
  static constexpr store::Kind kind = store::Kind::Route;
  static constexpr std::uint16_t layout = 2;
  using Previous = RouteLayout1;

  static constexpr std::uint64_t no_key = 0;  // of a route whose INVITE has begun another transaction since

  std::uint64_t key = no_key;                     // ServerKey of the INVITE: ACK and CANCEL have the same
  Time expire_at = never;                         // erased then if nobody asked for it
  SocketAddress destination;                      // of the branch
  SocketAddress source;                           // where the INVITE came from
  SocketAddress reply_to;                         // where its responses go
  std::uint32_t socket_key = 0;                   // LocalSocket::key of the socket the branch was sent from
  std::uint32_t upstream_socket_key = 0;          // and of the one the INVITE came by
  std::uint32_t record = 0, nonce = 0, loop = 0;  // the branch parameter, with `branch`
  std::uint8_t branch = 0;
  State state = State::Calling;           // Calling: no response yet; Proceeding; Completed: a final response came
  std::uint16_t breadth = 0;              // Max-Breadth as sent (RFC 5393), 0: none
  store::BlobRef text;                    // Request-URI, then the To and Route lines of the INVITE as sent, each with its CRLF
  std::uint32_t canceled = 0;             // a CANCEL came from upstream
  std::uint64_t upstream_connection = 0;  // that the INVITE came by, 0: datagram
  std::uint64_t connection = 0;           // as in Branch
  store::BlobRef server_name;             // as in Branch

  template <class F, class Read>
  void for_each_blob(F&& f, Read&&) const {
    if (text) f(text);
    if (server_name) f(server_name);
  }
  [[nodiscard]] static bool upgrade(const RouteLayout1& from, RouteHeader& to, store::Partition& partition);
};
static_assert(std::is_trivially_copyable_v<RouteHeader> && sizeof(RouteHeader) == 136);

}  // namespace perdure::transaction

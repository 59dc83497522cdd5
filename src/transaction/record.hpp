#pragma once
// The transaction record: what the engine works on and what survives are the same bytes. docs/store-format.md describes them.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "sip/method.hpp"
#include "store/store.hpp"
#include "transaction/record_layout1.hpp"
#include "transaction/state.hpp"

namespace perdure::transaction {

inline constexpr std::size_t branches_max = 16;

// Where a branch stands whose next hop is a host name (RFC 3263).
enum class Located : std::uint8_t {
  No,       // its next hop is an address
  Waiting,  // it has not been sent: name servers are asked
  More,     // it was sent to a server of that name, and another branch may take its place when that fails
  Last,     // it was sent, and none will
  Spent,    // it has answered or failed, and what follows from that for its servers is done
};

// A client transaction towards one target, and the client transaction of its CANCEL.
struct Branch {
  SocketAddress destination;
  std::uint32_t socket_key = 0;  // LocalSocket::key of the socket it was sent from
  State state = State::None;
  State cancel_state = State::None;      // non-INVITE client machine of the CANCEL; None: not sent
  std::uint8_t cancel_wanted = 0;        // a CANCEL goes out as soon as a provisional comes (RFC 3261 9.1)
  std::uint8_t timed_out = 0;            // `status` was made here, by Timer B, C or F
  std::uint16_t status = 0;              // last status code received, 0: none
  std::uint16_t q = 1000;                // q-value in thousandths
  std::uint32_t flags = 0;               // branch flags of the script
  std::uint32_t interval_ms = 0;         // Timers A, E
  std::uint32_t cancel_interval_ms = 0;  // Timer E of the CANCEL
  std::uint8_t attempt = 0;              // which relay of the transaction added it, from 0
  std::uint8_t dropped = 0;              // 1: its response is not chosen any more: a failure route has gone on without it
  std::uint8_t reports_failure = 0;      // 1: the branch-failure route runs when it fails
  std::uint8_t unreachable = 0;          // 1: `status` was made here, because no connection could deliver the request
  Time retransmit_at = never;            // Timers A, E
  Time expire_at = never;                // Timers B, C, D, F, K, M, by state
  Time cancel_retransmit_at = never;     // Timer E of the CANCEL
  Time cancel_expire_at = never;         // Timers F, K of the CANCEL
  store::BlobRef request;                // as sent; freed when nothing can need it again
  store::BlobRef response;               // final response as received, until the response context has chosen
  // Of reliable transports:
  std::uint64_t connection = 0;  // that the peer has answered by: ACK and CANCEL leave by it, too. 0: any to `destination`
  // The name that the peer's certificate must have, none: its address; as long as `request`. If it is `located`, a list of servers
  // (proxy/server_list.hpp).
  store::BlobRef server_name;
  std::uint32_t fallback_socket_key = 0;  // UDP socket, if TCP was chosen for the size of the request and cannot deliver it (18.1.1)
  Transport transport = Transport::Udp;   // that of the local socket
  Located located = Located::No;
  std::uint8_t record_routed = 0;  // 1: our Record-Route stands in `request`
  std::uint8_t reserved = 0;

  template <class F>
  void for_each_blob(F&& f) const {
    for (const auto& blob : {request, response, server_name})
      if (blob) f(blob);
  }
};

// Outputs that a commit justifies and that are not yet known to have left. Bits of TransactionHeader::pending.
inline constexpr std::uint64_t pending_response = 1;
[[nodiscard]] constexpr std::uint64_t pending_request(std::size_t branch) {
  return std::uint64_t{2} << (3 * branch);
}
[[nodiscard]] constexpr std::uint64_t pending_cancel(std::size_t branch) {
  return std::uint64_t{4} << (3 * branch);
}
[[nodiscard]] constexpr std::uint64_t pending_ack(std::size_t branch) {
  return std::uint64_t{8} << (3 * branch);
}
inline constexpr std::uint64_t pending_account = std::uint64_t{1} << 63;  // the line of accounting in its context
static_assert(3 * branches_max + 1 <= 63);

// What a script has switched for its transaction, and what the transaction is. Bits of TransactionHeader::switches.
enum Switch : std::uint16_t {
  no_trying = 1 << 0,            // no 100 of ours for the INVITE (t_set_auto_inv_100)
  no_6xx = 1 << 1,               // a 6xx is a failure like any other (t_set_disable_6xx)
  no_cancel_reason = 1 << 2,     // the Reason of the CANCEL from upstream stays here (t_set_no_e2e_cancel_reason)
  no_internal_reply = 1 << 3,    // the script answers the errors of t_relay itself (t_set_disable_internal_reply)
  suspended = 1 << 4,            // has no branch yet and waits until expire_at for t_continue or a late branch
  takes_late_branches = 1 << 5,  // tsilo: stands in the index under the key in its context
  local = 1 << 6,                // a request of our own: a branch, but nobody upstream
  accounted = 1 << 7,            // its line of accounting is made
  from_replaced = 1 << 8,        // replies get the From of the request again (KSR.uac)
  to_replaced = 1 << 9,          // and the To
  no_reply_connect = 1 << 10,    // responses go over connections that there are, they open none (set_reply_no_connect)
  reply_closes = 1 << 11,        // the final response ends its connection (set_reply_close)
  no_forward_connect = 1 << 12,  // the same for what goes to branches (set_forward_no_connect, set_forward_close)
  forward_closes = 1 << 13,
};

struct TransactionHeader {
  static constexpr store::Kind kind = store::Kind::Transaction;
  static constexpr std::uint16_t layout = 2;
  using Previous = TransactionLayout1;

  std::uint64_t key = 0;         // ServerKey of RFC 3261 17.2.3
  std::uint64_t connection = 0;  // connection the request came by, 0: datagram
  std::uint64_t pending = 0;
  Time created{};
  Time retransmit_at = never;     // Timer G
  Time expire_at = never;         // Timers H, I, J, L, by state
  SocketAddress source;           // where the request came from
  SocketAddress reply_to;         // where responses go (RFC 3261 18.2.2, RFC 3581)
  std::uint32_t socket_key = 0;   // LocalSocket::key of the socket it came by
  std::uint32_t nonce = 0;        // part of the branch parameters: tells this transaction from the next in the same slot
  std::uint32_t loop_hash = 0;    // part of the branch parameters: RFC 5393 4.2
  std::uint32_t flags = 0;        // message flags of the script
  std::uint32_t interval_ms = 0;  // Timer G
  State state = State::None;
  sip::Method method = sip::Method::Other;
  std::uint8_t branch_count = 0;
  std::uint8_t canceled = 0;      // a CANCEL came from upstream
  std::uint16_t status = 0;       // last status sent upstream, 0: none
  std::uint16_t switches = 0;     // bits of Switch; 0 in records of older programs
  store::BlobRef request;         // as received; freed when nothing can need it again
  store::BlobRef response;        // last response sent upstream
  store::BlobRef context;         // what the script left: armed routes, edits, variables (proxy/context_codec.hpp)
  store::BlobRef cancel_headers;  // Reason lines for CANCELs that we send
  store::BlobRef targets;         // targets of lower q not tried yet (serial forking)
  store::BlobRef branches;        // Branch[branch_count] if more than one
  std::uint8_t unused = 0;        // older programs kept a count of branches here
  std::uint8_t force_rport = 0;   // 1: responses carry rport in the Via of the hop before us though it did not ask (RFC 3581)
  std::uint16_t reserved = 0;
  Branch branch;  // the branch, if just one

  // `read` gives the bytes of a blob, empty if the reference is bad: with several branches their blobs are named in `branches`.
  template <class F, class Read>
  void for_each_blob(F&& f, Read&& read) const {
    for (const auto& blob : {request, response, context, cancel_headers, targets, branches})
      if (blob) f(blob);
    branch.for_each_blob(f);
    if (!branches) return;
    const std::string_view bytes = read(branches);
    for (std::size_t at = 0; at + sizeof(Branch) <= bytes.size() && at < branches_max * sizeof(Branch); at += sizeof(Branch)) {
      Branch one;
      std::memcpy(&one, bytes.data() + at, sizeof one);
      one.for_each_blob(f);
    }
  }

  // False: the branches cannot be read, or there is no room for them.
  [[nodiscard]] static bool upgrade(const TransactionLayout1& from, TransactionHeader& to, store::Partition& partition);
};
static_assert(std::is_trivially_copyable_v<TransactionHeader> && std::is_trivially_copyable_v<Branch>);
static_assert(sizeof(Branch) == 120 && sizeof(TransactionHeader) == 288);

}  // namespace perdure::transaction

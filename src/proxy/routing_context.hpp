#pragma once
// One run of a route: the message, what the script has decided so far, and the actions it can take. Lives for the run only.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "proxy/received.hpp"
#include "proxy/route_runner.hpp"
#include "sip/edits.hpp"
#include "sip/message.hpp"
#include "store/types.hpp"

namespace perdure::proxy {

class Proxy;
class Outputs;
struct Frame;

// A larger message than this is not made of a smaller one.
inline constexpr std::size_t applied_size_bytes_max = 65'535;

// A destination of the target set (RFC 3261 16.5). Empty texts mean "as in the request".
struct Target {
  std::string uri;               // Request-URI of the branch
  std::string destination_uri;   // next hop that overrides the Request-URI and Route, as $du
  std::uint32_t flags = 0;       // branch flags
  std::uint16_t q = 1000;        // q-value in thousandths
  std::uint32_t socket_key = 0;  // LocalSocket::key of the socket to send from if it fits the next hop ($fs), 0: any
};

// A request of our own, outside of any dialog. `headers`: complete lines, among them From and To.
struct LocalRequest {
  std::string_view method, uri, next_hop, socket, headers, body;
};

// Names of the callbacks armed for the transaction; persisted by name.
struct ArmedRoutes {
  std::string branch, reply, failure, branch_failure;
  bool operator==(const ArmedRoutes&) const = default;
};

// What the script has set of the timers, milliseconds; 0: as configured.
struct TimerSettings {
  std::uint32_t fr_ms = 0;                                // until the first response of a branch (t_set_fr); RFC 3261 Timers B, F
  std::uint32_t fr_inv_ms = 0;                            // from the last provisional response to the final one; Timer C
  std::uint32_t t1_ms = 0, t2_ms = 0;                     // retransmission (t_set_retr)
  std::uint32_t lifetime_invite_ms = 0, lifetime_ms = 0;  // of the transaction as a whole (t_set_max_lifetime), by method
  bool operator==(const TimerSettings&) const = default;
};

class RoutingContext {
 public:
  explicit RoutingContext(Proxy& owner) : proxy(owner) {}

  Proxy& proxy;
  Outputs* outputs = nullptr;
  RouteKind kind = RouteKind::Request;
  Time now{};
  const Received* received = nullptr;     // where `message` came from (for Failure: where the request came from)
  const sip::Message* message = nullptr;  // Request, Branch, Failure: the request; Reply, OnReply: the response
  sip::Edits* edits = nullptr;            // edits of `message`, applied when it is forwarded

  Target target;                     // $ru (uri) and $du (destination_uri) and branch flags of the main branch
  std::vector<Target> more_targets;  // append_branch
  std::uint32_t flags = 0;           // message flags, kept with the transaction
  bool force_rport = false;
  bool local_rport = false;                    // add_local_rport: our own Via asks the next hop for rport (RFC 3581)
  std::string advertised_host;                 // set_advertised_address: in our Via; empty: that of the socket
  std::uint16_t advertised_port = 0;           // set_advertised_port; 0: that of the socket
  std::uint8_t max_forwards_added = 70;        // what a request leaves with that came without Max-Forwards (RFC 3261 16.6 item 3)
  bool record_route = false;                   // rr.record_route was called
  std::string record_route_params;             // rr.add_rr_param, e.g. ";ftag=x;lb=yes"
  std::string route_params;                    // parameters of the Route that loose_route took off: check_route_param, is_direction
  std::string upstream_headers;                // lines that append_to_reply adds to the replies we generate
  std::string reply_body, reply_content_type;  // of the replies that this run makes (textops.set_reply_body)
  ArmedRoutes armed;
  bool branch_failure_spent = false;  // armed.branch_failure is that of branches that are there, not of new ones
  std::string account_line;           // of its final response, till it is known to be written
  TimerSettings timers;
  std::uint16_t switches = 0;  // bits of transaction::Switch for the transaction that is yet to be made
  std::string silo_key;        // tsilo: late branches for this key are taken
  std::string variables;       // AVPs and XAVPs as the script encodes them
  bool variables_changed = false;
  void* script_state = nullptr;  // the script's decoded variables, owned by it

  store::RecordId transaction = store::RecordId::none;  // none: no transaction (yet)
  int branch = -1;                                      // Branch, OnReply: index; Failure: the branch that won
  std::uint16_t status = 0;                             // Reply, OnReply, Failure: status code ($T_reply_code)
  bool timed_out = false;                               // Failure: the winning response is a locally made 408 (t_branch_timeout)
  bool branch_replied = false;                          // the branch had got a response from outside (t_branch_replied)
  bool relayed = false;                                 // relay() has added branches in this run
  std::uint8_t routes_removed = 0;                      // how many Route values loose_route took off the top
  std::string request_uri_route;  // strict routing: the Request-URI that must become the last Route value (16.6 step 6)
  bool drop = false;              // Reply/OnReply/Branch: do not forward this message
  enum class Drop : std::uint8_t { IfRelayed, None, Last, All };
  Drop drop_replies = Drop::IfRelayed;  // Failure: which responses are not chosen any more after this run (t_drop_replies)
  std::uint8_t branches_before = 0;     // Failure: how many there were when it began
  bool released = false;                // the transaction has been given up without an answer (t_release)
  bool finished = false;                // the message has been relayed, answered or dropped on purpose
  std::string event;                    // Local, Event: what it is, the argument of the callback
  std::function<void()> on_event_end;   // Event: called when the callback is over, waits included

  struct Work;               // proxy/work.hpp
  Work* work = nullptr;      // the transaction as this run changes it; none in the request route before new_transaction()
  Work* own_work = nullptr;  // room for it, beside this context
  Frame* frame = nullptr;    // what it is a part of
  std::uint64_t wait = 0;    // of begin_wait(): this run waits
  Time wait_deadline = never;
  bool trying_is_due = false;  // the 100 that a new transaction sends has not left yet

  // Ready for the next run; texts keep their capacity.
  void reset();

  // ---- actions; return values as in Kamailio: > 0 true, < 0 false, 0 stop ----
  // The run is about to wait for something that another thread does, in a request or failure route. From then on the transaction stands
  // in the store without an answer, retransmissions are absorbed, and should the process end, the next one runs the route again from its
  // begin. Proxy::resume() with the number returned goes on; at `deadline` the core does. 0: not in this route, too many wait already, or
  // there is no room for the transaction (then 503 has been sent).
  std::uint64_t begin_wait(Time deadline);

  // textopsx.msg_apply_changes: `message` becomes what it would be forwarded as, and the list of changes is empty; views of it end. In
  // request routes before there is a transaction, and in reply routes; else, or if nothing well-formed comes out: -1, nothing changes.
  int apply_changes();
  // textopsx.msg_set_buffer: the same with another text; Call-ID, CSeq and top Via must stay.
  int replace_message(std::string text);
  int check_transaction();  // tm.t_check_trans: 1 a CANCEL/ACK of a transaction; 0 retransmission absorbed; -1 none
  int new_transaction();    // tm.t_newtran: 1; 0 retransmission; -1 failed (store full: 503 is sent)
  int relay();              // tm.t_relay: forwards statefully to the target set; 1, or < 0 after an error reply
  int relay_cancel();       // tm.t_relay_cancel: 1 when the CANCEL had no transaction (go on), 0 when it was handled
  int reply(std::uint16_t code, std::string_view reason);            // tm.t_reply
  int stateless_reply(std::uint16_t code, std::string_view reason);  // sl.sl_send_reply
  int send_reply(std::uint16_t code, std::string_view reason);       // sl.send_reply: stateful when there is a transaction
  int refuse_by_drain();                                             // drain.reject: answers as the server itself would
  int forward();                                                     // stateless forwarding, RFC 3261 16.11
  int loose_route();                                                 // rr.loose_route
  int account(std::string_view comment);                             // acc.acc_log_request: 1
  // uac.uac_replace_from and _to: header value and URI that leave instead; 1, or -1 if there is no such header.
  enum class Address : std::uint8_t { From, To };
  int replace_address(Address which, std::string_view display, std::string_view uri);
  int restore_address(Address which);  // uac.uac_restore_from: 1, or -1 if nothing in the Route says how
  int reuse_branch();                  // tmx.t_reuse_branch: the target of the branch that failed
  // Calls `f` with a context in which that message of the transaction is at work, to be read. False: it is not there.
  enum class Other : std::uint8_t { Request, Reply, Invite };  // $T_req, $T_rpl, $T_inv
  bool with_message(Other which, const std::function<void(RoutingContext&)>& f);
  int process_max_forwards(std::uint32_t added);  // maxfwd.process_maxfwd; 1 ok, -1 was zero (the script answers 483)
  // 0 leaves a value as it is. With a transaction the timers that run are set anew.
  int set_final_response_timers(std::uint32_t invite_ms, std::uint32_t ms);  // tm.t_set_fr
  int set_retransmission_timers(std::uint32_t t1_ms, std::uint32_t t2_ms);   // tm.t_set_retr
  int set_max_lifetime(std::uint32_t invite_ms, std::uint32_t ms);           // tm.t_set_max_lifetime
  int reset_final_response_timers();                                         // tm.t_reset_fr
  int reset_retransmission_timers();                                         // tm.t_reset_retr
  int reset_max_lifetime();                                                  // tm.t_reset_max_lifetime
  int flush_flags();                               // tmx.t_flush_flags: the message flags of now are those of the transaction
  int set_switch(std::uint16_t bit, bool on);      // a bit of transaction::Switch
  [[nodiscard]] bool is_expired() const;           // tm.t_is_expired
  [[nodiscard]] bool has_invite(bool take_flags);  // tm.t_lookup_cancel: of this CANCEL
  int save();                                      // tm.t_save_lumps: 1, or -1 if there is no room
  int retransmit_reply();                          // tm.t_retransmit_reply
  int release();                                   // tm.t_release
  enum class CancelWhich : std::uint8_t { All, Others, This };
  int cancel_branches(CancelWhich which);  // tmx.t_cancel_branches, in a reply route
  // Of the transaction with that Call-ID and CSeq number; -1: there is none that is open. What belongs to another worker is handed over: 1.
  int cancel_call(std::string_view call_id, std::string_view cseq, std::uint32_t cancel_flags,
                  std::uint16_t reason);                                                                         // tmx.t_cancel_callid
  int reply_call(std::string_view call_id, std::string_view cseq, std::uint16_t code, std::string_view reason);  // tmx.t_reply_callid
  // The transaction waits, as the record says, for continue_transaction() with its record's id and nonce, or until no reply has come in
  // time.
  int suspend();                                                                               // tmx.t_suspend
  int continue_transaction(std::uint32_t index, std::uint32_t label, std::string_view route);  // tmx.t_continue
  int store_in_silo(std::string_view key);                                                     // tsilo.ts_store
  int append_to(std::uint32_t index, std::uint32_t label, std::span<const Target> targets);    // tsilo.ts_append_to
  int append_late(std::string_view key, std::span<const Target> targets);                      // tsilo.ts_append
  // The socket that the main branch leaves from if it fits its next hop: "tcp:192.0.2.1:5060", empty: any. False: there is none like that.
  bool set_send_socket(std::string_view name);
  [[nodiscard]] const LocalSocket* send_socket() const;    // null: any
  int send_request(const LocalRequest& request);           // tm.t_uac_send: 1, or -1 if it cannot be sent
  int replicate(std::string_view uri);                     // tm.t_replicate: a copy whose responses go nowhere
  [[nodiscard]] bool is_canceled() const;                  // tm.t_is_canceled
  [[nodiscard]] bool is_set(std::string_view what) const;  // tm.t_is_set("branch_route" | "failure_route" | "onreply_route")
  // true when host (and port, 0: any) is one of our addresses or aliases
  [[nodiscard]] bool is_myself(std::string_view host, std::uint16_t port) const;
  [[nodiscard]] bool is_myself_uri(std::string_view uri) const;
  [[nodiscard]] std::string_view advertised_host_of(const LocalSocket& socket) const {
    return advertised_host.empty() ? socket.advertised_host : advertised_host;
  }
  [[nodiscard]] std::uint16_t advertised_port_of(const LocalSocket& socket) const {
    return advertised_port ? advertised_port : socket.advertised_port;
  }

 private:
  [[nodiscard]] bool can_replace_message() const;
};

}  // namespace perdure::proxy

#pragma once
// One run of a route: the message, what the script has decided so far, and the actions it can take. Lives for the run only.
#include <cstdint>
#include <optional>
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

// A destination of the target set (RFC 3261 16.5). Empty texts mean "as in the request".
struct Target {
  std::string uri;              // Request-URI of the branch
  std::string destination_uri;  // next hop that overrides the Request-URI and Route, as $du
  std::uint32_t flags = 0;      // branch flags
  std::uint16_t q = 1000;       // q-value in thousandths
};

// Names of the callbacks armed for the transaction; persisted by name.
struct ArmedRoutes {
  std::string branch, reply, failure;
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
  bool local_rport = false;              // add_local_rport: our own Via asks the next hop for rport (RFC 3581)
  std::uint8_t max_forwards_added = 70;  // what a request leaves with that came without Max-Forwards (RFC 3261 16.6 item 3)
  bool record_route = false;             // rr.record_route was called
  std::string record_route_params;       // rr.add_rr_param, e.g. ";ftag=x;lb=yes"
  std::string route_params;              // parameters of the Route that loose_route took off: check_route_param, is_direction
  std::string upstream_headers;          // lines that append_to_reply adds to the replies we generate
  ArmedRoutes armed;
  std::string variables;  // AVPs and XAVPs as the script encodes them
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
  bool finished = false;          // the message has been relayed, answered or dropped on purpose

  struct Work;               // proxy/work.hpp
  Work* work = nullptr;      // the transaction as this run changes it; none in the request route before new_transaction()
  Work* own_work = nullptr;  // room for it, beside this context
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

  int check_transaction();  // tm.t_check_trans: 1 a CANCEL/ACK of a transaction; 0 retransmission absorbed; -1 none
  int new_transaction();    // tm.t_newtran: 1; 0 retransmission; -1 failed (store full: 503 is sent)
  int relay();              // tm.t_relay: forwards statefully to the target set; 1, or < 0 after an error reply
  int relay_cancel();       // tm.t_relay_cancel: 1 when the CANCEL had no transaction (go on), 0 when it was handled
  int reply(std::uint16_t code, std::string_view reason);            // tm.t_reply
  int stateless_reply(std::uint16_t code, std::string_view reason);  // sl.sl_send_reply
  int send_reply(std::uint16_t code, std::string_view reason);       // sl.send_reply: stateful when there is a transaction
  int forward();                                                     // stateless forwarding, RFC 3261 16.11
  int loose_route();                                                 // rr.loose_route
  int process_max_forwards(std::uint32_t added);                     // maxfwd.process_maxfwd; 1 ok, -1 was zero (the script answers 483)
  [[nodiscard]] bool is_canceled() const;                            // tm.t_is_canceled
  [[nodiscard]] bool is_set(std::string_view what) const;            // tm.t_is_set("branch_route" | "failure_route" | "onreply_route")
  // true when host (and port, 0: any) is one of our addresses or aliases
  [[nodiscard]] bool is_myself(std::string_view host, std::uint16_t port) const;
  [[nodiscard]] bool is_myself_uri(std::string_view uri) const;
};

}  // namespace perdure::proxy

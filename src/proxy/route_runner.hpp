#pragma once
// Upward calls from the proxy core to whoever decides where messages go: the script in the server, plain C++ in tests and the simulator.
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/time.hpp"

namespace perdure::proxy {

class Outputs;
class Proxy;
class RoutingContext;

enum class RouteKind : std::uint8_t {
  Request,        // every request that is not absorbed before; callback ksr_request_route
  Reply,          // every response, before its transaction acts on it; ksr_reply_route
  Branch,         // once per branch before it is sent; armed by t_on_branch
  OnReply,        // a response of a transaction; armed by t_on_reply
  Failure,        // all branches ended without success, before the answer goes upstream; armed by t_on_failure
  BranchFailure,  // a branch ended without success, whatever the others do; armed by t_on_branch_failure
  Local,          // a request of our own, before it is sent
  Event,          // something else than a message: a timer, a state; it gets a message of our making
};

// How other threads reach the thread of a worker.
class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // Runs `f` there between two batches. Any thread. When the worker stops it may be destroyed without having run.
  virtual void post(std::function<void(Proxy&, Time now, Outputs&)> f) = 0;
};

class RouteRunner {
 public:
  virtual ~RouteRunner() = default;
  // Runs the named route to its end. `name` is empty for the main routes of Request and Reply. Returns false when the script failed:
  // the core answers 500 where nothing has been answered yet. A run that waits has called RoutingContext::begin_wait() and returns true;
  // from then on it is known by its context, which stays where it is.
  [[nodiscard]] virtual bool run(RoutingContext& context, RouteKind kind, std::string_view name) = 0;
  // Adds to a line of accounting what the core does not know: the time in front, at the end what the script wants of the request in
  // `context` (";name=value").
  virtual void complete_account_line(RoutingContext& /*context*/, std::string& /*line*/) {}
  // Called before a commit whose context has changed variables: encode them into context.variables.
  virtual void save_variables(RoutingContext& context) = 0;
  // Goes on with a run that waits, to its end or to its next wait; returns what run() does. `timed_out`: the deadline has passed.
  [[nodiscard]] virtual bool resume(RoutingContext& /*context*/, bool /*timed_out*/) { return false; }
  // A run that waits will not be resumed: its transaction has ended meanwhile.
  virtual void abandon(RoutingContext& /*context*/) {}
  // Called once, before any run. The mailbox outlives the runner.
  virtual void set_mailbox(Mailbox& /*mailbox*/) {}
};

}  // namespace perdure::proxy

#pragma once
// Upward calls from the proxy core to whoever decides where messages go: the script in the server, plain C++ in tests and the simulator.
#include <cstdint>
#include <string_view>

namespace perdure::proxy {

class RoutingContext;

enum class RouteKind : std::uint8_t {
  Request,  // every request that is not absorbed before; callback ksr_request_route
  Reply,    // every response, before its transaction acts on it; ksr_reply_route
  Branch,   // once per branch before it is sent; armed by t_on_branch
  OnReply,  // a response of a transaction; armed by t_on_reply
  Failure,  // all branches ended without success, before the answer goes upstream; armed by t_on_failure
};

class RouteRunner {
 public:
  virtual ~RouteRunner() = default;
  // Runs the named route to its end. `name` is empty for the main routes of Request and Reply. Returns false when the script failed:
  // the core answers 500 where nothing has been answered yet.
  [[nodiscard]] virtual bool run(RoutingContext& context, RouteKind kind, std::string_view name) = 0;
  // Called before a commit whose context has changed variables: encode them into context.variables.
  virtual void save_variables(RoutingContext& context) = 0;
};

}  // namespace perdure::proxy

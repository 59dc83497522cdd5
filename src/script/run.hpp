#pragma once
// One run of a callback: what the functions of the script can reach. Lives from the start of the callback to its end.
#include <cstdint>

#include "proxy/route_runner.hpp"
#include "script/variables.hpp"

struct lua_State;

namespace perdure::proxy {
class RoutingContext;
}

namespace perdure::script {

// How a callback was left before its end.
enum class Leave : std::uint8_t { No, Exit, Drop };

struct Run {
  proxy::RoutingContext* context = nullptr;
  proxy::RouteKind kind = proxy::RouteKind::Request;
  lua_State* thread = nullptr;  // the coroutine of the callback
  Run* outer = nullptr;         // the run in which this one is nested: t_relay runs the branch route
  std::uint32_t script_flags = 0;
  Leave leave = Leave::No;

  // The transaction's variables. A branch route works on those of the run that relays, so that what it sets is kept.
  [[nodiscard]] Variables& variables();
  // Call after every change.
  void changed();
  // Encodes changes into context->variables, where the core takes them from.
  void save();

 private:
  [[nodiscard]] bool shares_variables() const { return kind == proxy::RouteKind::Branch && outer != nullptr; }
  Variables own_;
  bool decoded_ = false, dirty_ = false;
};

}  // namespace perdure::script

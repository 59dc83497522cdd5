#pragma once
// One run of a callback: what the functions of the script can reach. Lives from the start of the callback to its end, waits included.
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/route_runner.hpp"
#include "script/budget.hpp"
#include "script/service_results.hpp"
#include "script/sql_results.hpp"
#include "script/text_iterators.hpp"
#include "script/variables.hpp"
#include "shared/named_locks.hpp"

struct lua_State;

namespace perdure::proxy {
class RoutingContext;
}

namespace perdure::script {

struct Function;
class ScriptRunner;
class Vm;

// How a callback was left before its end.
enum class Leave : std::uint8_t { No, Exit, Drop };

struct Run {
  proxy::RoutingContext* context = nullptr;
  proxy::RouteKind kind = proxy::RouteKind::Request;
  lua_State* thread = nullptr;  // the coroutine of the callback
  Run* outer = nullptr;         // the run in which this one is nested: t_relay runs the branch route
  std::uint32_t script_flags = 0;
  Leave leave = Leave::No;
  std::int64_t first_wall_us = 0;  // when $TV(s) was first read; 0: not yet

  // ---- while it waits ----
  ScriptRunner* runner = nullptr;  // null: nothing can wait, since there is no worker
  std::shared_ptr<Vm> vm;          // it ends in the script in which it began
  int thread_reference = 0;        // holds `thread` in the registry
  const Function* waits_in = nullptr;
  Budget budget;               // what it may still use
  int result_after_wait = -1;  // of the function that waits, if nothing ends its wait
  std::string continue_in;     // the function that goes on instead of the callback, which has ended; empty: the callback

  SqlResults results;
  TextIterators header_iterators, body_iterators;
  NamedResults<net::RedisReply> redis_replies;
  std::unique_ptr<HttpState> http;  // null: it has not used HTTP

  // Ready for the next run; keeps its capacity.
  void reset();

  // Locks that the callback holds, those of the runs nested in it included; what is left at its end, or when it
  // begins to wait, is given back.
  [[nodiscard]] shared::NamedLocks::Holder& locks() { return outer ? outer->locks() : locks_; }

  // The transaction's variables. A branch route works on those of the run that relays, so that what it sets is kept.
  [[nodiscard]] Variables& variables();
  // Call after every change.
  void changed();
  // Encodes changes into context->variables, where the core takes them from.
  void save();

 private:
  [[nodiscard]] bool shares_variables() const;
  Variables own_;
  shared::NamedLocks::Holder locks_;
  bool decoded_ = false, dirty_ = false;
};

}  // namespace perdure::script

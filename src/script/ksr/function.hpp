#pragma once
// How a function of the KSR interface is described. The rows of these tables are the interface: the VM registers them, checks arguments by
// them, and docs/script.md is generated from them.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/routing_context.hpp"
#include "script/run.hpp"

namespace perdure::dispatch {
class Dispatcher;
}

namespace perdure::script {

class Call;
class ScriptRunner;
class Vm;
struct ScriptOptions;

// Ends the wait of a run, from any thread. A copy may outlive the run, but not the worker.
class Waker {
 public:
  // `finish` runs in the worker's thread and gives the result of the function that waits, as if it returned only now. It has no
  // arguments of the script any more. Nothing happens if the deadline has passed or somebody else was quicker.
  void operator()(std::function<int(Call&)> finish) const;

 private:
  friend class Call;
  Waker(ScriptRunner& runner, std::uint64_t wait) : runner_(&runner), wait_(wait) {}
  ScriptRunner* runner_;
  std::uint64_t wait_;
};

// Callbacks in which a function may be called, as bits.
using Routes = std::uint16_t;
namespace routes {
constexpr Routes of(proxy::RouteKind kind) {
  return static_cast<Routes>(1U << static_cast<unsigned>(kind));
}
inline constexpr Routes request = of(proxy::RouteKind::Request), reply = of(proxy::RouteKind::Reply), branch = of(proxy::RouteKind::Branch),
                        on_reply = of(proxy::RouteKind::OnReply), failure = of(proxy::RouteKind::Failure),
                        branch_failure = of(proxy::RouteKind::BranchFailure), local = of(proxy::RouteKind::Local),
                        event = of(proxy::RouteKind::Event);
inline constexpr Routes with_request = request | branch | failure | branch_failure | local | event;  // the message is a request
inline constexpr Routes any = with_request | reply | on_reply;
inline constexpr Routes answering = request | failure;          // it can be answered
inline constexpr Routes relaying = answering | branch_failure;  // it can be relayed
inline constexpr Routes waiting = answering | event;            // a callback can wait
inline constexpr Routes load = 0x8000;                          // while the script is loaded, too
}  // namespace routes

enum class Returns : std::uint8_t {
  Nothing,
  Integer,  // > 0 true, < 0 false, 0: handled, stop
  Boolean,
  Value,  // text, number or nil
};

// One call in progress. Texts of arguments live until the function returns.
class Call {
 public:
  static constexpr std::size_t arguments_max = 6;

  Vm& vm;
  Run& run;
  [[nodiscard]] proxy::RoutingContext& context() const { return *run.context; }
  [[nodiscard]] const sip::Message& message() const { return *run.context->message; }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool has(std::size_t index) const { return index < count_; }
  [[nodiscard]] std::string_view text(std::size_t index) const { return has(index) ? arguments_[index].text : std::string_view{}; }
  [[nodiscard]] std::int64_t number(std::size_t index) const { return has(index) ? arguments_[index].number : 0; }

  // The result of Returns::Value; without a call it is nil. The text is copied.
  int give(std::string_view text);
  int give(std::int64_t number);
  // A script error: the callback ends, file and line are added. Returns -1 for `return call.fail(…)`.
  int fail(std::string text);
  // The callback ends without an error when the function returns.
  int leave(Leave how);
  // The callback waits while another thread works: `return call.wait(…)`. `start` begins that work; it must not block and may not call the
  // Waker itself. After `timeout` the function returns -1 or nil instead. Request and failure routes only, otherwise a script error.
  int wait(Duration timeout, const std::function<void(Waker)>& start);
  // The callback ends, and after `delay` the script's function `name` goes on with the same message and transaction.
  int continue_later(Duration delay, std::string_view name);
  // The callback waits for that time; then the function returns 1.
  int sleep(Duration delay);
  // The same with work as in wait(): `name` goes on when it is done, or after `timeout`.
  int continue_with_answer(Duration timeout, std::string_view name, const std::function<void(Waker)>& start);

 private:
  friend class Vm;
  Call(Vm& vm_, Run& run_, lua_State* lua) : vm(vm_), run(run_), lua_(lua) {}
  [[nodiscard]] bool begin_wait(Duration timeout);
  struct Argument {
    std::string_view text;
    std::int64_t number = 0;
  };
  Argument arguments_[arguments_max];
  std::size_t count_ = 0;
  lua_State* lua_;       // null: it was resumed
  bool failed_ = false;  // here and not in the VM: t_relay runs a branch route, whose calls may fail while this one does not
};

// "int code, string reason, [string more]": read when the program is compiled, since every call looks at it. "any" takes text or number.
struct Parameters {
  std::string_view text;
  std::uint8_t count = 0, required = 0;
  std::uint8_t integers = 0;  // a bit for each that is "int"

  constexpr Parameters(const char* list) : text(list) {
    for (std::string_view rest = text; !rest.empty(); ++count) {
      const std::size_t comma = rest.find(", ");
      std::string_view one = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 2);
      if (one.starts_with('['))
        one.remove_prefix(1);
      else
        ++required;
      if (one.starts_with("int ")) integers |= static_cast<std::uint8_t>(1U << count);
    }
  }
  [[nodiscard]] constexpr bool is_integer(std::size_t index) const { return (integers >> index & 1U) != 0; }
};

struct Function {
  std::string_view module;  // empty: KSR.name
  std::string_view name;
  Parameters parameters;
  Returns returns = Returns::Integer;
  Routes routes = routes::any;
  std::string_view text;        // what it does
  std::string_view difference;  // to Kamailio's function of that name; empty: none
  int (*call)(Call& call) = nullptr;
};

// The modules, a file each.
[[nodiscard]] std::span<const Function> core_functions();
[[nodiscard]] std::span<const Function> core_delivery_functions();
[[nodiscard]] std::span<const Function> x_functions();
[[nodiscard]] std::span<const Function> pv_functions();
[[nodiscard]] std::span<const Function> pvx_functions();
[[nodiscard]] std::span<const Function> hdr_functions();
[[nodiscard]] std::span<const Function> kx_functions();
[[nodiscard]] std::span<const Function> tm_functions();
[[nodiscard]] std::span<const Function> tmx_functions();
[[nodiscard]] std::span<const Function> tsilo_functions();
[[nodiscard]] std::span<const Function> acc_functions();
[[nodiscard]] std::span<const Function> uac_functions();
[[nodiscard]] std::span<const Function> sl_functions();
[[nodiscard]] std::span<const Function> rr_functions();
[[nodiscard]] std::span<const Function> nathelper_functions();
[[nodiscard]] std::span<const Function> nathelper_fix_functions();
[[nodiscard]] std::span<const Function> siputils_functions();
[[nodiscard]] std::span<const Function> siputils_contact_functions();
[[nodiscard]] std::span<const Function> textops_functions();
[[nodiscard]] std::span<const Function> textops_part_functions();
[[nodiscard]] std::span<const Function> textopsx_functions();
[[nodiscard]] std::span<const Function> sdpops_functions();
[[nodiscard]] std::span<const Function> maxfwd_functions();
[[nodiscard]] std::span<const Function> sanity_functions();
[[nodiscard]] std::span<const Function> xlog_functions();
[[nodiscard]] std::span<const Function> corex_functions();
[[nodiscard]] std::span<const Function> corex_output_functions();
[[nodiscard]] std::span<const Function> dispatcher_functions();
[[nodiscard]] std::span<const Function> drain_functions();
[[nodiscard]] std::span<const Function> async_functions();
[[nodiscard]] std::span<const Function> sqlops_functions();
[[nodiscard]] std::span<const Function> ndb_redis_functions();
[[nodiscard]] std::span<const Function> http_client_functions();
[[nodiscard]] std::span<const Function> http_async_client_functions();
[[nodiscard]] std::span<const Function> jansson_functions();
[[nodiscard]] std::span<const Function> htable_functions();
[[nodiscard]] std::span<const Function> cfgutils_functions();
[[nodiscard]] std::span<const Function> counters_functions();
[[nodiscard]] std::span<const Function> statistics_functions();
[[nodiscard]] std::span<const Function> permissions_functions();
[[nodiscard]] std::span<const Function> pike_functions();
[[nodiscard]] std::span<const Function> pipelimit_functions();
[[nodiscard]] std::span<const Function> ratelimit_functions();
[[nodiscard]] std::span<const Function> mtree_functions();
[[nodiscard]] std::span<const Function> dialplan_functions();
[[nodiscard]] std::span<const Function> lcr_functions();

// All of them, in the order of the reference; a module may have several rows.
struct Module {
  std::string_view name, title;
  std::span<const Function> (*functions)();
  bool (*configured)(const ScriptOptions& options) = nullptr;  // false: KSR.name is nil; null: it is always there
};
[[nodiscard]] std::span<const Module> modules();
[[nodiscard]] bool is_configured(const Function& function, const ScriptOptions& options);

// The function that a script means by "tm.t_relay", "t_relay" or "info"; null: there is none.
[[nodiscard]] const Function* find_function(std::string_view name);

}  // namespace perdure::script

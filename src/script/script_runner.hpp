#pragma once
// Runs the routing script for one worker: LuaJIT with the KSR functions of Kamailio's KEMI interface (docs/script.md).
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "proxy/route_runner.hpp"
#include "script/run.hpp"

namespace perdure::dispatch {
class Dispatcher;
}
namespace perdure::htable {
class Tables;
}
namespace perdure::shared {
class State;
}
namespace perdure::permissions {
class Permissions;
}
namespace perdure::limit {
class Pipes;
class Sources;
}  // namespace perdure::limit
namespace perdure::prefix {
class Trees;
}
namespace perdure::dialplan {
class Dialplan;
}
namespace perdure::lcr {
class Router;
}

namespace perdure::script {

class Call;
class Vm;

// For KSR.permissions.
struct PermissionsOptions {
  const permissions::Permissions* permissions = nullptr;  // null: KSR.permissions is nil. Outlives the runner.
  std::string tag_avp;                                    // AVP that gets the tag of a match; empty: none
};

// For KSR.mtree, KSR.dialplan and KSR.lcr. Null: the module is nil. All outlive the runner. Names of AVPs; empty: none is set.
struct RoutingTables {
  const prefix::Trees* trees = nullptr;
  const dialplan::Dialplan* dialplan = nullptr;
  lcr::Router* lcr = nullptr;
  std::string attributes_avp, tag_avp, flags_avp;
};

struct ScriptOptions {
  std::string path;                                             // the script file
  std::string text;                                             // used if `path` is empty; empty, too: embedded_script()
  std::map<std::string, Database, std::less<>> databases = {};  // by name; none: KSR.sqlops is nil
  dispatch::Dispatcher* dispatcher = nullptr;                   // null: KSR.dispatcher is nil. Outlives the runner.
  std::int64_t (*wall_us)() = nullptr;  // wall clock in microseconds since 1970, for $TS and its like; null: they are 0
  htable::Tables* tables = nullptr;     // null: KSR.htable is nil. Outlives the runner.
  shared::State* shared = nullptr;      // null: each script has one of its own. Outlives the runner.
  PermissionsOptions permissions = {};
  std::string received_avp = {};  // AVP of KSR.nathelper.fix_nated_register; empty: none
  RoutingTables routing = {};
  limit::Sources* sources = nullptr;  // null: KSR.pike is nil. Outlives the runner.
  limit::Pipes* pipes = nullptr;      // null: KSR.pipelimit is nil. Outlives the runner.
  // Lua instructions of one callback with all that it calls; then it is stopped with an error. Loading a script may take 100 times as many.
  std::uint64_t instruction_limit = 1'000'000;
  std::uint64_t memory_limit_bytes = 64ULL << 20;  // of the Lua heap of one worker
  // Processor time of this thread in microseconds; null: that of callbacks is not limited.
  std::int64_t (*processor_us)() = nullptr;
  Duration time_limit = std::chrono::milliseconds(500);
  std::vector<std::pair<std::string, std::string>> callbacks = {};      // functions that must be there, each with the key that names it
  std::vector<std::pair<std::string, std::string>> account_extra = {};  // name and variable, for lines of accounting
  Duration delay_max = std::chrono::hours(24);                          // of KSR.async
  std::map<std::string, RedisServer, std::less<>> redis = {};           // by name; none: KSR.ndb_redis is nil
  const HttpService* http = nullptr;  // null: KSR.http_client and http_async_client are nil. Outlives the runner.
};

// Loads the script and throws it away: "file:line: message" if it cannot be run.
[[nodiscard]] Result<> check_script(const ScriptOptions& options);

// The script that runs without a configuration: etc/default.lua.
[[nodiscard]] std::string_view embedded_script();

// The reference part of docs/script.md, made from the tables in script/ksr/.
[[nodiscard]] std::string script_reference();

// One per worker, used by its thread only.
class ScriptRunner final : public proxy::RouteRunner {
 public:
  // `random` is for ds_select_dst and the like.
  [[nodiscard]] static Result<std::unique_ptr<ScriptRunner>> create(const ScriptOptions& options, unsigned worker, Random random);
  ~ScriptRunner() override;

  // Reads the script anew; an error changes nothing. In any thread, while runs go on in the worker's.
  [[nodiscard]] Result<std::shared_ptr<Vm>> load();
  // The global functions of the script at work that `next` lacks. In the thread that calls replace(), or has it called.
  [[nodiscard]] std::vector<std::string> functions_missing_in(const Vm& next) const;
  // Runs begin in that script from now on, callbacks armed by name too; a run in progress ends in the old one, which is returned: to free
  // it takes a while.
  [[nodiscard]] std::shared_ptr<Vm> replace(std::shared_ptr<Vm> next);
  // Both.
  [[nodiscard]] Result<> reload();

  [[nodiscard]] bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override;
  void save_variables(proxy::RoutingContext& context) override;
  void complete_account_line(proxy::RoutingContext& context, std::string& line) override;
  [[nodiscard]] bool resume(proxy::RoutingContext& context, bool timed_out) override;
  void abandon(proxy::RoutingContext& context) override;
  void set_mailbox(proxy::Mailbox& mailbox) override { mailbox_ = &mailbox; }

  struct Counters {
    std::uint64_t runs = 0, errors = 0, reloads = 0;
    std::string last_error;  // "file:line: message"
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Size of the Lua heap.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  friend class Waker;
  ScriptRunner(const ScriptOptions& options, unsigned worker, Random random);
  [[nodiscard]] std::unique_ptr<Run> take_run();
  // What there is to do when the VM comes back from a run: it has ended or waits.
  [[nodiscard]] bool ended(std::unique_ptr<Run> run, const Result<>& called);
  void report(std::string error);

  const ScriptOptions options_;
  const unsigned worker_;
  Random random_;
  std::shared_ptr<Vm> vm_;  // a run holds it until it ends, so a reload may replace it at any time
  Run* current_ = nullptr;
  proxy::Mailbox* mailbox_ = nullptr;
  boost::unordered_flat_map<proxy::RoutingContext*, std::unique_ptr<Run>> waiting_;
  std::function<int(Call&)> finish_;  // of the run that is resumed at this moment
  std::vector<std::unique_ptr<Run>> idle_runs_;
  Counters counters_;
};

}  // namespace perdure::script

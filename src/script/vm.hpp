#pragma once
// One Lua VM with one loaded script.
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "script/budget.hpp"
#include "script/heap.hpp"
#include "script/ksr/function.hpp"
#include "script/pseudo_variable.hpp"
#include "script/regex_cache.hpp"
#include "script/script_runner.hpp"
#include "script/table_iterators.hpp"
#include "script/text_template.hpp"
#include "script/transformation.hpp"
#include "shared/state.hpp"

struct lua_State;
struct lua_Debug;

namespace perdure::script {

// Lookup of std::string keys by string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = boost::unordered_flat_map<std::string, T, TextHash, std::equal_to<>>;

inline constexpr std::size_t script_variables_max = 1024;  // $var(…) of one worker

class Vm {
 public:
  // Runs the script's main chunk. The error is "file:line: message". `random` outlives the VM.
  [[nodiscard]] static Result<std::shared_ptr<Vm>> load(const ScriptOptions& options, Random& random);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  // Calls the global function `name` in a coroutine. The Run is linked as the innermost while it runs.
  // Returns at its end, or when it waits (run.context->wait).
  [[nodiscard]] Result<> call(std::string_view name, Run& run);
  // Goes on with a run that waits. `finish` gives the result of the function that waits; null: it has taken too long.
  [[nodiscard]] Result<> resume(Run& run, const std::function<int(Call&)>* finish);
  // For a run that goes on in another function: what its wait was for.
  void take_answer(Run& run, const std::function<int(Call&)>& finish);
  // Forgets the coroutine of a run that waits.
  void drop(Run& run);
  [[nodiscard]] bool has_function(std::string_view name);
  [[nodiscard]] std::size_t memory_bytes() const;
  // The names of the global functions when the script was loaded, in order.
  [[nodiscard]] const std::vector<std::string>& functions() const { return functions_; }

  // ---- for the KSR functions ----
  [[nodiscard]] dispatch::Dispatcher* dispatcher() const { return options_.dispatcher; }
  // Null if there is none of that name.
  [[nodiscard]] const Database* database(std::string_view name) const;
  [[nodiscard]] const RedisServer* redis(std::string_view name) const;
  [[nodiscard]] const HttpService& http() const { return *options_.http; }   // KSR.http_client is there only with it
  [[nodiscard]] htable::Tables& tables() const { return *options_.tables; }  // KSR.htable is there only with them
  [[nodiscard]] bool has_tables() const { return options_.tables != nullptr; }
  [[nodiscard]] const PermissionsOptions& permissions() const { return options_.permissions; }
  [[nodiscard]] const std::string& received_avp() const { return options_.received_avp; }
  [[nodiscard]] const RoutingTables& routing() const { return options_.routing; }
  [[nodiscard]] limit::Sources& sources() const { return *options_.sources; }
  [[nodiscard]] limit::Pipes& pipes() const { return *options_.pipes; }
  [[nodiscard]] shared::State& shared() const { return *shared_; }
  [[nodiscard]] Duration delay_max() const { return options_.delay_max; }
  [[nodiscard]] Random& random() { return random_; }
  // Null, and an error text, if there is no such variable. Lives until the next one is asked for.
  [[nodiscard]] const PseudoVariable* pseudo_variable(std::string_view text, std::string& error);
  // Appends ";name=value" of each variable of ScriptOptions::account_extra.
  void append_account_extra(Run& run, std::string& line);
  // $uac_req(…), what uac.uac_req_send sends: method, ruri, furi, turi, hdrs, body, ouri, sock, callid.
  static constexpr std::size_t uac_request_fields = 9;
  std::array<std::string, uac_request_fields> uac_request;
  // x.modf: the first argument names a function, the others are its arguments.
  int call_by_name(Call& call);
  [[nodiscard]] RegexCache& regexes() { return regexes_; }
  // Null, and an error text, if it cannot be compiled. Lives until the next one is asked for.
  [[nodiscard]] const TextTemplate* text_template(std::string_view text, std::string& error);
  // Wall clock, microseconds since 1970.
  [[nodiscard]] std::int64_t wall_us() const { return options_.wall_us ? options_.wall_us() : 0; }
  // A sed-like expression; null, and an error text, if it cannot be compiled. Lives until the next one is asked for.
  [[nodiscard]] const Substitution* substitution(std::string_view text, std::string& error);
  ValueBuffers value_buffers;
  // $sbranch(…), which pvx.sbranch_append adds to the target set.
  proxy::Target static_branch;
  // $var(name): of this worker's VM, kept from run to run.
  TextMap<Value> script_variables;
  // False: there are script_variables_max already.
  [[nodiscard]] bool set_script_variable(std::string_view name, const Value& value);
  // Iterators over hash tables by their names, until the script ends them.
  TableIterators table_iterators;
  std::uint64_t failed_queries = 0;  // of databases, Redis and HTTP
  std::string scratch;
  std::string other_text;  // a value of another message of the transaction

 private:
  friend class Call;
  Vm(const ScriptOptions& options, Random& random);
  [[nodiscard]] Result<> run_main_chunk();
  void list_functions();
  void open_libraries();
  void register_functions();
  [[nodiscard]] lua_State* take_thread();
  void give_back(lua_State* thread);
  [[nodiscard]] Result<> go(std::string_view name, Run& run, int arguments);
  [[nodiscard]] Result<> go_nested(std::string_view name, Run& run, int arguments);
  [[nodiscard]] int push_result(lua_State* lua, const Function& function) const;

  [[nodiscard]] static Vm& of(lua_State* lua);
  static int trampoline(lua_State* lua);
  static void on_count(lua_State* lua, lua_Debug* debug);
  [[nodiscard]] bool uses_up_processor();
  static void push_function(lua_State* lua, std::string_view name);
  [[nodiscard]] bool perform(lua_State* lua, const Function& function);
  [[nodiscard]] bool perform(lua_State* lua, const Function& function, Run& run);
  [[nodiscard]] bool take_arguments(lua_State* lua, const Function& function, Call& call);
  void begin_budget(const Budget& budget);
  [[nodiscard]] Budget budget() const;
  [[nodiscard]] Budget budget_of_callback() const;
  [[nodiscard]] Budget budget_of_loading() const;
  [[nodiscard]] int resume_thread(lua_State* thread, int arguments);
  [[nodiscard]] std::string error_text(lua_State* thread, int status);
  [[nodiscard]] std::string chunk_name() const;
  // "file:line: " of the innermost Lua function; a tail call may have removed it.
  [[nodiscard]] std::string where(lua_State* lua) const;

  const ScriptOptions options_;
  std::unique_ptr<shared::State> own_state_;  // if the options give none
  shared::State* const shared_;
  Random& random_;
  lua_State* lua_ = nullptr;
  Run* innermost_ = nullptr;
  bool loading_ = false;
  std::unique_ptr<Heap> heap_;
  // Of the run in progress. The processor's clock is read at the first check only, which most runs do not reach; 0: not yet.
  std::uint64_t instructions_left_ = 0;
  std::int64_t processor_left_us_ = 0, processor_since_us_ = 0;
  struct Thread {
    lua_State* lua;
    int reference;  // in the registry, so that it is not collected
  };
  std::vector<Thread> idle_, busy_;

  // The result of the KSR call in progress.
  enum class Result_ : std::uint8_t { Nil, Text, Number };
  Result_ result_kind_ = Result_::Nil;
  std::int64_t result_number_ = 0;
  std::string result_text_, error_;

  TextMap<std::unique_ptr<PseudoVariable>> pseudo_variables_;
  TextMap<std::unique_ptr<TextTemplate>> text_templates_;
  TextMap<std::shared_ptr<const Substitution>> substitutions_;
  RegexCache regexes_;
  std::vector<std::string> functions_;
};

}  // namespace perdure::script

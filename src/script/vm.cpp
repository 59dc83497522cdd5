#include "script/vm.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <lua.hpp>
#include <sstream>

#include "base/assert.hpp"

namespace perdure::script {
namespace {

// How often the limits are checked. Compiled code calls no hooks, so the compiler is off (docs/decisions/0030-lua-interpreter-only.md).
constexpr int instructions_per_check = 1000;
constexpr std::uint64_t load_budget_factor = 100;
constexpr std::size_t idle_threads_max = 64;
constexpr std::size_t pseudo_variables_max = 4096;
constexpr std::size_t text_templates_max = 1024;  // a script that puts values into its log texts makes a new one each time
constexpr char registry_key = 0;                  // its address names the Vm in the registry

Vm* vm_of(lua_State* lua) {
  lua_pushlightuserdata(lua, const_cast<char*>(&registry_key));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  auto* vm = static_cast<Vm*>(lua_touserdata(lua, -1));
  lua_pop(lua, 1);
  return vm;
}

std::string chunk_name(const ScriptOptions& options) {
  return options.path.empty() ? std::string("default.lua") : std::filesystem::path(options.path).filename().string();
}

// "file:line: " of the innermost Lua function; a tail call may have removed it.
std::string where(lua_State* lua, const std::string& otherwise) {
  lua_Debug debug;
  for (int level = 0; lua_getstack(lua, level, &debug); ++level) {
    if (!lua_getinfo(lua, "Sl", &debug) || debug.currentline <= 0) continue;
    return std::string(debug.short_src) + ":" + std::to_string(debug.currentline) + ": ";
  }
  return otherwise + ": ";
}

void open_library(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

void remove_members(lua_State* lua, const char* library, std::initializer_list<const char*> members) {
  lua_getglobal(lua, library);
  for (const char* member : members) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, member);
  }
  lua_pop(lua, 1);
}

}  // namespace

Vm::Vm(const ScriptOptions& options, Random& random)
    : options_(options),
      own_state_(options.shared ? nullptr : std::make_unique<shared::State>()),
      shared_(options.shared ? options.shared : own_state_.get()),
      random_(random),
      lua_(luaL_newstate()) {
  PERDURE_ASSERT(lua_ != nullptr);
  luaJIT_setmode(lua_, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  lua_pushlightuserdata(lua_, const_cast<char*>(&registry_key));
  lua_pushlightuserdata(lua_, this);
  lua_rawset(lua_, LUA_REGISTRYINDEX);
  open_libraries();
  register_functions();
}

Vm::~Vm() {
  lua_close(lua_);
}

void Vm::open_libraries() {
  open_library(lua_, "", luaopen_base);
  open_library(lua_, LUA_LOADLIBNAME, luaopen_package);
  open_library(lua_, LUA_TABLIBNAME, luaopen_table);
  open_library(lua_, LUA_STRLIBNAME, luaopen_string);
  open_library(lua_, LUA_MATHLIBNAME, luaopen_math);
  open_library(lua_, LUA_BITLIBNAME, luaopen_bit);
  open_library(lua_, LUA_IOLIBNAME, luaopen_io);
  open_library(lua_, LUA_OSLIBNAME, luaopen_os);
  open_library(lua_, LUA_DBLIBNAME, luaopen_debug);
  // What would end, fork or stop the worker, or lift its limits. No jit and no ffi for the same reason.
  remove_members(lua_, LUA_OSLIBNAME, {"exit", "execute", "setlocale"});
  remove_members(lua_, LUA_IOLIBNAME, {"popen"});
  remove_members(lua_, LUA_DBLIBNAME,
                 {"debug", "sethook", "setlocal", "setupvalue", "upvaluejoin", "getregistry", "setmetatable", "setfenv", "setuservalue"});
  lua_getglobal(lua_, LUA_LOADLIBNAME);
  const auto folder = options_.path.empty() ? std::string(".") : std::filesystem::path(options_.path).parent_path().string();
  lua_pushstring(lua_, ((folder.empty() ? "." : folder) + "/?.lua;").c_str());
  lua_getfield(lua_, -2, "path");
  lua_concat(lua_, 2);
  lua_setfield(lua_, -2, "path");
  lua_pop(lua_, 1);
}

void Vm::register_functions() {
  lua_newtable(lua_);
  for (const Module& module : modules()) {
    if (module.configured && !module.configured(options_)) continue;
    if (!module.name.empty()) lua_newtable(lua_);
    for (const Function& function : module.functions()) {
      lua_pushlstring(lua_, function.name.data(), function.name.size());
      lua_pushlightuserdata(lua_, const_cast<Function*>(&function));
      lua_pushlightuserdata(lua_, this);
      lua_pushcclosure(lua_, &Vm::trampoline, 2);
      lua_rawset(lua_, -3);
    }
    if (!module.name.empty()) lua_setfield(lua_, -2, std::string(module.name).c_str());
  }
  lua_setglobal(lua_, "KSR");
}

Result<std::shared_ptr<Vm>> Vm::load(const ScriptOptions& options, Random& random) {
  std::shared_ptr<Vm> vm(new Vm(options, random));
  if (auto ran = vm->run_main_chunk(); !ran) return std::unexpected(ran.error());
  if (!vm->has_function("ksr_request_route")) return fail(chunk_name(options) + ": there is no function ksr_request_route");
  vm->list_functions();
  return vm;
}

void Vm::list_functions() {
  lua_pushnil(lua_);
  while (lua_next(lua_, LUA_GLOBALSINDEX) != 0) {
    // No conversion of a key: lua_next() would lose its place.
    if (lua_isfunction(lua_, -1) && lua_type(lua_, -2) == LUA_TSTRING) functions_.emplace_back(lua_tostring(lua_, -2));
    lua_pop(lua_, 1);
  }
  std::ranges::sort(functions_);
}

Result<> Vm::run_main_chunk() {
  std::string text = options_.text.empty() ? std::string(embedded_script()) : options_.text;
  if (!options_.path.empty()) {
    std::ifstream file(options_.path, std::ios::binary);
    std::ostringstream content;
    if (!file || !(content << file.rdbuf())) return fail(options_.path + ": cannot be read");
    text = content.str();
  }
  if (text.starts_with(LUA_SIGNATURE[0])) return fail(chunk_name(options_) + ": compiled Lua is not accepted");
  lua_State* thread = take_thread();
  const std::string name = "@" + chunk_name(options_);
  int status = luaL_loadbufferx(thread, text.data(), text.size(), name.c_str(), "t");
  if (status == 0) {
    loading_ = true;
    begin_budget(options_.instruction_limit * load_budget_factor);
    status = lua_resume(thread, 0);
    loading_ = false;
  }
  if (status == 0) {
    give_back(thread);
    return {};
  }
  return fail(status == LUA_YIELD ? chunk_name(options_) + ": the script yields while it is loaded" : error_text(thread));
}

lua_State* Vm::take_thread() {
  if (idle_.empty()) {
    // Pushed on the main stack, then held by the registry.
    lua_State* thread = lua_newthread(lua_);
    busy_.push_back({thread, luaL_ref(lua_, LUA_REGISTRYINDEX)});
  } else {
    busy_.push_back(idle_.back());
    idle_.pop_back();
  }
  return busy_.back().lua;
}

// The innermost thread has ended. Only one that returned can be used again: Lua has no way to reset the others, the collector takes them.
void Vm::give_back(lua_State* thread) {
  PERDURE_ASSERT(!busy_.empty() && busy_.back().lua == thread);
  if (lua_status(thread) == 0 && idle_.size() < idle_threads_max) {
    lua_settop(thread, 0);
    idle_.push_back(busy_.back());
  } else {
    luaL_unref(lua_, LUA_REGISTRYINDEX, busy_.back().reference);
  }
  busy_.pop_back();
}

void Vm::begin_budget(std::uint64_t instructions) {
  budget_ = instructions;
  lua_sethook(lua_, &Vm::on_count, LUA_MASKCOUNT, instructions_per_check);
}

void Vm::on_count(lua_State* lua, lua_Debug*) {
  Vm& vm = *vm_of(lua);
  const auto heap_bytes = static_cast<std::uint64_t>(lua_gc(lua, LUA_GCCOUNT, 0)) << 10;
  const bool heap_full = heap_bytes > vm.options_.memory_limit_bytes;
  if (vm.budget_ > instructions_per_check && !heap_full) {
    vm.budget_ -= instructions_per_check;
    return;
  }
  vm.budget_ = 0;
  // From now on every instruction fails, so that a pcall of the script cannot hold on to its run.
  lua_sethook(lua, &Vm::on_count, LUA_MASKCOUNT, 1);
  vm.error_ = where(lua, chunk_name(vm.options_));
  vm.error_ += heap_full ? "stopped: the script uses too much memory" : "stopped: the script runs too long";
  lua_pushlstring(lua, vm.error_.data(), vm.error_.size());
  lua_error(lua);
}

// The global of that name, whatever it is.
void Vm::push_function(lua_State* lua, std::string_view name) {
  lua_pushlstring(lua, name.data(), name.size());
  lua_rawget(lua, LUA_GLOBALSINDEX);  // raw: a metatable of the script could raise an error, and nothing would catch it here
}

const Database* Vm::database(std::string_view name) const {
  const auto found = options_.databases.find(name);
  return found == options_.databases.end() ? nullptr : &found->second;
}

bool Vm::has_function(std::string_view name) {
  push_function(lua_, name);
  const bool found = lua_isfunction(lua_, -1);
  lua_pop(lua_, 1);
  return found;
}

Result<> Vm::call(std::string_view name, Run& run) {
  lua_State* thread = take_thread();
  push_function(thread, name);
  if (!lua_isfunction(thread, -1)) {
    give_back(thread);
    return fail(chunk_name(options_) + ": there is no function " + std::string(name));
  }
  run.thread = thread;
  if (!innermost_) begin_budget(options_.instruction_limit);
  return go(name, run, 0);
}

Result<> Vm::go(std::string_view name, Run& run, int arguments) {
  lua_State* const thread = run.thread;
  Run* const outer = innermost_;
  innermost_ = &run;
  const int status = lua_resume(thread, arguments);
  innermost_ = outer;

  Result<> result;
  if (status == LUA_YIELD && run.waits_in) {
    // The coroutine stays as it is; whatever runs meanwhile must not find it on its stack.
    run.thread_reference = busy_.back().reference;
    run.budget = budget_;
    busy_.pop_back();
    return result;
  }
  if (status == 0 && run.waits_in)
    result = fail(chunk_name(options_) + ": " + std::string(name) + ": a function that waits was called where Lua cannot wait");
  else if (status == LUA_YIELD && run.leave == Leave::No)
    result = fail(chunk_name(options_) + ": " + std::string(name) + " yields outside of a coroutine of its own");
  else if (status != 0 && status != LUA_YIELD)
    result = fail(error_text(thread));
  give_back(thread);
  return result;
}

Result<> Vm::resume(Run& run, const std::function<int(Call&)>* finish) {
  PERDURE_ASSERT(!innermost_ && run.waits_in);
  const Function& function = *run.waits_in;
  run.waits_in = nullptr;
  busy_.push_back({run.thread, run.thread_reference});
  result_kind_ = Result_::Nil;
  result_number_ = 0;
  Call call(*this, run, nullptr);
  const int result = finish ? (*finish)(call) : -1;
  if (function.returns != Returns::Value || call.failed_) {
    result_kind_ = function.returns == Returns::Value ? Result_::Nil : Result_::Number;
    result_number_ = call.failed_ ? -1 : result;
  }
  begin_budget(std::max<std::uint64_t>(run.budget, instructions_per_check));
  return go(function.name, run, push_result(run.thread, function));
}

void Vm::drop(Run& run) {
  luaL_unref(lua_, LUA_REGISTRYINDEX, run.thread_reference);
  run.waits_in = nullptr;
}

std::string Vm::error_text(lua_State* thread) const {
  if (const char* text = lua_tostring(thread, -1)) return text;
  return chunk_name(options_) + ": an error that is no text, but a " + luaL_typename(thread, -1);
}

std::size_t Vm::memory_bytes() const {
  return static_cast<std::size_t>(lua_gc(lua_, LUA_GCCOUNT, 0)) * 1024 + static_cast<std::size_t>(lua_gc(lua_, LUA_GCCOUNTB, 0));
}

const PseudoVariable* Vm::pseudo_variable(std::string_view text, std::string& error) {
  if (const auto found = pseudo_variables_.find(text); found != pseudo_variables_.end()) return found->second.get();
  auto parsed = PseudoVariable::parse(text);
  if (!parsed) {
    error = parsed.error().message;
    return nullptr;
  }
  // A script that makes up names without end must not make this table grow without end.
  if (pseudo_variables_.size() >= pseudo_variables_max) pseudo_variables_.clear();
  return pseudo_variables_.emplace(text, std::make_unique<PseudoVariable>(std::move(*parsed))).first->second.get();
}

const TextTemplate* Vm::text_template(std::string_view text, std::string& error) {
  if (const auto found = text_templates_.find(text); found != text_templates_.end()) return found->second.get();
  auto parsed = TextTemplate::parse(text);
  if (!parsed) {
    error = parsed.error().message;
    return nullptr;
  }
  if (text_templates_.size() >= text_templates_max) text_templates_.clear();
  return text_templates_.emplace(text, std::make_unique<TextTemplate>(std::move(*parsed))).first->second.get();
}

const Substitution* Vm::substitution(std::string_view text, std::string& error) {
  if (const auto found = substitutions_.find(text); found != substitutions_.end()) return found->second.get();
  auto compiled = Substitution::compile(text);
  if (!compiled) {
    error = compiled.error().message;
    return nullptr;
  }
  if (substitutions_.size() >= text_templates_max) substitutions_.clear();
  return substitutions_.emplace(text, std::move(*compiled)).first->second.get();
}

bool Vm::set_script_variable(std::string_view name, const Value& value) {
  if (script_variables.size() >= script_variables_max && !script_variables.contains(name)) return false;
  script_variables.insert_or_assign(std::string(name), value);
  return true;
}

// ---- calls of KSR functions ----

// Lua errors leave by longjmp: nothing with a destructor may live here.
int Vm::trampoline(lua_State* lua) {
  auto& function = *static_cast<const Function*>(lua_touserdata(lua, lua_upvalueindex(1)));
  auto& vm = *static_cast<Vm*>(lua_touserdata(lua, lua_upvalueindex(2)));
  if (!vm.perform(lua, function)) {
    lua_pushlstring(lua, vm.error_.data(), vm.error_.size());
    return lua_error(lua);
  }
  if (vm.innermost_ && (vm.innermost_->leave != Leave::No || vm.innermost_->waits_in)) return lua_yield(lua, 0);
  return vm.push_result(lua, function);
}

// What the function returns to the script; how many values that are.
int Vm::push_result(lua_State* lua, const Function& function) const {
  switch (function.returns) {
    case Returns::Nothing:
      return 0;
    case Returns::Boolean:
      lua_pushboolean(lua, result_number_ > 0);
      return 1;
    case Returns::Integer:
    case Returns::Value:
      break;
  }
  if (result_kind_ == Result_::Text)
    lua_pushlstring(lua, result_text_.data(), result_text_.size());
  else if (result_kind_ == Result_::Number)
    lua_pushnumber(lua, static_cast<lua_Number>(result_number_));
  else
    lua_pushnil(lua);
  return 1;
}

namespace {

std::string full_name(const Function& function) {
  std::string name = "KSR.";
  if (!function.module.empty()) name.append(function.module) += '.';
  return name.append(function.name);
}

std::string_view route_name(proxy::RouteKind kind) {
  switch (kind) {
    case proxy::RouteKind::Request:
      return "the request route";
    case proxy::RouteKind::Reply:
      return "the reply route";
    case proxy::RouteKind::Branch:
      return "a branch route";
    case proxy::RouteKind::OnReply:
      return "a reply route of a transaction";
    case proxy::RouteKind::Failure:
      return "a failure route";
  }
  return {};
}

}  // namespace

// False: error_ says what the script did wrong.
bool Vm::perform(lua_State* lua, const Function& function) {
  if (innermost_) return perform(lua, function, *innermost_);
  Run outside;  // no message
  return perform(lua, function, outside);
}

bool Vm::perform(lua_State* lua, const Function& function, Run& run) {
  result_kind_ = Result_::Nil;
  result_number_ = 0;
  const auto refuse = [&](std::string why) {
    error_ = where(lua, chunk_name(options_)) + full_name(function) + ": " + std::move(why);
    return false;
  };
  if (!innermost_ && !(loading_ && (function.routes & routes::load))) return refuse("there is no message outside of a callback");
  if (innermost_) {
    if (!(function.routes & routes::of(run.kind))) return refuse("cannot be called in " + std::string(route_name(run.kind)));
    if (run.leave != Leave::No) return refuse("the callback has ended");
    if (run.waits_in) return refuse("a function that waits was called where Lua cannot wait");
  }
  Call call(*this, run, lua);
  if (!take_arguments(lua, function, call)) return refuse(std::move(error_));
  const int result = function.call(call);
  if (call.failed_) return refuse(std::move(error_));
  if (run.context && run.context->wait && run.leave == Leave::No) {
    run.waits_in = &function;
    return true;
  }
  if (function.returns != Returns::Value) {
    result_kind_ = Result_::Number;
    result_number_ = result;
  }
  if (run.leave != Leave::No && lua != run.thread) {
    run.leave = Leave::No;
    return refuse("cannot be called in a coroutine that the script made");
  }
  return true;
}

// Numbers and texts stand for each other, as Lua has it.
bool Vm::take_arguments(lua_State* lua, const Function& function, Call& call) {
  const Parameters& parameters = function.parameters;
  const int given = lua_gettop(lua);
  if (given < parameters.required || given > parameters.count) {
    error_ = "takes (" + std::string(parameters.text) + ")";
    return false;
  }
  PERDURE_ASSERT(parameters.count <= Call::arguments_max);
  for (; static_cast<int>(call.count_) < given; ++call.count_) {
    const int index = static_cast<int>(call.count_) + 1;
    auto& argument = call.arguments_[call.count_];
    const int type = lua_type(lua, index);
    if (type != LUA_TNUMBER && type != LUA_TSTRING) {
      error_ =
          "argument " + std::to_string(index) + " is " + luaL_typename(lua, index) + ", it takes (" + std::string(parameters.text) + ")";
      return false;
    }
    if (parameters.is_integer(call.count_)) {
      const lua_Number value = lua_tonumber(lua, index);
      if (!lua_isnumber(lua, index) || !(std::abs(value) < 9e15)) {
        error_ = "argument " + std::to_string(index) + " is no integer";
        return false;
      }
      argument.number = static_cast<std::int64_t>(value);
    } else {
      std::size_t size = 0;
      const char* text = lua_tolstring(lua, index, &size);
      argument.text = {text, size};
    }
  }
  return true;
}

int Vm::call_by_name(Call& call) {
  const Function* function = find_function(call.text(0));
  if (!function || !is_configured(*function, options_)) return call.fail("there is no function " + std::string(call.text(0)));
  if (!(function->routes & routes::of(call.run.kind)))
    return call.fail(full_name(*function) + " cannot be called in " + std::string(route_name(call.run.kind)));
  const Parameters& parameters = function->parameters;
  const std::size_t given = call.count() - 1;  // without the name
  if (given < parameters.required || given > parameters.count)
    return call.fail(full_name(*function) + " takes (" + std::string(parameters.text) + ")");
  Call inner(*this, call.run, call.lua_);
  for (; inner.count_ < given; ++inner.count_) {
    auto& argument = inner.arguments_[inner.count_];
    argument.text = call.text(inner.count_ + 1);
    if (!parameters.is_integer(inner.count_)) continue;
    const auto [end, error] = std::from_chars(argument.text.data(), argument.text.data() + argument.text.size(), argument.number);
    if (error != std::errc{} || end != argument.text.data() + argument.text.size())
      return call.fail(full_name(*function) + ": \"" + std::string(argument.text) + "\" is no integer");
  }
  const int result = function->call(inner);
  call.failed_ = inner.failed_;
  return result;
}

int Call::give(std::string_view text) {
  vm.result_kind_ = Vm::Result_::Text;
  vm.result_text_.assign(text);
  return 1;
}
int Call::give(std::int64_t number) {
  vm.result_kind_ = Vm::Result_::Number;
  vm.result_number_ = number;
  return 1;
}
int Call::fail(std::string text) {
  failed_ = true;
  vm.error_ = std::move(text);
  return -1;
}
// False: fail() has been called.
bool Call::begin_wait(Duration timeout) {
  if (!run.runner || run.outer || (run.kind != proxy::RouteKind::Request && run.kind != proxy::RouteKind::Failure)) {
    fail("cannot wait in " + std::string(route_name(run.kind)));
    return false;
  }
  if (lua_ && lua_ != run.thread) {
    fail("cannot wait in a coroutine that the script made");
    return false;
  }
  if (context().begin_wait(context().now + timeout) != 0) return true;
  fail("cannot wait: there is no room for the transaction, or too many wait already");
  return false;
}

int Call::wait(Duration timeout, const std::function<void(Waker)>& start) {
  if (!begin_wait(timeout)) return -1;
  start(Waker(*run.runner, context().wait));
  return 0;
}

int Call::continue_later(Duration delay, std::string_view name) {
  if (!vm.has_function(name)) return fail("there is no function " + std::string(name));
  if (!begin_wait(delay)) return -1;
  run.continue_in.assign(name);
  return leave(Leave::Exit);
}

int Call::leave(Leave how) {
  run.leave = how;
  return 1;
}

}  // namespace perdure::script

#include "script/vm.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <lua.hpp>
#include <sstream>

#include "base/assert.hpp"

namespace perdure::script {
namespace {

constexpr std::size_t idle_threads_max = 64;
constexpr std::size_t pseudo_variables_max = 4096;
constexpr std::size_t text_templates_max = 1024;  // a script that puts values into its log texts makes a new one each time
constexpr char registry_key = 0;                  // its address names the Vm in the registry

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
  // Compiled code calls no hooks, so the compiler is off (docs/decisions/0030-lua-interpreter-only.md).
  luaJIT_setmode(lua_, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  heap_ = std::make_unique<Heap>(lua_, options_.memory_limit_bytes);
  lua_pushlightuserdata(lua_, const_cast<char*>(&registry_key));
  lua_pushlightuserdata(lua_, this);
  lua_rawset(lua_, LUA_REGISTRYINDEX);
  open_libraries();
  register_functions();
}

Vm& Vm::of(lua_State* lua) {
  lua_pushlightuserdata(lua, const_cast<char*>(&registry_key));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  auto* vm = static_cast<Vm*>(lua_touserdata(lua, -1));
  lua_pop(lua, 1);
  return *vm;
}

Vm::~Vm() {
  heap_->release();
  lua_close(lua_);
}

std::string Vm::chunk_name() const {
  return options_.path.empty() ? std::string("default.lua") : std::filesystem::path(options_.path).filename().string();
}

std::string Vm::where(lua_State* lua) const {
  const std::string found = position(lua);
  return found.empty() ? chunk_name() + ": " : found;
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
  // What would end, fork or stop the worker, or lift its limits: finalizers run without them. No jit and no ffi for the same reason.
  lua_pushnil(lua_);
  lua_setglobal(lua_, "newproxy");
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
    if (!module.name.empty()) {
      lua_getfield(lua_, -1, std::string(module.name).c_str());
      if (lua_isnil(lua_, -1)) {
        lua_pop(lua_, 1);
        lua_newtable(lua_);
      }
    }
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
  if (!vm->has_function("ksr_request_route")) return fail(vm->chunk_name() + ": there is no function ksr_request_route");
  for (const auto& [key, function] : options.callbacks)
    if (!vm->has_function(function)) return fail(vm->chunk_name() + ": there is no function " + function + ", which " + key + " names");
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
  if (text.starts_with(LUA_SIGNATURE[0])) return fail(chunk_name() + ": compiled Lua is not accepted");
  lua_State* thread = take_thread();
  const std::string name = "@" + chunk_name();
  int status = luaL_loadbufferx(thread, text.data(), text.size(), name.c_str(), "t");
  if (status == 0) {
    loading_ = true;
    begin_budget(budget_of_loading());
    status = resume_thread(thread, 0);
    loading_ = false;
  }
  if (status == 0) {
    give_back(thread);
    return {};
  }
  return fail(status == LUA_YIELD ? chunk_name() + ": the script yields while it is loaded" : error_text(thread, status));
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

// The global of that name, whatever it is.
void Vm::push_function(lua_State* lua, std::string_view name) {
  lua_pushlstring(lua, name.data(), name.size());
  lua_rawget(lua, LUA_GLOBALSINDEX);  // raw: a metatable of the script could raise an error, and nothing would catch it here
}

const Database* Vm::database(std::string_view name) const {
  const auto found = options_.databases.find(name);
  return found == options_.databases.end() ? nullptr : &found->second;
}

const RedisServer* Vm::redis(std::string_view name) const {
  const auto found = options_.redis.find(name);
  return found == options_.redis.end() ? nullptr : &found->second;
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
    return fail(chunk_name() + ": there is no function " + std::string(name));
  }
  run.thread = thread;
  int arguments = 0;
  if (run.kind == proxy::RouteKind::Event || run.kind == proxy::RouteKind::Local) {
    const std::string& event = run.context->event;
    lua_pushlstring(thread, event.data(), event.size());
    arguments = 1;
  }
  if (innermost_) return go_nested(name, run, arguments);
  begin_budget(budget_of_callback());
  heap_->collect_if_due();
  return go(name, run, arguments);
}

Result<> Vm::go(std::string_view name, Run& run, int arguments) {
  lua_State* const thread = run.thread;
  Run* const outer = innermost_;
  innermost_ = &run;
  const int status = resume_thread(thread, arguments);
  innermost_ = outer;

  Result<> result;
  if (status == LUA_YIELD && run.waits_in) {
    // The coroutine stays as it is; whatever runs meanwhile must not find it on its stack.
    run.thread_reference = busy_.back().reference;
    run.budget = budget();
    busy_.pop_back();
    return result;
  }
  if (status == 0 && run.waits_in)
    result = fail(chunk_name() + ": " + std::string(name) + ": a function that waits was called where Lua cannot wait");
  else if (status == LUA_YIELD && run.leave == Leave::No)
    result = fail(chunk_name() + ": " + std::string(name) + " yields outside of a coroutine of its own");
  else if (status != 0 && status != LUA_YIELD)
    result = fail(error_text(thread, status));
  give_back(thread);
  // What a run that was stopped has left must not stop those that follow.
  if (status == LUA_ERRMEM) heap_->collect();
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
  const int result = finish ? (*finish)(call) : std::exchange(run.result_after_wait, -1);
  if (function.returns != Returns::Value || call.failed_) {
    result_kind_ = function.returns == Returns::Value ? Result_::Nil : Result_::Number;
    result_number_ = call.failed_ ? -1 : result;
  }
  begin_budget(run.budget);
  return go(function.name, run, push_result(run.thread, function));
}

void Vm::take_answer(Run& run, const std::function<int(Call&)>& finish) {
  Call call(*this, run, nullptr);
  (void)finish(call);
}

void Vm::drop(Run& run) {
  luaL_unref(lua_, LUA_REGISTRYINDEX, run.thread_reference);
  run.waits_in = nullptr;
}

std::size_t Vm::memory_bytes() const {
  return heap_->used_bytes();
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

}  // namespace perdure::script

// How the script's calls of KSR functions get there and back.
#include <charconv>
#include <cmath>
#include <lua.hpp>

#include "base/assert.hpp"
#include "script/vm.hpp"

namespace perdure::script {

// Lua errors leave by longjmp: nothing with a destructor may live here when one is raised.
int Vm::trampoline(lua_State* lua) {
  auto& function = *static_cast<const Function*>(lua_touserdata(lua, lua_upvalueindex(1)));
  auto& vm = *static_cast<Vm*>(lua_touserdata(lua, lua_upvalueindex(2)));
  bool good = false;
  int results = 0;
  {
    const Heap::ServerWorks works(*vm.heap_);
    good = vm.perform(lua, function);
    if (good)
      results = vm.push_result(lua, function);
    else
      lua_pushlstring(lua, vm.error_.data(), vm.error_.size());
  }
  if (!good) return lua_error(lua);
  if (vm.innermost_ && (vm.innermost_->leave != Leave::No || vm.innermost_->waits_in)) return lua_yield(lua, 0);
  return results;
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
    case proxy::RouteKind::BranchFailure:
      return "a branch failure route";
    case proxy::RouteKind::Local:
      return "the route of local requests";
    case proxy::RouteKind::Event:
      return "an event route";
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
    error_ = where(lua) + full_name(function) + ": " + std::move(why);
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

void Vm::append_account_extra(Run& run, std::string& line) {
  Call call(*this, run, nullptr);
  for (const auto& [name, text] : options_.account_extra) {
    std::string error, value;
    if (const auto* variable = pseudo_variable(text, error)) append_value(value, value_of(call, *variable));
    line.append(";").append(name).append("=");
    for (const char c : value) line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
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
  if (!run.runner || run.outer || !(routes::of(run.kind) & routes::waiting)) {
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

int Call::sleep(Duration delay) {
  if (!begin_wait(delay)) return -1;
  run.result_after_wait = 1;
  return 0;
}

int Call::continue_later(Duration delay, std::string_view name) {
  if (!vm.has_function(name)) return fail("there is no function " + std::string(name));
  if (!begin_wait(delay)) return -1;
  run.continue_in.assign(name);
  return leave(Leave::Exit);
}

int Call::continue_with_answer(Duration timeout, std::string_view name, const std::function<void(Waker)>& start) {
  const int left = continue_later(timeout, name);
  if (left > 0) start(Waker(*run.runner, context().wait));
  return left;
}

int Call::leave(Leave how) {
  run.leave = how;
  return 1;
}

}  // namespace perdure::script

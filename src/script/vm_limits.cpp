// What a script may use, and how it is stopped.
#include <algorithm>
#include <limits>
#include <lua.hpp>
#include <string>

#include "script/vm.hpp"

namespace perdure::script {
namespace {

constexpr int instructions_per_check = 1000;
constexpr std::uint64_t load_budget_factor = 100;
constexpr std::uint64_t allocated_factor = 4;  // a callback may fill the heap so many times, with garbage for the most part

}  // namespace

Budget Vm::budget_of_callback() const {
  return {options_.instruction_limit, options_.memory_limit_bytes * allocated_factor, options_.time_limit / 1us};
}

Budget Vm::budget_of_loading() const {
  return {options_.instruction_limit * load_budget_factor, std::numeric_limits<std::uint64_t>::max(),
          options_.time_limit / 1us * static_cast<std::int64_t>(load_budget_factor)};
}

Budget Vm::budget() const {
  const std::int64_t used_us = processor_since_us_ ? options_.processor_us() - processor_since_us_ : 0;
  return {instructions_left_, heap_->allowance, std::max<std::int64_t>(processor_left_us_ - used_us, 0)};
}

void Vm::begin_budget(const Budget& budget) {
  instructions_left_ = budget.instructions;
  heap_->allowance = budget.allocated_bytes;
  processor_left_us_ = budget.processor_us;
  processor_since_us_ = 0;
  lua_sethook(lua_, &Vm::on_count, LUA_MASKCOUNT, instructions_per_check);
}

bool Vm::uses_up_processor() {
  if (!options_.processor_us) return false;
  const std::int64_t now_us = options_.processor_us();
  if (!processor_since_us_) processor_since_us_ = now_us;
  return now_us - processor_since_us_ > processor_left_us_;
}

// What the innermost run calls gets half of what is left to it: if that is stopped, the run can still end in order.
Result<> Vm::go_nested(std::string_view name, Run& run, int arguments) {
  const Budget whole = budget(), half{whole.instructions / 2, whole.allocated_bytes / 2, whole.processor_us / 2};
  begin_budget(half);
  auto result = go(name, run, arguments);
  const Budget left = budget();
  // The check between instructions begins anew, so count those before it, too: a loop of such calls must end.
  const std::uint64_t used = half.instructions - left.instructions + instructions_per_check;
  begin_budget({whole.instructions - std::min(used, whole.instructions),
                whole.allocated_bytes - (half.allocated_bytes - left.allocated_bytes),
                whole.processor_us - (half.processor_us - left.processor_us)});
  return result;
}

int Vm::resume_thread(lua_State* thread, int arguments) {
  (void)heap_->take_refusal();
  const Heap::ScriptRuns runs(*heap_, thread);
  return lua_resume(thread, arguments);
}

void Vm::on_count(lua_State* lua, lua_Debug*) {
  Vm& vm = of(lua);
  if (vm.instructions_left_ > instructions_per_check && !vm.uses_up_processor()) {
    vm.instructions_left_ -= instructions_per_check;
    const Heap::ServerWorks works(*vm.heap_);
    vm.heap_->collect_if_due();
    return;
  }
  vm.instructions_left_ = 0;
  // From now on every instruction fails, so that a pcall of the script cannot hold on to its run.
  lua_sethook(lua, &Vm::on_count, LUA_MASKCOUNT, 1);
  vm.error_ = vm.where(lua) + "stopped: the script runs too long";
  {
    const Heap::ServerWorks works(*vm.heap_);
    lua_pushlstring(lua, vm.error_.data(), vm.error_.size());
  }
  lua_error(lua);
}

std::string Vm::error_text(lua_State* thread, int status) {
  const std::string refused_at = heap_->take_refusal();
  if (status == LUA_ERRMEM) return (refused_at.empty() ? chunk_name() + ": " : refused_at) + "stopped: the script uses too much memory";
  if (const char* text = lua_tostring(thread, -1)) return text;
  return chunk_name() + ": an error that is no text, but a " + luaL_typename(thread, -1);
}

}  // namespace perdure::script

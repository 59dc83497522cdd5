#include "script/heap.hpp"

#include <algorithm>
#include <lua.hpp>

namespace perdure::script {

std::string position(lua_State* lua) {
  lua_Debug debug;
  for (int level = 0; lua_getstack(lua, level, &debug); ++level) {
    if (!lua_getinfo(lua, "Sl", &debug) || debug.currentline <= 0) continue;
    return std::string(debug.short_src) + ":" + std::to_string(debug.currentline) + ": ";
  }
  return {};
}

Heap::Heap(lua_State* lua, std::size_t limit_bytes)
    : lua_(lua),
      limit_(limit_bytes),
      used_((static_cast<std::size_t>(lua_gc(lua, LUA_GCCOUNT, 0)) << 10) + static_cast<std::size_t>(lua_gc(lua, LUA_GCCOUNTB, 0))),
      collect_above_(limit_bytes / 4 * 3) {
  inner_ = lua_getallocf(lua, &inner_data_);
  lua_setallocf(lua_, &Heap::allocate, this);
}

void Heap::release() {
  lua_setallocf(lua_, inner_, inner_data_);
}

Heap::ScriptRuns::ScriptRuns(Heap& heap, lua_State* thread) : heap_(heap), outer_(std::exchange(heap.script_, thread)) {}
Heap::ScriptRuns::~ScriptRuns() {
  heap_.script_ = outer_;
}

void* Heap::allocate(void* data, void* block, std::size_t old_size, std::size_t new_size) {
  Heap& heap = *static_cast<Heap*>(data);
  if (new_size > old_size && heap.script_ && heap.refuses(new_size - old_size)) return nullptr;
  void* const allocated = heap.inner_(heap.inner_data_, block, old_size, new_size);
  if (!allocated && new_size != 0) return nullptr;
  heap.used_ += new_size - old_size;
  return allocated;
}

bool Heap::refuses(std::size_t more) {
  if (more <= allowance && used_ + more <= limit_) {
    allowance -= more;
    return false;
  }
  if (refused_at_.empty()) refused_at_ = position(script_);
  return true;
}

std::string Heap::take_refusal() {
  return std::exchange(refused_at_, {});
}

void Heap::collect() {
  // Protected, because a finalizer of the script's may fail.
  (void)lua_cpcall(
      lua_,
      [](lua_State* lua) {
        (void)lua_gc(lua, LUA_GCCOLLECT, 0);
        return 0;
      },
      nullptr);
  // Half-way to the limit, but not so near that it would be done all the time.
  const std::size_t left = limit_ - std::min(used_, limit_);
  collect_above_ = std::max(limit_ / 4 * 3, used_ + std::max(left / 2, limit_ / 8));
}

}  // namespace perdure::script

#pragma once
// The memory of one Lua VM, counted at every allocation: a check between instructions comes too late for a function of Lua's own library
// that asks for a gigabyte in one call.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

struct lua_State;

namespace perdure::script {

class Heap {
 public:
  // Of all that is in use; `lua` keeps its allocator, which this one calls.
  Heap(lua_State* lua, std::size_t limit_bytes);
  // Before lua_close().
  void release();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  [[nodiscard]] std::size_t used_bytes() const { return used_; }

  // While a script runs, allocations beyond the limit or the allowance fail: it gets Lua's error "not enough memory". What the server
  // itself allocates in the VM does not fail, because nothing would catch the error. `thread` is the coroutine that runs.
  class ScriptRuns {
   public:
    ScriptRuns(Heap& heap, lua_State* thread);
    ~ScriptRuns();
    ScriptRuns(const ScriptRuns&) = delete;
    ScriptRuns& operator=(const ScriptRuns&) = delete;

   private:
    Heap& heap_;
    lua_State* const outer_;
  };
  // A while within it in which the server works.
  class ServerWorks {
   public:
    explicit ServerWorks(Heap& heap) : heap_(heap), script_(std::exchange(heap.script_, nullptr)) {}
    ~ServerWorks() { heap_.script_ = script_; }
    ServerWorks(const ServerWorks&) = delete;
    ServerWorks& operator=(const ServerWorks&) = delete;

   private:
    Heap& heap_;
    lua_State* const script_;
  };

  // Bytes that may still be allocated, whether freed again or not: so much garbage takes time, too.
  std::uint64_t allowance = 0;

  // Where the script was when it was refused memory first since the last call, "file:line: "; empty: it was not.
  [[nodiscard]] std::string take_refusal();

  // Collects garbage once in a while before the limit is reached, since Lua does not when an allocation fails.
  void collect_if_due() {
    if (used_ > collect_above_) collect();
  }
  void collect();

 private:
  static void* allocate(void* heap, void* block, std::size_t old_size, std::size_t new_size);
  [[nodiscard]] bool refuses(std::size_t more);

  lua_State* const lua_;
  const std::size_t limit_;
  std::size_t used_, collect_above_;
  void* (*inner_)(void*, void*, std::size_t, std::size_t);
  void* inner_data_ = nullptr;
  lua_State* script_ = nullptr;
  std::string refused_at_;
};

// "file:line: " of the innermost Lua function; empty if there is none, for a tail call may have removed it.
[[nodiscard]] std::string position(lua_State* lua);

}  // namespace perdure::script

#pragma once
// The RPC methods that the engine answers.
#include <functional>
#include <vector>

#include "admin/json_rpc.hpp"
#include "app/capabilities.hpp"
#include "dispatch/dispatcher.hpp"
#include "engine/engine.hpp"
#include "script/script_runner.hpp"

namespace perdure::app {

// All outlive the table. `runners` are touched in their workers' threads only.
struct EngineParts {
  engine::Engine& engine;
  dispatch::Dispatcher& dispatcher;
  Capabilities& capabilities;
  const std::vector<script::ScriptRunner*>& runners;
};

void add_engine_methods(admin::MethodTable& methods, EngineParts parts);

// Counters by group and name, for status and stats.get_statistics.
struct NamedCounter {
  std::string_view group, name;
  std::uint64_t value = 0;
};
[[nodiscard]] std::vector<NamedCounter> named_counters(const engine::EngineCounters& counters);

}  // namespace perdure::app

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

}  // namespace perdure::app

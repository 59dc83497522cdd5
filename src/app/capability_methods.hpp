#pragma once
// The RPC methods of what scripts can use: hash tables, shared variables.
#include <vector>

#include "admin/json_rpc.hpp"
#include "app/capabilities.hpp"
#include "engine/engine.hpp"

namespace perdure::app {

// As `services.list` and the metrics have them.
[[nodiscard]] admin::Json services_json(const std::vector<Capabilities::Service>& services);

// All outlive the table.
void add_capability_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& capabilities);

}  // namespace perdure::app

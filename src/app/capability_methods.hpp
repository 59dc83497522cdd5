#pragma once
// The RPC methods of what scripts can use: hash tables, shared variables.
#include "admin/json_rpc.hpp"
#include "app/capabilities.hpp"
#include "engine/engine.hpp"

namespace perdure::app {

// All outlive the table.
void add_capability_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& capabilities);

}  // namespace perdure::app

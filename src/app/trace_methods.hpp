#pragma once
// The RPC method behind `perdure call`.
#include "admin/json_rpc.hpp"
#include "engine/engine.hpp"

namespace perdure::app {

// In the engine: `trace.call`.
void add_trace_methods(admin::MethodTable& methods, engine::Engine& engine);

}  // namespace perdure::app

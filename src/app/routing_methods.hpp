#pragma once
// Methods about dialplans, prefixes and gateways.
#include "admin/json_rpc.hpp"
#include "app/capabilities.hpp"
#include "engine/engine.hpp"

namespace perdure::app {

void add_routing_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& capabilities);

}  // namespace perdure::app

#pragma once
// The RPC methods behind `perdure drain` and `perdure undrain`.
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "admin/json_rpc.hpp"
#include "app/drain_state.hpp"
#include "engine/engine.hpp"

namespace perdure::app {

struct DrainServer {
  std::string state_directory;
  std::function<void(const std::string& method, admin::Json params, admin::MethodTable::Done done)> ask_engine;
  std::function<admin::Json()> connections;  // how many are open, by transport
};

// In the edge: `drain`, `undrain` and `drain.progress`. When the first two answer, no worker of any engine does otherwise any more.
void add_drain_methods(admin::MethodTable& methods, boost::asio::io_context& context, DrainServer server);

// In the engine: `engine.drain` reads again what the edge has written, `engine.unanswered` counts what is left.
void add_engine_drain_methods(admin::MethodTable& methods, engine::Engine& engine, std::string state_directory);

// What is written, for an engine that attaches; what cannot be read is logged, and the engine takes calls.
[[nodiscard]] proxy::Drain drain_at_attach(const std::string& state_directory);

}  // namespace perdure::app

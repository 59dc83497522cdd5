#pragma once
// Levels of log lines, changed while the server runs: `log.level` in the edge, which tells the engine by a file in the live folder, so that
// the engines after it know, too.
#include <functional>
#include <string>

#include "admin/json_rpc.hpp"
#include "base/logging.hpp"

namespace perdure::app {

struct LogServer {
  log::Options configured;
  std::function<std::string()> file;  // where the levels are written; empty while the server starts
  std::function<void(const std::string& method, admin::Json params, admin::MethodTable::Done done)> ask_engine;
};

// In the edge.
void add_log_methods(admin::MethodTable& methods, LogServer server);
// In the engine: `engine.log` reads the file.
void add_engine_log_methods(admin::MethodTable& methods, log::Options configured, std::string file);

// Takes the levels of the file, those of the configuration if there is none.
void take_log_levels(const log::Options& configured, const std::string& file);

}  // namespace perdure::app

#pragma once
// `perdure upgrade`.
#include <string>

#include "app/commands.hpp"

namespace perdure::app {

struct UpgradeOptions {
  std::string binary;                          // empty: the file that the server was started from
  double patience = 30, deadline = 24 * 3600;  // seconds
  bool one_way = false, edge = false;
};

// Shows what happens as it happens, and returns when the new engine has passed its probation or the one before is back.
[[nodiscard]] int upgrade_server(const ClientOptions& options, const UpgradeOptions& upgrade);

}  // namespace perdure::app

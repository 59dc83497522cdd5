#pragma once
// The RPC methods of `perdure upgrade`.
#include <functional>
#include <string>

#include "admin/json_rpc.hpp"
#include "base/time.hpp"
#include "edge/supervisor.hpp"

namespace perdure::app {

struct UpgradeDefaults {
  std::string binary;  // the file that the server was started from
  Duration probation{};
};

struct UpgradeTargets {
  std::function<edge::Supervisor*()> supervisor;  // null while the server starts
  std::function<void(const edge::UpgradeRequest&, admin::MethodTable::Done)> upgrade_edge;
  std::function<bool()> on_probation;  // as an edge that the one before may still take back from
};

// `upgrade`, answered when it has ended (that of the edge over HTTP: when it has begun), and `upgrade.progress`.
void add_upgrade_methods(admin::MethodTable& methods, UpgradeDefaults defaults, UpgradeTargets targets);

}  // namespace perdure::app

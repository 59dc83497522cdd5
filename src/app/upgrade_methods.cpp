#include "app/upgrade_methods.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;

constexpr std::int64_t patience_ms_most = 3'600'000, deadline_ms_most = std::int64_t{366} * 24 * 3'600'000;

// Leaves `duration` as it is if there is none.
Result<> read_milliseconds(const Json& value, const char* name, std::int64_t most, Duration& duration) {
  if (value.is_null()) return {};
  if (!value.is_number_integer() || value < 1 || value > most) return fail(fmt::format("`{}` is 1 to {}", name, most));
  duration = std::chrono::milliseconds(value.get<std::int64_t>());
  return {};
}

Result<edge::UpgradeRequest> read_request(const Json& params, const UpgradeDefaults& defaults) {
  edge::UpgradeRequest request;
  request.probation = defaults.probation;
  const Json& binary = admin::parameter(params, 0, "binary");
  if (!binary.is_null() && (!binary.is_string() || binary.get<std::string>().empty() || binary.get<std::string>().front() != '/'))
    return fail("`binary` is an absolute path");
  request.binary = binary.is_null() ? defaults.binary : binary.get<std::string>();
  auto read = read_milliseconds(admin::parameter(params, 1, "patience_ms"), "patience_ms", patience_ms_most, request.patience);
  if (read) read = read_milliseconds(admin::parameter(params, 4, "deadline_ms"), "deadline_ms", deadline_ms_most, request.deadline);
  if (!read) return std::unexpected(read.error());
  const Json& one_way = admin::parameter(params, 2, "one_way");
  if (!one_way.is_null() && !one_way.is_boolean()) return fail("`one_way` is true or false");
  request.one_way = one_way == true;
  return request;
}

// The exchange ends the connections of HTTP: who asks by it is answered when the next edge is started, and follows what becomes of it.
void begin_edge_upgrade(const UpgradeTargets& targets, const edge::UpgradeRequest& request, const admin::MethodTable::Done& done) {
  const auto answered = std::make_shared<bool>(false);
  targets.upgrade_edge(request, [answered, done, targets](RpcResult result) {
    if (!std::exchange(*answered, true)) return done(std::move(result));
    if (auto* const running = targets.supervisor(); running && !result) running->upgrade_step(result.error().message);
  });
  if (!std::exchange(*answered, true))
    done(Json{{"begun", true}, {"follow", "upgrade.progress, until `running` is false; `status` says which edge serves"}});
}

}  // namespace

void add_upgrade_methods(admin::MethodTable& methods, UpgradeDefaults defaults, UpgradeTargets targets) {
  const auto upgrade = [defaults = std::move(defaults), targets](const Json& params, const admin::MethodTable::Done& done,
                                                                 const admin::Caller& caller) {
    auto* const running = targets.supervisor();
    if (!running) return done(rpc_fail("the server is starting"));
    const auto request = read_request(params, defaults);
    if (!request) return done(rpc_fail(request.error().message, admin::rpc_code::invalid_params));
    const Json& edge = admin::parameter(params, 3, "edge");
    if (edge == true) return caller.over_http ? begin_edge_upgrade(targets, *request, done) : targets.upgrade_edge(*request, done);
    if (!edge.is_null() && edge != false) return done(rpc_fail("`edge` is true or false", admin::rpc_code::invalid_params));
    running->upgrade(*request, [done, running](const Result<edge::UpgradeReport>& report) {
      if (!report) return done(rpc_fail(report.error().message));
      done(Json{{"version", report->version},
                {"binary", report->binary},
                {"pause_us", report->pause.count()},
                {"longest_pause_us", running->status().longest_pause.count()}});
    });
  };
  methods.add_for_caller("upgrade", upgrade);
  methods.add("upgrade.progress", [targets](const Json&) -> RpcResult {
    auto* const running = targets.supervisor();
    if (!running) return rpc_fail("the server is starting");
    return Json{{"running", running->status().upgrading || targets.on_probation()}, {"steps", running->upgrade_steps()}};
  });
}

}  // namespace perdure::app

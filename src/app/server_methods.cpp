// What the control socket answers.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "app/connection_methods.hpp"
#include "app/drain_methods.hpp"
#include "app/engine_reload.hpp"
#include "app/log_methods.hpp"
#include "app/rpc_methods.hpp"
#include "app/rpc_schema.hpp"
#include "app/server.hpp"
#include "app/upgrade_methods.hpp"

namespace perdure::app {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;

namespace {

Json program(const edge::ProcessInfo& process) {
  return {{"version", process.version}, {"binary", process.binary}};
}

}  // namespace

void Server::ask_engine(const std::string& method, Json params, Done done) {
  supervisor_->call_engine(admin::to_text(admin::make_request(method, std::move(params))),
                           [done = std::move(done)](const Result<std::string>& answer) {
                             done(answer ? admin::read_response(*answer) : rpc_fail(answer.error().message));
                           });
}

std::int64_t Server::uptime_s() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_).count();
}

// Named and laid out as Kamailio does.
void Server::add_core_methods() {
  methods_.add("core.uptime", [this](const Json&) -> RpcResult {
    const auto now = std::chrono::system_clock::now();
    const auto text = [](std::chrono::system_clock::time_point at) {
      return fmt::format("{:%a %b %e %H:%M:%S %Y}", fmt::localtime(std::chrono::system_clock::to_time_t(at)));
    };
    const auto up = uptime_s();
    return Json{{"now", text(now)}, {"up_since", text(now - std::chrono::seconds(up))}, {"uptime", up}};
  });
  methods_.add("core.info", [](const Json&) -> RpcResult {
    return Json{{"version", "perdure " PERDURE_VERSION}, {"id", "perdure"}, {"compiler", "gcc " __VERSION__}, {"pid", getpid()}};
  });
  methods_.add("core.psx", [this](const Json&) -> RpcResult {
    Json list = Json::array();
    const auto add = [&](pid_t pid, const char* what) {
      if (pid) list.push_back({{"IDX", list.size()}, {"PID", pid}, {"DSC", what}});
    };
    add(getpid(), "edge");
    if (!supervisor_) return list;
    const auto known = supervisor_->status();
    add(known.engine.pid, "engine");
    add(known.spare.pid, "spare");
    return list;
  });
  methods_.add("app_lua.list", [this](const Json&) -> RpcResult {
    return Json::array({Json{{"name", config_.script.empty() ? "(embedded)" : config_.script}}});
  });
}

void Server::add_methods() {
  const auto add_reload = [this](const char* name, bool script, bool destinations) {
    methods_.add_late(name, [this, script, destinations](const Json& params, const Done& done) {
      if (!ready_) return done(rpc_fail("the server is starting"));
      const Json force = admin::parameter(params, 0, "force");
      const bool forced = force == "force" || force == true;
      if (!forced && !force.is_null()) return done(rpc_fail("the only parameter is `force`"));
      supervisor_->reload(ReloadRequest{script, destinations, forced}.text(), [this, done, all = script && destinations](Result<> result) {
        if (result && all) result = connections_.reload_tls();
        if (result && all) result = administration_.reload();
        done(result ? RpcResult(Json("reloaded")) : rpc_fail(result.error().message));
      });
    });
  };
  add_reload("reload", true, true);
  add_reload("app_lua.reload", true, false);
  add_reload("dispatcher.reload", false, true);
  for (const char* lists : {"permissions.addressReload", "permissions.trustedReload", "dialplan.reload", "mtree.reload", "lcr.reload"})
    add_reload(lists, false, false);
  add_connection_methods(methods_, connections_, context_);
  methods_.add_late("stop", [this](const Json&, Done done) {
    if (!ready_) return done(rpc_fail("the server is starting"));
    stop(std::move(done));
  });
  add_upgrade_methods(methods_, {program_, config_.engine.probation},
                      {.supervisor = [this] { return ready_ || successor_ ? &*supervisor_ : nullptr; },
                       .upgrade_edge = [this](const edge::UpgradeRequest& request, Done done) { upgrade_edge(request, std::move(done)); },
                       .on_probation = [this] { return on_probation(); }});
  const auto ask = [this](const std::string& method, Json params, Done done) {
    if (!supervisor_) return done(rpc_fail("the server is starting"));
    ask_engine(method, std::move(params), std::move(done));
  };
  add_log_methods(methods_,
                  {.configured = config_.log, .file = [this] { return live_ ? live_->log_levels() : std::string(); }, .ask_engine = ask});
  add_drain_methods(methods_, context_, {.state_directory = config_.state.directory, .ask_engine = ask, .connections = [this] {
                                           const Json status = connections_status(connections_);
                                           return status.is_object() ? status.value("open", Json::object()) : Json::object();
                                         }});
  methods_.add_late("status", [this](const Json&, const Done& done) { status(done); });
  methods_.add("core.version", [](const Json&) -> RpcResult { return Json("perdure " PERDURE_VERSION); });
  add_core_methods();
  methods_.add("system.listMethods", [](const Json&) -> RpcResult {
    Json names = Json::array();
    for (const auto& method : rpc_methods()) names.push_back(method.name);
    return names;
  });
  methods_.add("system.methodHelp", [](const Json& params) -> RpcResult {
    const auto name = admin::parameter(params, 0, "method").get<std::string>();
    const RpcMethod* const method = find_rpc_method(name);
    if (!method) return rpc_fail(fmt::format("there is no method '{}'", name));
    const auto parameters = parameters_text(*method);
    return Json(fmt::format("{}{}{}: {}", method->name, parameters.empty() ? "" : " ", parameters, method->text));
  });
  methods_.add("system.methodSchema", [](const Json& params) -> RpcResult {
    const Json& name = admin::parameter(params, 0, "method");
    if (name.is_null()) return rpc_document();
    const RpcMethod* const method = find_rpc_method(name.get<std::string>());
    return method ? RpcResult(rpc_schema(*method)) : rpc_fail(fmt::format("there is no method '{}'", name.get<std::string>()));
  });
  methods_.set_other([this](const std::string& method, Json params, Done done) {
    const RpcMethod* const known = find_rpc_method(method);
    if (!known || known->side != RpcSide::Engine)
      return done(rpc_fail(fmt::format("there is no method '{}'", method), admin::rpc_code::method_not_found));
    if (!supervisor_) return done(rpc_fail("the server is starting"));
    ask_engine(method, std::move(params), std::move(done));
  });
}

Json Server::edge_status() const {
  const auto known = supervisor_->status();
  Json last = Json::parse(known.last_attach, nullptr, false);
  if (!last.is_object()) last = Json::object();
  const auto drain = load_drain(config_.state.directory);
  last["pause_us"] = known.last_pause.count();
  last["reason"] = edge::name(known.last_death);
  return {{"version", PERDURE_VERSION},
          {"uptime_s", uptime_s()},
          {"serving", known.serving},
          {"pids", {{"edge", known.edge}, {"engine", known.engine.pid}, {"spare", known.spare.pid}}},
          {"programs",
           {{"edge", {{"version", PERDURE_VERSION}, {"binary", program_}}},
            {"engine", program(known.engine)},
            {"spare", program(known.spare)}}},
          {"upgrading", known.upgrading},
          {"drain", drain ? drain->json() : Json{{"error", drain.error().message}}},
          {"longest_pause_us", known.longest_pause.count()},
          {"engine_starts", known.engine_starts},
          {"last_start", std::move(last)},
          {"spare_error", known.spare_error},
          {"workers", worker_count(config_)},
          {"connections", connections_status(connections_)},
          {"listen", listen_texts()},
          {"configuration", config_.path},
          {"state_directory", config_.state.directory},
          {"admin_http", administration_.http_address()},
          {"live_directory", live_->folder()}};
}

void Server::status(const Done& done) {
  if (!supervisor_) return done(rpc_fail("the server is starting"));
  ask_engine("engine.status", Json::array(), [this, done](RpcResult engine) {
    Json all = edge_status();
    if (engine)
      all.update(*engine);
    else
      all["engine_error"] = engine.error().message;
    done(std::move(all));
  });
}

}  // namespace perdure::app

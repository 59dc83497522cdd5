#include "app/log_methods.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "app/options/sections.hpp"
#include "base/text_file.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using Done = admin::MethodTable::Done;

Json levels_json(const log::Options& levels) {
  Json components = Json::object();
  for (const auto& [component, level] : levels.components) components[component] = log::name(level);
  return {{"level", log::name(levels.level)}, {"components", std::move(components)}};
}

// The levels that the file gives; those of the configuration where it says nothing that can be understood.
log::Options read_levels(log::Options levels, const std::string& file) {
  const auto text = read_text_file(file);
  const Json json = text ? Json::parse(*text, nullptr, false) : Json();
  if (!json.is_object() || !json.contains("level") || !json.contains("components")) return levels;
  const auto level_of = [](const Json& name) { return name.is_string() ? log::level_from(name.get<std::string>()) : std::nullopt; };
  if (const auto level = level_of(json["level"])) levels.level = *level;
  levels.components.clear();
  for (const auto& [component, name] : json["components"].items())
    if (const auto level = level_of(name)) levels.components[component] = *level;
  return levels;
}

// "debug script": that component; "debug": in general; "default script": as in general; "default": as configured.
Result<log::Options> changed(log::Options levels, const log::Options& configured, const Json& params) {
  const Json &level = admin::parameter(params, 0, "level"), &component = admin::parameter(params, 1, "component");
  if (!level.is_string() || !(component.is_null() || component.is_string()))
    return fail("the parameters are a level and, if you like, a component");
  const auto text = level.get<std::string>();
  const auto parsed = log::level_from(text);
  if (!parsed && text != "default")
    return fail(fmt::format("\"{}\" is no level: debug, info, notice, warning, error, critical or default", text));
  if (component.is_null()) {
    if (!parsed) return configured;
    levels.level = *parsed;
    return levels;
  }
  const auto name = component.get<std::string>();
  if (!is_log_component(name)) return fail(fmt::format("there is no component {}", name));
  if (parsed)
    levels.components[name] = *parsed;
  else
    levels.components.erase(name);
  return levels;
}

Result<> write_levels(const std::string& file, const log::Options& levels) {
  const std::string part = file + ".part";
  std::ofstream out(part);
  out << admin::to_text(levels_json(levels)) << '\n';
  out.close();
  if (!out || std::rename(part.c_str(), file.c_str()) != 0) return fail(file + ": cannot be written");
  return {};
}

}  // namespace

void take_log_levels(const log::Options& configured, const std::string& file) {
  log::Options levels = read_levels(configured, file);
  log::set_levels(levels.level, std::move(levels.components));
}

void add_log_methods(admin::MethodTable& methods, LogServer server) {
  methods.add_late("log.level", [server = std::make_shared<const LogServer>(std::move(server))](const Json& params, Done done) {
    const std::string file = server->file();
    if (file.empty()) return done(rpc_fail("the server is starting"));
    const log::Options now = read_levels(server->configured, file);
    if (params.empty()) return done(levels_json(now));
    const auto levels = changed(now, server->configured, params);
    if (!levels) return done(rpc_fail(levels.error().message, admin::rpc_code::invalid_params));
    if (const auto written = write_levels(file, *levels); !written) return done(rpc_fail(written.error().message));
    take_log_levels(server->configured, file);
    server->ask_engine("engine.log", Json::array(), std::move(done));
  });
}

void add_engine_log_methods(admin::MethodTable& methods, log::Options configured, std::string file) {
  methods.add("engine.log", [configured = std::move(configured), file = std::move(file)](const Json&) -> RpcResult {
    take_log_levels(configured, file);
    return levels_json(read_levels(configured, file));
  });
}

}  // namespace perdure::app

#include "app/engine_reload.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/logging.hpp"

namespace perdure::app {
namespace {

using Scripts = std::vector<std::shared_ptr<script::Vm>>;

constexpr Duration switch_deadline = 10s;

Result<> no_answer() {
  return fail("a worker did not answer in time");
}

// One script for each worker.
Result<Scripts> load_scripts(const ReloadParts& parts) {
  Scripts scripts;
  for (auto* const runner : parts.runners) {
    auto loaded = runner->load();
    if (!loaded) return std::unexpected(loaded.error());
    scripts.push_back(std::move(*loaded));
  }
  return scripts;
}

// Refuses a script without functions that open transactions will call.
Result<> check_armed(const ReloadParts& parts, const Scripts& scripts) {
  const auto missing = parts.runners.front()->functions_missing_in(*scripts.front());
  if (missing.empty()) return {};
  const std::uint32_t rounds = (parts.engine.partition_count() + parts.engine.workers() - 1) / parts.engine.workers();
  std::vector<std::vector<std::size_t>> found(parts.engine.workers(), std::vector<std::size_t>(missing.size()));
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const bool all = parts.engine.run_on_all(
        [&](std::uint32_t worker, proxy::Proxy& proxy) {
          const auto counts = proxy.count_armed(round, missing);
          for (std::size_t i = 0; i < counts.size(); ++i) found[worker][i] += counts[i];
        },
        switch_deadline);
    if (!all) return no_answer();
  }
  std::string names;
  for (std::size_t i = 0; i < missing.size(); ++i) {
    std::size_t count = 0;
    for (const auto& counts : found) count += counts[i];
    if (count) names += fmt::format("{}{} ({} open transactions)", names.empty() ? "" : ", ", missing[i], count);
  }
  if (names.empty()) return {};
  const auto file = std::filesystem::path(parts.config.script).filename().string();
  return fail(fmt::format(
      "{}: functions that open transactions will call are not there any more: {}; with --force it is loaded all the same", file, names));
}

}  // namespace

std::string ReloadRequest::text() const {
  return nlohmann::json{{"script", script}, {"destinations", destinations}, {"force", force}}.dump();
}

Result<ReloadRequest> ReloadRequest::parse(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  ReloadRequest request;
  for (const auto& [name, member] :
       {std::pair("script", &request.script), {"destinations", &request.destinations}, {"force", &request.force}}) {
    if (!json.is_object() || !json.contains(name) || !json[name].is_boolean()) return fail("the edge sent no request to reload");
    *member = json[name].get<bool>();
  }
  return request;
}

Result<> reload(const ReloadParts& parts, const ReloadRequest& request) {
  const bool destinations = request.destinations && !parts.config.dispatcher.list.empty();
  Scripts scripts;
  if (request.script) {
    auto loaded = load_scripts(parts);
    if (!loaded) return std::unexpected(loaded.error());
    scripts = std::move(*loaded);
  }
  if (destinations)
    if (auto list = dispatch::load_list(parts.config.dispatcher.list); !list) return std::unexpected(list.error());
  auto lists = parts.capabilities.read_lists();
  if (!lists) return std::unexpected(lists.error());
  if (request.script) {
    if (!request.force)
      if (auto checked = check_armed(parts, scripts); !checked) return checked;
    // The old scripts are freed here and not in the workers, between whose messages it would take too long.
    const bool all = parts.engine.run_on_all(
        [&](std::uint32_t worker, proxy::Proxy&) { scripts[worker] = parts.runners[worker]->replace(std::move(scripts[worker])); },
        switch_deadline);
    if (!all) return no_answer();
  }
  if (destinations)
    if (auto loaded = parts.dispatcher.reload(parts.config.dispatcher.list); !loaded) return std::unexpected(loaded.error());
  parts.capabilities.take_lists(std::move(*lists));
  log::notice("reloaded{}{}",
              request.script ? " the script"
              : destinations ? ""
                             : " the lists",
              !destinations    ? ""
              : request.script ? " and the destination list"
                               : " the destination list");
  return {};
}

}  // namespace perdure::app

#include "app/upgrade_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "admin/rpc_client.hpp"
#include "app/table.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::RpcResult;

constexpr Duration progress_interval = 100ms, answer_deadline = 15s;

// The steps that have not been shown yet, to standard error: standard output is for the result.
void show_progress(const RpcResult& progress, std::size_t& shown) {
  if (!progress || !progress->is_object() || !progress->contains("steps")) return;
  const Json& steps = (*progress)["steps"];
  for (; steps.is_array() && shown < steps.size(); ++shown)
    if (steps[shown].is_string()) fmt::print(stderr, "{}\n", steps[shown].get<std::string>());
}

std::string result_text(const Json& result) {
  auto text = fmt::format("{} runs, version {}; longest pause {}\n", result.value("binary", ""), result.value("version", ""),
                          duration_text(result.value("longest_pause_us", std::int64_t{0})));
  if (const auto stay = result.value("sessions_stay", std::int64_t{0}); stay > 0)
    text +=
        fmt::format("process {} stays for {} TLS sessions, until they end\n", result.value("sessions_stay_with", std::int64_t{0}), stay);
  return text;
}

}  // namespace

int upgrade_server(const ClientOptions& options, const UpgradeOptions& upgrade) {
  // The answer comes at the end; what happens until then is asked for by a second connection.
  auto client = connect(options), watcher = connect(options);
  if (!client) return complain(options, {admin::rpc_code::failed, client.error().message});
  if (!watcher) return complain(options, {admin::rpc_code::failed, watcher.error().message});
  Json params = {{"patience_ms", static_cast<std::int64_t>(upgrade.patience * 1000)}, {"one_way", upgrade.one_way}, {"edge", upgrade.edge}};
  if (upgrade.edge) params["deadline_ms"] = static_cast<std::int64_t>(upgrade.deadline * 1000);
  if (!upgrade.binary.empty()) params["binary"] = std::filesystem::absolute(upgrade.binary).lexically_normal().string();
  if (auto asked = client->ask("upgrade", std::move(params)); !asked)
    return complain(options, {admin::rpc_code::failed, asked.error().message});
  std::size_t shown = 0;
  while (!client->has_answer(progress_interval)) show_progress(watcher->call("upgrade.progress", Json::array(), answer_deadline), shown);
  const RpcResult answer = client->answer(answer_deadline);
  if (!answer) return complain(options, answer.error());
  fmt::print("{}", options.json ? admin::to_text(*answer, 2) + '\n' : result_text(*answer));
  return 0;
}

}  // namespace perdure::app

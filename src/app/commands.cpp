#include "app/commands.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "admin/http_server.hpp"
#include "admin/rpc_client.hpp"
#include "app/administration.hpp"
#include "app/capabilities.hpp"
#include "app/config.hpp"
#include "app/drain_command.hpp"
#include "app/script_events.hpp"
#include "app/state_directory.hpp"
#include "app/table.hpp"
#include "dispatch/dispatcher.hpp"
#include "edge/connections/tls.hpp"
#include "engine/clock.hpp"
#include "script/script_runner.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::RpcResult;

constexpr Duration answer_deadline = 15s, stop_deadline = 120s;

// Asks, and prints the answer by `text_of`.
template <class TextOf>
int ask(const ClientOptions& options, std::string_view method, Json params, TextOf text_of) {
  auto client = connect(options);
  if (!client) return complain(options, {admin::rpc_code::failed, client.error().message});
  const RpcResult answer = client->call(method, std::move(params), answer_deadline);
  if (!answer) return complain(options, answer.error());
  fmt::print("{}", options.json ? admin::to_text(*answer, 2) + '\n' : text_of(*answer));
  return 0;
}

// Members of an answer; another version of the server may leave some out.
std::uint64_t number(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}
std::string text(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
const Json& member(const Json& object, const char* name) {
  static const Json none = Json::object();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() ? *found : none;
}

std::string process_text(std::uint64_t pid) {
  return pid ? std::to_string(pid) : "none";
}

std::string last_start_text(const Json& last) {
  const auto reason = text(last, "reason");
  std::string out = fmt::format("{} open transactions in {}", number(last, "recovered"),
                                duration_text(static_cast<std::int64_t>(number(last, "attach_us"))));
  if (number(last, "dropped")) out += fmt::format(", {} damaged ones dropped", number(last, "dropped"));
  if (const auto count = number(last, "redelivered")) out += fmt::format(", {} messages done again", count);
  if (const auto count = number(last, "quarantined_messages") + number(last, "quarantined_records"))
    out += fmt::format(", {} in quarantine", count);
  if (!reason.empty() && reason != "none")
    out += fmt::format("; pause {} after the engine before it was {}", duration_text(static_cast<std::int64_t>(number(last, "pause_us"))),
                       reason == "planned" ? "told to stop" : reason);
  return out;
}

}  // namespace

int complain(const ClientOptions& options, const admin::RpcError& error) {
  if (options.json) fmt::print("{}\n", admin::to_text({{"error", {{"code", error.code}, {"message", error.message}}}}, 2));
  fmt::print(stderr, "perdure: {}\n", error.message);
  return 1;
}

Result<admin::RpcClient> connect(const ClientOptions& options) {
  if (!options.socket.empty()) return admin::RpcClient::connect(options.socket);
  const auto config = options.config.empty() ? embedded_config() : load_config(options.config);
  if (!config) return std::unexpected(config.error());
  return admin::RpcClient::connect(control_socket(config->state.directory));
}

std::string status_text(const Json& status) {
  const Json &pids = member(status, "pids"), &store = member(status, "store"), &script = member(status, "script");
  std::string listen;
  for (const auto& address : member(status, "listen"))
    if (address.is_string()) listen += (listen.empty() ? "" : " ") + address.get<std::string>();
  Table table(
      {"perdure " + text(status, "version"), fmt::format("up {}, {}", uptime_text(static_cast<std::int64_t>(number(status, "uptime_s"))),
                                                         member(status, "serving") == true ? "serving" : "not serving")});
  table.add({"listen", listen});
  table.add({"workers", std::to_string(number(status, "workers"))});
  if (const Json& drain = member(status, "drain"); member(drain, "on") == true) table.add({"draining", drain_text(drain)});
  if (const Json& open = member(member(status, "connections"), "open"); open.is_object() && !open.empty()) {
    std::string connections;
    for (const auto& [transport, count] : open.items())
      connections += fmt::format("{}{} {}", connections.empty() ? "" : ", ", count.get<std::uint64_t>(), transport);
    table.add({"connections", connections});
  }
  table.add({"processes", fmt::format("edge {}, engine {}, spare {}", process_text(number(pids, "edge")),
                                      process_text(number(pids, "engine")), process_text(number(pids, "spare")))});
  if (const auto error = text(status, "spare_error"); !error.empty()) table.add({"no spare", error});
  for (const char* role : {"edge", "engine", "spare"})
    if (const Json& program = member(member(status, "programs"), role); !text(program, "binary").empty())
      table.add({role, fmt::format("{}, {}", text(program, "version").empty() ? "loading" : "version " + text(program, "version"),
                                   text(program, "binary"))});
  table.add({"engine starts", std::to_string(number(status, "engine_starts"))});
  table.add({"last start", last_start_text(member(status, "last_start"))});
  if (const auto pause = number(status, "longest_pause_us")) table.add({"longest pause", duration_text(static_cast<std::int64_t>(pause))});
  if (const auto error = text(status, "engine_error"); !error.empty()) {
    table.add({"engine", error});
    return table.text();
  }
  table.add({"transactions", fmt::format("{} open", number(status, "transactions"))});
  table.add({"store", fmt::format("{} used, {} claimed of {}", bytes_text(number(store, "used_bytes")),
                                  bytes_text(number(store, "claimed_bytes")), bytes_text(number(store, "max_bytes")))});
  table.add({"script",
             fmt::format("{} runs, {} errors, {} reloads", number(script, "runs"), number(script, "errors"), number(script, "reloads"))});
  if (const auto error = text(script, "last_error"); !error.empty()) table.add({"script error", error});
  return table.text();
}

std::string calls_text(const Json& calls) {
  Table table({"AGE", "METHOD", "STATE", "CALL-ID", "REQUEST-URI", "BRANCHES"});
  for (const auto& call : calls) {
    std::string branches;
    for (const auto& branch : member(call, "branches")) {
      branches += fmt::format("{}{} {}", branches.empty() ? "" : ", ", text(branch, "destination"), text(branch, "state"));
      if (number(branch, "status")) branches += fmt::format(" {}", number(branch, "status"));
    }
    table.add({uptime_text(static_cast<std::int64_t>(number(call, "age_ms") / 1000)), text(call, "method"), text(call, "state"),
               text(call, "call_id"), text(call, "request_uri"), branches});
  }
  return calls.empty() ? "no calls in progress\n" : table.text();
}

std::string gateways_text(const Json& list) {
  Table table({"SET", "STATE", "PRIORITY", "FAILURES", "LOAD", "URI", "ATTRIBUTES"});
  bool any = false;
  for (const auto& record : member(list, "RECORDS")) {
    const Json& set = member(record, "SET");
    const Json& id = member(set, "ID");
    for (const auto& target : member(set, "TARGETS")) {
      const Json& destination = member(target, "DEST");
      const Json& priority = member(destination, "PRIORITY");
      any = true;
      table.add({admin::to_text(id), text(destination, "FLAGS"), admin::to_text(priority), std::to_string(number(destination, "FAILURES")),
                 std::to_string(number(destination, "LOAD")), text(destination, "URI"), text(member(destination, "ATTRS"), "BODY")});
    }
  }
  return any ? table.text() : "no destinations\n";
}

Json parse_argument(const std::string& argument) {
  if (argument.starts_with("s:")) return argument.substr(2);
  Json json = Json::parse(argument, nullptr, false);
  return json.is_discarded() ? Json(argument) : json;
}

int show_status(const ClientOptions& options) {
  return ask(options, "status", Json::array(), status_text);
}

int show_calls(const ClientOptions& options, std::uint32_t limit) {
  return ask(options, "tm.list", Json::array({limit}), calls_text);
}

int show_gateways(const ClientOptions& options) {
  return ask(options, "dispatcher.list", Json::array(), gateways_text);
}

int reload_server(const ClientOptions& options, bool force) {
  return ask(options, "reload", force ? Json::array({"force"}) : Json::array(), [](const Json&) { return std::string("reloaded\n"); });
}

int stop_server(const ClientOptions& options) {
  auto client = connect(options);
  if (!client) return complain(options, {admin::rpc_code::failed, client.error().message});
  const RpcResult answer = client->call("stop", Json::array(), stop_deadline);
  if (!client->wait_closed(10s)) return complain(options, {admin::rpc_code::failed, "the server still holds its control socket"});
  if (!answer) return complain(options, answer.error());
  fmt::print("{}", options.json ? admin::to_text(*answer, 2) + '\n' : "stopped\n");
  return 0;
}

int call_method(const ClientOptions& options, const std::string& method, const std::vector<std::string>& arguments) {
  Json params = Json::array();
  for (const auto& argument : arguments) params.push_back(parse_argument(argument));
  return ask(options, method, std::move(params),
             [](const Json& answer) { return (answer.is_string() ? answer.get<std::string>() : admin::to_text(answer, 2)) + '\n'; });
}

int check_files(const ClientOptions& options) {
  const auto failed = [&](const std::string& message) { return complain(options, {admin::rpc_code::failed, message}); };
  const auto config = options.config.empty() ? embedded_config() : load_config(options.config);
  if (!config) return failed(config.error().message);
  dispatch::Dispatcher dispatcher(config->dispatcher.options);
  if (!config->dispatcher.list.empty())
    if (const auto loaded = dispatcher.reload(config->dispatcher.list); !loaded) return failed(loaded.error().message);
  script::ScriptOptions script;
  script.path = config->script;
  script.instruction_limit = config->script_instructions;
  script.memory_limit_bytes = config->script_memory_bytes;
  script.processor_us = engine::processor_us;
  script.time_limit = config->script_time;
  script.dispatcher = &dispatcher;
  script.callbacks = configured_callbacks(*config);
  const auto capabilities = Capabilities::create(*config);
  if (!capabilities) return failed(capabilities.error().message);
  (*capabilities)->offer_to(script);
  if (const auto checked = script::check_script(script); !checked) return failed(checked.error().message);
  if (config->connections.tls.is_on())
    if (const auto loaded = edge::TlsContext::load(config->connections.tls); !loaded) return failed(loaded.error().message);
  if (const auto http = admin::check_http(http_options(config->admin)); !http) return failed("admin: " + http.error().message);
  const auto list = dispatcher.list();
  if (options.json)
    fmt::print("{}\n", admin::to_text({{"configuration", config->path},
                                       {"script", config->script},
                                       {"list", config->dispatcher.list},
                                       {"destinations", list->size()}},
                                      2));
  else
    fmt::print("configuration {}, script {}, {} destinations: good\n", config->path.empty() ? "(embedded)" : config->path,
               config->script.empty() ? "(embedded)" : config->script, list->size());
  return 0;
}

}  // namespace perdure::app

// The command line. One binary: the server, its engines, and the commands that ask a running server.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/call_command.hpp"
#include "app/command_reference.hpp"
#include "app/commands.hpp"
#include "app/drain_command.hpp"
#include "app/engine_main.hpp"
#include "app/metrics/catalogue.hpp"
#include "app/options.hpp"
#include "app/program.hpp"
#include "app/rpc_schema.hpp"
#include "app/run.hpp"
#include "app/top/command.hpp"
#include "app/upgrade_command.hpp"

namespace perdure::app {
namespace {

constexpr int usage_error = 2;

int run(const std::string& path, const std::string& program) {
  std::string text;
  const auto config = path.empty() ? embedded_config() : load_config(path, &text);
  if (!config) {
    fmt::print(stderr, "perdure: {}\n", config.error().message);
    return 1;
  }
  return run_server(*config, text, program);
}

void add_server_options(CLI::App& command, ClientOptions& options) {
  command.add_option("-c,--config", options.config, "Configuration file of the server")->type_name("FILE");
  command.add_option("--socket", options.socket, "Control socket of the server, instead of the one in its state directory")
      ->type_name("PATH");
}

void add_client_options(CLI::App& command, ClientOptions& options) {
  add_server_options(command, options);
  command.add_flag("--json", options.json, "Print the answer as JSON");
}

void add_engine(CLI::App& app, EngineArguments& arguments) {
  CLI::App& engine = *app.add_subcommand("engine", "An engine process; started by run")->group("");
  engine.add_option("-c", arguments.config_path);
  engine.add_option("--configuration", arguments.configuration);
  engine.add_option("--store", arguments.store);
  engine.add_option("--store-bytes", arguments.store_bytes);
  engine.add_option("--tables", arguments.tables);
  engine.add_option("--dispatcher-state", arguments.dispatcher_state);
  engine.add_option("--quarantine", arguments.quarantine);
  engine.add_option("--channel", arguments.channel)->required();
  engine.add_option("--shared", arguments.shared)->required();
  engine.add_option("--metrics", arguments.metrics);
  engine.add_option("--sockets", arguments.sockets)->delimiter(',');
  engine.add_option("--rings", arguments.rings)->delimiter(',');
  engine.add_option("--listening", arguments.listening)->delimiter(',');
}

int main(int argc, char** argv) {
  CLI::App app("Perdure: a SIP proxy whose calls survive its own restarts", "perdure");
  app.set_version_flag("--version", "perdure " PERDURE_VERSION);
  app.require_subcommand(1);
  ClientOptions client;
  std::string config, method, call_id, pcap;
  std::vector<std::string> arguments;
  std::uint32_t limit = 50;
  double interval = 1;
  bool force = false;
  int predecessor = -1;
  EngineArguments engine;
  UpgradeOptions upgrading;
  DrainOptions draining;

  const auto* const run_command = app.add_subcommand("run", "Run the server in the foreground");
  app.get_subcommand("run")
      ->add_option("-c,--config", config, "Configuration file; without it a default on loopback runs")
      ->type_name("FILE");
  app.get_subcommand("run")->add_option("--take-over", predecessor)->group("");
  auto* const check = app.add_subcommand("check", "Test configuration, script, destination list, certificates and keys");
  check->add_option("-c,--config", client.config, "Configuration file")->type_name("FILE")->required();
  check->add_flag("--json", client.json, "Print the result as JSON");
  auto* const status = app.add_subcommand("status", "Processes, open transactions, counters");
  auto* const calls = app.add_subcommand("calls", "Transactions in progress with their branches");
  calls->add_option("--limit", limit, "How many at most")->check(CLI::Range(1, 10'000))->capture_default_str();
  auto* const call = app.add_subcommand("call", "The messages of a call as a ladder; [trace] keeps them");
  call->add_option("call-id", call_id, "Call-ID of the call")->required();
  call->add_option("--pcap", pcap, "Write them to a capture file instead")->type_name("FILE");
  auto* const gateways = app.add_subcommand("gateways", "Destinations and their states");
  auto* const reload = app.add_subcommand("reload", "Load script and destination list again");
  reload->add_flag("--force", force, "Also if the new script lacks functions that open transactions will call");
  auto* const stop = app.add_subcommand("stop", "Stop the server; open calls go on after the next start");
  auto* const upgrade = app.add_subcommand("upgrade", "Replace the engine by one of another binary, in mid-call");
  upgrade->add_option("--binary", upgrading.binary, "The new program; without it the file that the server was started from")
      ->type_name("FILE");
  upgrade->add_option("--patience", upgrading.patience, "How long it may take to initialise")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  upgrade->add_flag("--edge", upgrading.edge, "Replace the edge as well, which holds the sockets");
  upgrade->add_option("--deadline", upgrading.deadline, "With --edge: TLS sessions stay with the old edge, at most for so long")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 366.0 * 24 * 3600))
      ->capture_default_str();
  upgrade->add_flag("--one-way", upgrading.one_way, "Also if the program that runs now could not read what the new one writes");
  auto* const drain = app.add_subcommand("drain", "Take no new dialogs; everything that is open goes on");
  drain->add_option("--code", draining.code, "What new dialogs are answered with")->check(CLI::Range(300, 699))->capture_default_str();
  drain->add_option("--retry-after", draining.retry_after_s, "When callers may try again; 0: no Retry-After")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str();
  drain->add_flag("--registrations", draining.registrations, "REGISTER is refused as well");
  drain->add_flag("--by-script", draining.by_script, "Requests still reach the script, which asks KSR.drain and decides");
  auto* const drain_wait = drain->add_flag("--wait", draining.wait, "Return when no transaction waits for its final response");
  drain->add_option("--deadline", draining.deadline, "Wait no longer than this, such as 10m; exit code 3")
      ->type_name("DURATION")
      ->needs(drain_wait);
  auto* const top = app.add_subcommand("top", "Rates, answers, latency, open calls, gateways and restarts, live in the terminal");
  top->add_option("--interval", interval, "How long between two looks")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  add_server_options(*top, client);
  auto* const undrain = app.add_subcommand("undrain", "Take new dialogs again");
  auto* const rpc = app.add_subcommand("rpc", "Call a method of the server, such as tm.stats; system.listMethods names them");
  rpc->add_option("method", method, "Name of the method")->required();
  rpc->add_option("arguments", arguments, "Numbers, JSON or text; s:5 is the text 5");
  for (auto* const command : {status, calls, call, gateways, reload, stop, upgrade, drain, undrain, rpc})
    add_client_options(*command, client);
  const auto* const options = app.add_subcommand("options", "Print docs/configuration.md")->group("");
  const auto* const methods = app.add_subcommand("methods", "Print docs/rpc.md")->group("");
  const auto* const metrics = app.add_subcommand("metrics", "Print docs/metrics.md")->group("");
  const auto* const commands = app.add_subcommand("commands", "Print docs/commands.md")->group("");
  add_engine(app, engine);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }
  if (*run_command && predecessor >= 0) return take_over_server(predecessor, program_path(argv[0]));
  if (*run_command) return run(config, program_path(argv[0]));
  if (*check) return check_files(client);
  if (*status) return show_status(client);
  if (*calls) return show_calls(client, limit);
  if (*call) return show_call(client, call_id, pcap);
  if (*gateways) return show_gateways(client);
  if (*reload) return reload_server(client, force);
  if (*stop) return stop_server(client);
  if (*upgrade) return upgrade_server(client, upgrading);
  if (*drain) return drain_server(client, draining);
  if (*undrain) return undrain_server(client);
  if (*top) return show_top(client, interval);
  if (*rpc) return call_method(client, method, arguments);
  if (*options) return std::fputs(configuration_reference().c_str(), stdout) < 0 ? 1 : 0;
  if (*methods) return std::fputs(rpc_reference().c_str(), stdout) < 0 ? 1 : 0;
  if (*metrics) return std::fputs(metrics_reference().c_str(), stdout) < 0 ? 1 : 0;
  if (*commands) return std::fputs(commands_reference(app).c_str(), stdout) < 0 ? 1 : 0;
  return engine_main(engine);
}

}  // namespace
}  // namespace perdure::app

int main(int argc, char** argv) {
  return perdure::app::main(argc, argv);
}

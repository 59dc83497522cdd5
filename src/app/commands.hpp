#pragma once
// The subcommands that ask the running server, and `check`. Each prints and returns the exit code.
#include <cstdint>
#include <string>
#include <vector>

#include "admin/json_rpc.hpp"
#include "admin/rpc_client.hpp"
#include "base/result.hpp"

namespace perdure::app {

// Where the server is, and how to print.
struct ClientOptions {
  std::string config;  // the server's configuration file; empty: the embedded one
  std::string socket;  // instead of the one in the state directory
  bool json = false;
};

// Says what is wrong, and gives the exit code for it.
int complain(const ClientOptions& options, const admin::RpcError& error);
// To the control socket that the options name.
[[nodiscard]] Result<admin::RpcClient> connect(const ClientOptions& options);

[[nodiscard]] int show_status(const ClientOptions& options);
[[nodiscard]] int show_calls(const ClientOptions& options, std::uint32_t limit);
[[nodiscard]] int show_gateways(const ClientOptions& options);
[[nodiscard]] int reload_server(const ClientOptions& options, bool force);
// Returns when the server has let go of its sockets and state directory.
[[nodiscard]] int stop_server(const ClientOptions& options);
[[nodiscard]] int call_method(const ClientOptions& options, const std::string& method, const std::vector<std::string>& arguments);
// Configuration, script, destination list, certificates and keys, without starting anything.
[[nodiscard]] int check_files(const ClientOptions& options);

// An argument of `perdure rpc`: JSON where it is JSON, else text. "s:5" is the text "5", as in kamcmd.
[[nodiscard]] admin::Json parse_argument(const std::string& argument);

// What the server answered, for people.
[[nodiscard]] std::string status_text(const admin::Json& status);
[[nodiscard]] std::string calls_text(const admin::Json& calls);
[[nodiscard]] std::string gateways_text(const admin::Json& list);

}  // namespace perdure::app

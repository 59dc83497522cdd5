#pragma once
// The parameters of RPC methods as the table writes them: a name, with ":number", ":boolean" or ":any" unless it is a text; in brackets if
// it may be left out; with "…" if it may be repeated.
#include <string>
#include <string_view>
#include <vector>

#include "admin/json_rpc.hpp"
#include "app/rpc_methods.hpp"

namespace perdure::app {

struct RpcParameter {
  std::string name;
  std::string_view type;  // of JSON Schema; empty: any
  bool required = true, repeated = false;
};
[[nodiscard]] std::vector<RpcParameter> rpc_parameters(const RpcMethod& method);
// "set uri [limit] [name]…", for people.
[[nodiscard]] std::string parameters_text(const RpcMethod& method);

// The method object of OpenRPC 1.2, and the document of all methods.
[[nodiscard]] admin::Json rpc_schema(const RpcMethod& method);
[[nodiscard]] admin::Json rpc_document();
// docs/rpc.md
[[nodiscard]] std::string rpc_reference();

}  // namespace perdure::app

#pragma once
// The one table of RPC methods: `system.listMethods` and docs/operations.md are made from it, and a test compares it with what is there.
#include <span>
#include <string>
#include <string_view>

namespace perdure::app {

enum class RpcSide : unsigned char { Edge, Engine };  // which process answers

struct RpcMethod {
  std::string_view name;
  std::string_view parameters;  // "[limit]", empty: none
  std::string_view text;        // one sentence for the operator
  RpcSide side;
};

[[nodiscard]] std::span<const RpcMethod> rpc_methods();  // by name
[[nodiscard]] const RpcMethod* find_rpc_method(std::string_view name);
// A Markdown table.
[[nodiscard]] std::string rpc_reference();

}  // namespace perdure::app

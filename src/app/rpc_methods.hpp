#pragma once
// The one table of RPC methods: `system.listMethods` and docs/rpc.md are made from it, and a test compares it with what is there.
#include <span>
#include <string_view>

namespace perdure::app {

enum class RpcSide : unsigned char { Edge, Engine };  // which process answers

struct RpcMethod {
  std::string_view name;
  std::string_view parameters;  // "set:number uri [limit:number] [name]…": see rpc_schema.hpp
  std::string_view text;        // one sentence for the operator
  RpcSide side;
  bool changes = false;  // who asks for it is written to the log
};

[[nodiscard]] std::span<const RpcMethod> rpc_methods();  // by name
[[nodiscard]] const RpcMethod* find_rpc_method(std::string_view name);

}  // namespace perdure::app

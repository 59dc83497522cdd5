#pragma once
// JSON-RPC 2.0 without a transport: a table of methods, and what a text of one request or a batch is answered with.
#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace perdure::admin {

using Json = nlohmann::json;

// The error codes of JSON-RPC 2.0 section 5.1, and ours in the range that it leaves to servers.
namespace rpc_code {
inline constexpr int parse_error = -32700, invalid_request = -32600, method_not_found = -32601, invalid_params = -32602,
                     internal_error = -32603;
inline constexpr int failed = -32000;      // the method ran and could not do it; the message says why
inline constexpr int overloaded = -32001;  // too many connections
}  // namespace rpc_code

struct RpcError {
  int code = rpc_code::failed;
  std::string message;
};
using RpcResult = std::expected<Json, RpcError>;
[[nodiscard]] std::unexpected<RpcError> rpc_fail(std::string message, int code = rpc_code::failed);

// Bounds on what a client may send.
inline constexpr std::size_t request_bytes_max = 1 << 20, request_depth_max = 32, batch_max = 100;

// Who asks.
struct Caller {
  std::string name;        // for the audit
  bool over_http = false;  // its connection does not go over to another edge
};

// Methods by name. Not thread-safe.
class MethodTable {
 public:
  using Done = std::function<void(RpcResult)>;
  using Handler = std::function<RpcResult(const Json& params)>;
  // Calls `done` once, now or later, in the thread of the table. `params` is an array or an object, empty if there were none.
  using LateHandler = std::function<void(Json params, Done done)>;
  using CallerHandler = std::function<void(Json params, Done done, const Caller& caller)>;
  using OtherHandler = std::function<void(const std::string& method, Json params, Done done)>;

  void add(std::string name, Handler handler);
  void add_late(std::string name, LateHandler handler);
  // For a method whose answer depends on how it is asked.
  void add_for_caller(std::string name, CallerHandler handler);
  // Takes every method that is not in the table; without it they are "method not found".
  void set_other(OtherHandler handler) { other_ = std::move(handler); }

  // Told of each call of a method that `wanted` names, with who asked, when it has been answered.
  using Audit = std::function<void(const std::string& caller, const std::string& method, const Json& params, const RpcResult& result)>;
  void set_audit(std::function<bool(const std::string& method)> wanted, Audit audit);

  // Answers a text. `reply` is called once, with an empty text if nothing is to be sent (notifications). Throws nothing, whatever the text
  // and the handlers do.
  void dispatch(std::string_view text, std::function<void(std::string)> reply, const Caller& caller = {}) const;

 private:
  void call(const std::string& method, Json params, Done done, const Caller& caller) const;
  void handle(const Json& request, std::function<void(Json)> done, const Caller& caller) const;
  void handle_batch(const Json& batch, std::function<void(std::string)> reply, const Caller& caller) const;

  std::map<std::string, CallerHandler, std::less<>> methods_;
  OtherHandler other_;
  std::function<bool(const std::string&)> audit_wanted_;
  Audit audit_;
};

// A parameter by position (array) or name (object); null if it is not there.
[[nodiscard]] const Json& parameter(const Json& params, std::size_t position, std::string_view name);

// As text for the wire, in one line. Bytes that are not UTF-8 (a Call-ID may have any) become U+FFFD.
[[nodiscard]] std::string to_text(const Json& json, int indent = -1);

[[nodiscard]] Json make_request(std::string_view method, Json params, std::uint64_t id = 1);
[[nodiscard]] Json make_error(const RpcError& error, Json id = nullptr);
// The result in the text of a response, or its error. A text that is no response is an error, too.
[[nodiscard]] RpcResult read_response(std::string_view text);

}  // namespace perdure::admin

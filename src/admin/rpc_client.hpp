#pragma once
// The command line's end of the control socket: one request at a time, blocking.
#include <string>
#include <string_view>

#include "admin/json_rpc.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::admin {

class RpcClient {
 public:
  // "no server at PATH; is it running?" if nobody listens there.
  [[nodiscard]] static Result<RpcClient> connect(const std::string& path);
  RpcClient(RpcClient&& other) noexcept;
  RpcClient& operator=(RpcClient&&) = delete;
  ~RpcClient();

  // The result of a method; the error is the server's message, or says that it did not answer within `timeout`.
  [[nodiscard]] RpcResult call(std::string_view method, Json params, Duration timeout = 10s);
  // call() in two parts, for an answer that takes long.
  [[nodiscard]] Result<> ask(std::string_view method, Json params, Duration timeout = 10s);
  [[nodiscard]] bool has_answer(Duration timeout);  // or the connection has ended
  [[nodiscard]] RpcResult answer(Duration timeout);
  // Waits until the server closes the connection. False: it has not in time.
  [[nodiscard]] bool wait_closed(Duration timeout);

 private:
  RpcClient(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  [[nodiscard]] Result<> send(std::string_view text, Duration timeout);
  [[nodiscard]] Result<std::string> read_line(Duration timeout);

  int descriptor_;
  std::string path_;
  std::string in_;
};

}  // namespace perdure::admin

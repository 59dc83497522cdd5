#pragma once
// JSON-RPC over a Unix stream socket: a request or batch per line, a response per line. Every client is bounded in number, size and time.
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "admin/json_rpc.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::admin {

struct RpcServerOptions {
  std::string path;                      // of the socket, at most 107 bytes
  gid_t group = static_cast<gid_t>(-1);  // whose members may connect beside the owner; -1: the process's
  std::size_t connections_max = 32;      // more are told so and closed
  std::size_t line_bytes_max = request_bytes_max;
  Duration idle = 60s;            // a connection without a complete request for so long is closed
  Duration write_deadline = 10s;  // a client that does not read its answer for so long is closed
};

class RpcServer {
 public:
  // Gives the answer to a line by `reply`, once, in the thread of the context; empty: none. `caller` says who asks.
  using Handler = std::function<void(std::string line, std::function<void(std::string)> reply, const std::string& caller)>;

  RpcServer(boost::asio::io_context& context, RpcServerOptions options, Handler handler);
  ~RpcServer();  // removes the socket file, then closes everything
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // Listens. The socket file that a dead server left is replaced; one where a server answers, or a file that is no socket, is an error.
  [[nodiscard]] Result<> start();
  // The same with a socket that another process has made at this path; takes the descriptor.
  [[nodiscard]] Result<> start(int listening);

  // ---- for another process that takes over ----
  [[nodiscard]] int descriptor() const;  // that listens
  // Accepts nobody until resume(): they wait in the kernel.
  void pause();
  void resume();
  // The file stays at the end: it is the other's.
  void give_away();

  [[nodiscard]] std::size_t connections() const;
  // An answer has not wholly left yet.
  [[nodiscard]] bool is_writing() const;

 private:
  class Connection;
  struct State;
  void accept();

  std::shared_ptr<State> state_;
};

}  // namespace perdure::admin

#pragma once
// HTTP and HTTPS for administration, in a thread of its own that gives way to those that route calls. A client is bounded in number, size,
// rate and time before it has proved who it is; nothing of it is kept, and no body is read, until then.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/socket_address.hpp"
#include "base/time.hpp"

namespace perdure::admin {

struct HttpOptions {
  SocketAddress listen;
  std::string token_file;                           // empty: no token is asked for
  std::string certificate, private_key, client_ca;  // PEM files; without a certificate it is HTTP, without client_ca nobody needs one
  std::size_t connections_max = 64;                 // one more takes the place of the oldest that has not proved who it is
  std::uint32_t requests_per_second = 100;          // with what it takes to be let in, of all clients; others have as many of their own
  Duration header_deadline = 5s;                    // from the first byte that is waited for, handshake or header, to the last
  Duration body_deadline = 10s, write_deadline = 10s;
  Duration idle = 75s;  // between the requests of a client that has been let in
};

struct HttpRequest {
  std::string method, path, content_type, body;
  std::string caller;  // who asks, for the log
};
struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpCounters {
  std::atomic<std::uint64_t> connections{0}, requests{0}, refused{0} /* not let in */, limited{0} /* too many, too fast */, malformed{0},
      timeouts{0}, open{0} /* now */;
};

class HttpServer {
 public:
  // Called in the server's thread; `reply` may be called once from any thread, also after the server has ended.
  using Handler = std::function<void(HttpRequest request, std::function<void(HttpAnswer)> reply)>;

  // `is_open` says which paths need no token.
  HttpServer(HttpOptions options, Handler handler, std::function<bool(const std::string& path)> is_open);
  ~HttpServer();  // closes everything
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Reads token and certificates and listens.
  [[nodiscard]] Result<> start();
  // The address with the port that the kernel chose.
  [[nodiscard]] SocketAddress address() const;
  // Reads token and certificates again, for requests and connections to come. An error changes nothing.
  [[nodiscard]] Result<> reload();
  [[nodiscard]] const HttpCounters& counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Whether its files can be used.
[[nodiscard]] Result<> check_http(const HttpOptions& options);
// Whether that file holds a token that can be used: one line of at least 16 characters, in a file that others cannot read.
[[nodiscard]] Result<std::string> read_token(const std::string& path);

}  // namespace perdure::admin

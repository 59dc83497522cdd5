#pragma once
// One connection of the HTTP server: reads a request, waits for its answer, writes it, reads the next.
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/http_guard.hpp"
#include "admin/http_server.hpp"

namespace perdure::admin {

// What the sessions of a server have in common.
struct HttpShared {
  HttpShared(HttpOptions http_options, HttpServer::Handler http_handler, std::function<bool(const std::string&)> open_paths)
      : options(std::move(http_options)),
        handler(std::move(http_handler)),
        is_open(std::move(open_paths)),
        allowed(options.requests_per_second),
        others_allowed(options.requests_per_second) {}
  const HttpOptions options;
  const HttpServer::Handler handler;
  const std::function<bool(const std::string&)> is_open;
  boost::asio::io_context context{1};
  std::shared_ptr<const Credentials> credentials;  // in the thread of the server
  Allowance allowed, others_allowed;
  HttpCounters counters;
  std::chrono::steady_clock::time_point refusal_said{};
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Ended = std::function<void(const std::shared_ptr<HttpSession>&)>;
  HttpSession(std::shared_ptr<HttpShared> shared, boost::asio::ip::tcp::socket socket, Ended ended);

  void start();
  void close();
  // Has proved who it is.
  [[nodiscard]] bool is_let_in() const { return let_in_; }

 private:
  using ErrorCode = boost::system::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  template <class F>
  void with_stream(F f) {
    if (tls_)
      f(*tls_);
    else
      f(tcp_);
  }
  void read_header();
  void on_header(ErrorCode error);
  [[nodiscard]] bool authorise(const std::string& path);
  void read_body();
  void on_request();
  void refuse(unsigned status, std::string text);
  void answer(HttpAnswer answer);
  void linger();
  void on_error(ErrorCode error);

  std::shared_ptr<HttpShared> shared_;
  std::shared_ptr<const Credentials> credentials_;
  boost::beast::tcp_stream tcp_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
  Ended ended_;
  std::string peer_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Response response_;
  std::size_t discarded_ = 0;
  bool let_in_ = false, keep_alive_ = false;
};

}  // namespace perdure::admin

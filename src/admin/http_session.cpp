#include "admin/http_session.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/post.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "admin/json_rpc.hpp"
#include "base/logging.hpp"

namespace perdure::admin {
namespace {

namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;

constexpr std::size_t header_bytes_max = 8192;
constexpr std::size_t discarded_max = 2 * request_bytes_max;
constexpr Duration linger_deadline = 1s;
constexpr auto refusals_said_every = std::chrono::seconds(10);

std::string common_name(ssl::stream<boost::beast::tcp_stream&>& stream) {
  std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(stream.native_handle()), X509_free);
  char name[256] = "";
  if (certificate) X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
  return name;
}

}  // namespace

HttpSession::HttpSession(std::shared_ptr<HttpShared> shared, boost::asio::ip::tcp::socket socket, Ended ended)
    : shared_(std::move(shared)),
      credentials_(shared_->credentials),
      tcp_(std::move(socket)),
      ended_(std::move(ended)),
      buffer_(header_bytes_max) {
  ErrorCode ignored;
  const auto peer = tcp_.socket().remote_endpoint(ignored);
  peer_ = fmt::format("http {}:{}", peer.address().to_string(), peer.port());
  if (credentials_->tls) tls_.emplace(tcp_, const_cast<ssl::context&>(*credentials_->tls));
}

void HttpSession::start() {
  if (!tls_) return read_header();
  tcp_.expires_after(shared_->options.header_deadline);
  tls_->async_handshake(ssl::stream_base::server, [self = shared_from_this()](ErrorCode error) {
    if (error) return self->on_error(error);
    if (!self->shared_->options.client_ca.empty()) self->peer_ += fmt::format(" ({})", common_name(*self->tls_));
    self->read_header();
  });
}

void HttpSession::close() {
  ErrorCode ignored;
  tcp_.cancel();
  tcp_.socket().close(ignored);
  if (const auto ended = std::exchange(ended_, nullptr)) ended(shared_from_this());
}

void HttpSession::read_header() {
  parser_.emplace();
  parser_->header_limit(header_bytes_max);
  parser_->body_limit(request_bytes_max);
  tcp_.expires_after(let_in_ ? shared_->options.idle : shared_->options.header_deadline);
  with_stream([&](auto& stream) {
    http::async_read_header(stream, buffer_, *parser_,
                            [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_header(error); });
  });
}

void HttpSession::on_header(ErrorCode error) {
  if (error == http::error::body_limit) return refuse(413, "the body is too large");
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return refuse(431, "the header is too large");
  if (error) return on_error(error);
  const std::string path(parser_->get().target().substr(0, parser_->get().target().find('?')));
  keep_alive_ = parser_->get().keep_alive();
  const bool open = shared_->is_open(path);
  const bool let_in = authorise(path);
  auto& allowance = let_in ? shared_->allowed : shared_->others_allowed;
  if (!allowance.take(Allowance::Clock::now())) {
    ++shared_->counters.limited;
    return let_in ? refuse(429, "too many requests") : close();
  }
  if (!let_in && !open) {
    ++shared_->counters.refused;
    const auto now = std::chrono::steady_clock::now();
    if (now - shared_->refusal_said > refusals_said_every) {
      shared_->refusal_said = now;
      log::warning("administration: {} {} is refused, {} in all", peer_, path, shared_->counters.refused.load());
    }
    return credentials_->token.empty() ? refuse(403, "a browser may not ask") : refuse(401, "a token is needed");
  }
  let_in_ = let_in_ || let_in;
  read_body();
}

bool HttpSession::authorise(const std::string&) {
  const auto& request = parser_->get();
  const auto field = [&](http::field name) {
    const auto value = request[name];
    return std::string_view(value.data(), value.size());
  };
  const auto& token = shared_->credentials->token;  // as it is now
  if (!token.empty()) return has_token(field(http::field::authorization), token);
  return !may_be_a_page(field(http::field::origin), field(http::field::host));
}

void HttpSession::read_body() {
  tcp_.expires_after(shared_->options.body_deadline);
  if (boost::beast::iequals(parser_->get()[http::field::expect], "100-continue") && !parser_->is_done())
    return with_stream([&](auto& stream) {
      response_ = Response(http::status::continue_, 11);
      http::async_write(stream, response_, [self = shared_from_this()](ErrorCode error, std::size_t) {
        if (error) return self->on_error(error);
        self->parser_->get().erase(http::field::expect);
        self->read_body();
      });
    });
  with_stream([&](auto& stream) {
    http::async_read(stream, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, std::size_t) {
      if (error == http::error::body_limit) return self->refuse(413, "the body is too large");
      if (error) return self->on_error(error);
      self->on_request();
    });
  });
}

void HttpSession::on_request() {
  ++shared_->counters.requests;
  tcp_.expires_never();
  auto& message = parser_->get();
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.path = std::string(message.target().substr(0, message.target().find('?')));
  request.content_type = std::string(message[http::field::content_type]);
  request.body = std::move(message.body());
  request.caller = peer_;
  shared_->handler(std::move(request), [shared = shared_, weak = weak_from_this()](HttpAnswer answer) {
    boost::asio::post(shared->context, [weak, answer = std::move(answer)]() mutable {
      if (const auto self = weak.lock()) self->answer(std::move(answer));
    });
  });
}

// What follows of the request is not read: the connection ends.
void HttpSession::refuse(unsigned status, std::string text) {
  keep_alive_ = false;
  answer({.status = status, .body = std::move(text) + "\n"});
}

void HttpSession::answer(HttpAnswer answer) {
  if (!tcp_.socket().is_open()) return;
  response_ = Response(http::int_to_status(answer.status), 11);
  response_.set(http::field::content_type, answer.content_type);
  response_.set(http::field::cache_control, "no-store");
  if (answer.status == 401) response_.set(http::field::www_authenticate, "Bearer");
  if (answer.status == 429) response_.set(http::field::retry_after, "1");
  response_.body() = std::move(answer.body);
  response_.keep_alive(keep_alive_);
  response_.prepare_payload();
  tcp_.expires_after(shared_->options.write_deadline);
  with_stream([&](auto& stream) {
    http::async_write(stream, response_, [self = shared_from_this()](ErrorCode error, std::size_t) {
      if (error) return self->on_error(error);
      if (self->keep_alive_) return self->read_header();
      self->linger();
    });
  });
}

// To close a socket with bytes that nobody has read takes back what has been sent: what the client still sends of a refused request is
// thrown away for a moment.
void HttpSession::linger() {
  ErrorCode ignored;
  if (discarded_ == 0) {
    tcp_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
    tcp_.expires_after(linger_deadline);
  }
  buffer_.clear();
  tcp_.async_read_some(buffer_.prepare(header_bytes_max), [self = shared_from_this()](ErrorCode error, std::size_t size) {
    self->discarded_ += size + 1;
    if (error || self->discarded_ > discarded_max) return self->close();
    self->linger();
  });
}

void HttpSession::on_error(ErrorCode error) {
  if (error == boost::beast::error::timeout)
    ++shared_->counters.timeouts;
  else if (error != http::error::end_of_stream && error != boost::asio::error::eof && error != boost::asio::error::operation_aborted)
    ++shared_->counters.malformed;
  close();
}

}  // namespace perdure::admin

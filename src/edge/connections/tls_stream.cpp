#include "edge/connections/tls_stream.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace perdure::edge {

TlsStream::TlsStream(int descriptor, SSL* ssl, std::shared_ptr<const TlsContext> context, std::string host)
    : Stream(descriptor), context_(std::move(context)), ssl_(ssl), host_(std::move(host)) {
  (void)SSL_set_fd(ssl_, descriptor);
}

TlsStream::TlsStream(int descriptor, std::shared_ptr<const TlsContext> context, bool web)
    : Stream(descriptor), context_(std::move(context)), web_(web) {}

TlsStream::~TlsStream() {
  SSL_free(ssl_);
}

IoStatus TlsStream::status_of(int result) {
  const int saved_errno = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_NONE:
      return IoStatus::Ok;
    case SSL_ERROR_WANT_READ:
      return IoStatus::WantRead;
    case SSL_ERROR_WANT_WRITE:
      return IoStatus::WantWrite;
    case SSL_ERROR_ZERO_RETURN:
      error_ = "the peer has closed the session";
      return IoStatus::Closed;
    default:
      break;
  }
  if (const auto code = ERR_get_error()) {
    const char* const reason = ERR_reason_error_string(code);
    error_ = reason ? reason : fmt::format("error {:#x}", code);
    if (const long verified = SSL_get_verify_result(ssl_); verified != X509_V_OK)
      error_ += fmt::format(" ({})", X509_verify_cert_error_string(verified));
  } else {
    error_ = saved_errno ? std::strerror(saved_errno) : "the peer has closed the connection";
  }
  return IoStatus::Failed;
}

// Or the peer is gone: then OpenSSL says so.
bool TlsStream::has_heard() const {
  char byte = 0;
  return recv(descriptor(), &byte, 1, MSG_PEEK) >= 0 || (errno != EAGAIN && errno != EINTR);
}

IoStatus TlsStream::handshake() {
  if (!ssl_) {
    if (!has_heard()) return IoStatus::WantRead;
    ssl_ = context_->new_server_session(web_);
    (void)SSL_set_fd(ssl_, descriptor());
  }
  ERR_clear_error();
  errno = 0;
  const IoStatus status = status_of(SSL_do_handshake(ssl_));
  if (status != IoStatus::Ok || host_.empty()) return status;
  X509* const certificate = SSL_get1_peer_certificate(ssl_);
  const bool proved = certificate && proves(certificate, host_);
  X509_free(certificate);
  if (proved) return IoStatus::Ok;
  error_ = fmt::format("its certificate is not one of {}", host_);
  return IoStatus::Failed;
}

IoResult TlsStream::read(std::span<char> into) {
  ERR_clear_error();
  errno = 0;
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_, into.data(), into.size(), &count);
  return {status_of(result), count};
}

IoResult TlsStream::write(std::string_view bytes) {
  ERR_clear_error();
  errno = 0;
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
  return {status_of(result), count};
}

void TlsStream::finish() {
  ERR_clear_error();
  if (ssl_ && SSL_is_init_finished(ssl_)) (void)SSL_shutdown(ssl_);
}

std::vector<std::string> TlsStream::proved_domains() const {
  if (SSL_get_verify_mode(ssl_) == SSL_VERIFY_NONE || SSL_get_verify_result(ssl_) != X509_V_OK) return {};
  X509* const certificate = SSL_get1_peer_certificate(ssl_);
  if (!certificate) return {};
  auto domains = certificate_domains(certificate);
  X509_free(certificate);
  return domains;
}

std::string TlsStream::description() const {
  if (!ssl_ || !SSL_is_init_finished(ssl_)) return {};
  std::string text = fmt::format("{} {}", SSL_get_version(ssl_), SSL_get_cipher_name(ssl_));
  X509* const certificate = SSL_get1_peer_certificate(ssl_);
  if (!certificate) return text;
  if (SSL_get_verify_result(ssl_) == X509_V_OK)
    text += fmt::format("{} {}", SSL_get_verify_mode(ssl_) == SSL_VERIFY_NONE ? ", claims" : ", proved",
                        fmt::join(certificate_domains(certificate), " "));
  X509_free(certificate);
  return text;
}

}  // namespace perdure::edge

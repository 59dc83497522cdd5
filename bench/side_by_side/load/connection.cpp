#include "connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace perdure::bench {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t record_bytes = 16 * 1024;  // the most that one record of TLS holds

// Bytes of the message at the begin of `text`, 0: it is not there as a whole. Both proxies write the header in this form.
std::size_t message_size(std::string_view text) {
  constexpr std::string_view header = "\r\nContent-Length: ", end = "\r\n\r\n";
  const void* const found = ::memmem(text.data(), text.size(), end.data(), end.size());
  if (found == nullptr) {
    if (text.size() > message_bytes_max) fail("what the proxy sends is no message of this load");
    return 0;
  }
  const auto head = static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + end.size();
  const void* const length = ::memmem(text.data(), head, header.data(), header.size());
  if (length == nullptr) fail("a message on a connection without Content-Length");
  const char* const digits = static_cast<const char*>(length) + header.size();
  std::size_t body = 0;
  (void)std::from_chars(digits, text.data() + head, body);
  return head + body <= text.size() ? head + body : 0;
}

}  // namespace

TlsClient::TlsClient() : context_(SSL_CTX_new(TLS_client_method())) {
  (void)SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Several records with one read, as many as there are.
  SSL_CTX_set_read_ahead(context_, 1);
  SSL_CTX_set_default_read_buffer_len(context_, read_bytes);
}

TlsClient::~TlsClient() {
  SSL_CTX_free(context_);
}

Connection::Connection(std::uint16_t proxy_port, const TlsClient* tls)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), in_(2 * read_bytes), out_(4 * message_bytes_max) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(proxy_port);
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail(fmt::format("tcp:127.0.0.1:{}: {}", proxy_port, std::strerror(errno)));
  socklen_t length = sizeof address;
  (void)::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  const int one = 1;
  (void)::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (tls != nullptr) {
    ssl_ = SSL_new(tls->context());
    (void)SSL_set_fd(ssl_, descriptor_);
    if (SSL_connect(ssl_) != 1) fail(fmt::format("tls:127.0.0.1:{}: the handshake failed", proxy_port));
  }
  (void)::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
}

Connection::~Connection() {
  SSL_free(ssl_);
  ::close(descriptor_);
}

std::string Connection::security() const {
  return ssl_ == nullptr ? std::string() : fmt::format("{} {}", SSL_get_version(ssl_), SSL_get_cipher_name(ssl_));
}

std::size_t Connection::ended(int result) {
  const int error = ssl_ == nullptr ? 0 : SSL_get_error(ssl_, result);
  const bool waits =
      ssl_ == nullptr ? result < 0 && (errno == EAGAIN || errno == EINTR) : error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  if (!waits) closed_ = true;
  return 0;
}

std::size_t Connection::read_some(char* into, std::size_t size) {
  if (ssl_ == nullptr) {
    const ssize_t count = ::recv(descriptor_, into, size, 0);
    return count > 0 ? static_cast<std::size_t>(count) : ended(static_cast<int>(count));
  }
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_, into, size, &count);
  return result == 1 ? count : ended(result);
}

std::size_t Connection::write_some(const char* bytes, std::size_t size) {
  if (ssl_ == nullptr) {
    const ssize_t count = ::send(descriptor_, bytes, size, MSG_NOSIGNAL);
    return count > 0 ? static_cast<std::size_t>(count) : ended(static_cast<int>(count));
  }
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl_, bytes, std::min(size, record_bytes), &count);
  return result == 1 ? count : ended(result);
}

// A plain connection once: epoll tells if there is more. With TLS until nothing is left, because epoll does not know what OpenSSL holds.
void Connection::read() {
  more_ = false;
  while (!closed_) {
    const std::size_t room = in_.size() - in_end_;
    if (room < read_bytes / 2) {
      more_ = ssl_ != nullptr;
      return;
    }
    const std::size_t count = read_some(in_.data() + in_end_, room);
    in_end_ += count;
    if (count == 0 || ssl_ == nullptr) return;
  }
}

void Connection::split() {
  while (true) {
    // Line ends between messages are keep-alives.
    while (in_end_ - in_begin_ >= 2 && in_[in_begin_] == '\r') in_begin_ += 2;
    const std::string_view rest(in_.data() + in_begin_, in_end_ - in_begin_);
    const std::size_t size = rest.empty() ? 0 : message_size(rest);
    if (size == 0) return;
    texts_.push_back(rest.substr(0, size));
    in_begin_ += size;
  }
}

std::span<const std::string_view> Connection::receive() {
  std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
  in_end_ -= in_begin_;
  in_begin_ = 0;
  texts_.clear();
  read();
  split();
  received_ += texts_.size();
  return texts_;
}

char* Connection::room() {
  if (out_.size() - out_end_ < message_bytes_max) {
    std::memmove(out_.data(), out_.data() + out_begin_, out_end_ - out_begin_);
    out_end_ -= out_begin_;
    out_begin_ = 0;
    if (out_.size() - out_end_ < message_bytes_max) out_.resize(2 * out_.size());
  }
  return out_.data() + out_end_;
}

void Connection::queue(std::size_t size, std::uint64_t* sent) {
  out_end_ += size;
  ++sent_;
  if (sent != nullptr) stamps_.push_back(sent);
}

bool Connection::flush() {
  if (!stamps_.empty()) {
    const std::uint64_t now = now_ns();
    for (auto* const stamp : stamps_) *stamp = now;
    stamps_.clear();
  }
  while (out_begin_ != out_end_ && !closed_) {
    const std::size_t count = write_some(out_.data() + out_begin_, out_end_ - out_begin_);
    if (count == 0 && !closed_) return false;
    out_begin_ += count;
  }
  out_begin_ = out_end_ = 0;
  return true;
}

}  // namespace perdure::bench

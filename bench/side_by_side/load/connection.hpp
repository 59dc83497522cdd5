// A connection of the generator to the proxy, plain or with TLS: reads and writes many messages at once, and never waits.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "channel.hpp"

namespace perdure::bench {

// What all connections with TLS have in common. The certificate of the proxy is not verified: this is no test of security.
class TlsClient {
 public:
  TlsClient();
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  [[nodiscard]] SSL_CTX* context() const { return context_; }

 private:
  SSL_CTX* context_;
};

class Connection final : public Channel {
 public:
  // Connects to 127.0.0.1:proxy_port, from a port of the kernel's choice, and makes the handshake; waits for both. `tls`: null for plain
  // TCP.
  Connection(std::uint16_t proxy_port, const TlsClient* tls);
  ~Connection() override;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  // Version and cipher; empty without TLS.
  [[nodiscard]] std::string security() const;
  // The proxy has ended it, which it is not to do: whatever goes this way from now on is lost.
  [[nodiscard]] bool is_closed() const { return closed_; }
  // receive() has left something that epoll does not know of.
  [[nodiscard]] bool has_more() const { return more_; }

  [[nodiscard]] std::uint16_t port() const override { return port_; }
  std::span<const std::string_view> receive() override;
  [[nodiscard]] char* room() override;
  void queue(std::size_t size, std::uint64_t* sent) override;
  bool flush() override;

 private:
  void read();
  void split();
  // How many bytes, 0 if it would block or has ended.
  [[nodiscard]] std::size_t read_some(char* into, std::size_t size);
  [[nodiscard]] std::size_t write_some(const char* bytes, std::size_t size);
  std::size_t ended(int result);

  int descriptor_;
  std::uint16_t port_ = 0;
  SSL* ssl_ = nullptr;
  bool closed_ = false, more_ = false;
  std::vector<char> in_, out_;
  std::size_t in_begin_ = 0, in_end_ = 0, out_begin_ = 0, out_end_ = 0;
  std::vector<std::string_view> texts_;
  std::vector<std::uint64_t*> stamps_;
};

}  // namespace perdure::bench

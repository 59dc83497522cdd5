#pragma once
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "edge/connections/stream.hpp"
#include "edge/connections/tls.hpp"

namespace perdure::edge {

class TlsStream final : public Stream {
 public:
  // Owns descriptor and `ssl`, which was made from `context`. `host`: whom the peer must prove to be; empty: nobody.
  TlsStream(int descriptor, SSL* ssl, std::shared_ptr<const TlsContext> context, std::string host);
  // Accepted. Nothing is spent on a peer that has not said a word.
  TlsStream(int descriptor, std::shared_ptr<const TlsContext> context, bool web);
  ~TlsStream() override;

  [[nodiscard]] IoStatus handshake() override;
  [[nodiscard]] IoResult read(std::span<char> into) override;
  [[nodiscard]] bool holds_more() const override { return SSL_has_pending(ssl_) == 1; }
  [[nodiscard]] IoResult write(std::string_view bytes) override;
  void finish() override;
  [[nodiscard]] bool stays_here() const override { return ssl_ != nullptr; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::vector<std::string> proved_domains() const override;
  [[nodiscard]] std::string error() const override { return error_; }

 private:
  [[nodiscard]] IoStatus status_of(int result);
  [[nodiscard]] bool has_heard() const;

  std::shared_ptr<const TlsContext> context_;
  SSL* ssl_ = nullptr;  // of an accepted stream: from its first byte on
  bool web_ = false;
  std::string host_, error_;
};

}  // namespace perdure::edge

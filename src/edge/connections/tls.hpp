#pragma once
// TLS of connections (OpenSSL 3): the certificates that this server shows, whose certificates it believes, and who a peer has proved to be
// (RFC 5922).
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/socket_address.hpp"
#include "edge/connections/stream.hpp"
#include "edge/connections/tls_options.hpp"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct x509_st X509;

namespace perdure::edge {

// Immutable: what is read again becomes a new one, and connections keep theirs.
class TlsContext : public std::enable_shared_from_this<TlsContext> {
 public:
  // An error names the file.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> load(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Streams for a connected descriptor, which they own. `web`: WebSocket comes by it.
  [[nodiscard]] std::unique_ptr<Stream> accept(int descriptor, bool web) const;
  // `host`: name or numeric address of the URI that led there, to be proved by the peer if the options say so.
  [[nodiscard]] std::unique_ptr<Stream> connect(int descriptor, std::string_view host) const;
  // A session of a stream that accept() has made.
  [[nodiscard]] SSL* new_server_session(bool web) const;

 private:
  struct Certificate {
    SSL_CTX* context = nullptr;
    std::vector<std::string> names;
  };
  explicit TlsContext(TlsOptions options) : options_(std::move(options)) {}
  [[nodiscard]] Result<> load_certificate(std::size_t index);
  [[nodiscard]] Result<> load_client();
  [[nodiscard]] Result<> set_common(SSL_CTX* context, bool server) const;
  static int choose_certificate(void* ssl, int* alert, void* self);

  TlsOptions options_;
  std::vector<Certificate> certificates_;
  SSL_CTX* client_ = nullptr;
};

// The SIP domains that a certificate proves (RFC 5922 7.1): of its subjectAltName the hosts of sip URIs without user, or if there are none
// its DNS names; without either the common name. In lower case.
[[nodiscard]] std::vector<std::string> certificate_domains(X509* certificate);
// RFC 5922 7.2: letter by letter but for case; a wildcard matches nothing.
[[nodiscard]] bool proves(X509* certificate, std::string_view host);

}  // namespace perdure::edge

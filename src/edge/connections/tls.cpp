#include "edge/connections/tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "base/case.hpp"
#include "edge/connections/tls_stream.hpp"

namespace perdure::edge {
namespace {

std::string last_error() {
  const auto code = ERR_get_error();
  const char* const reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : fmt::format("error {:#x}", code);
}

// The names of RFC 7301. Registered for SIP is "sip/2"; "sip" is what some peers say.
constexpr unsigned char sip_protocols[] = {3, 's', 'i', 'p', 5, 's', 'i', 'p', '/', '2'};
constexpr unsigned char web_protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// A peer that offers protocols of which none is ours is not for us: what it says next would be taken for SIP.
int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char* offered, unsigned length, void*) {
  const bool web = SSL_get_app_data(ssl) != nullptr;
  unsigned char* chosen = nullptr;
  const int result = SSL_select_next_proto(&chosen, out_length, web ? web_protocols : sip_protocols,
                                           web ? sizeof web_protocols : sizeof sip_protocols, offered, length);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Names that a client may ask for, wildcards included: which certificate to show is not a matter of RFC 5922.
bool is_for(const std::vector<std::string>& names, std::string_view host) {
  return std::ranges::any_of(names, [host](std::string_view name) {
    if (!name.starts_with("*.")) return equals_ignore_case(name, host);
    const std::size_t dot = host.find('.');
    return dot != std::string_view::npos && equals_ignore_case(name.substr(1), host.substr(dot));
  });
}

}  // namespace

TlsContext::~TlsContext() {
  for (const auto& certificate : certificates_) SSL_CTX_free(certificate.context);
  SSL_CTX_free(client_);
}

Result<> TlsContext::set_common(SSL_CTX* context, bool server) const {
  (void)SSL_CTX_set_min_proto_version(context, options_.tls_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION);
  std::uint64_t flags = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF;
  if (server) flags |= SSL_OP_CIPHER_SERVER_PREFERENCE;
  if (!options_.session_tickets) flags |= SSL_OP_NO_TICKET;
  (void)SSL_CTX_set_options(context, flags);
  if (!options_.session_tickets) (void)SSL_CTX_set_num_tickets(context, 0);
  (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only: peers keep them
  // An idle connection holds no buffers of 16 KiB.
  (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // All that has come with one read, not the header of a record and then its rest.
  SSL_CTX_set_read_ahead(context, 1);
  if (!options_.ciphers.empty() && SSL_CTX_set_cipher_list(context, options_.ciphers.c_str()) != 1)
    return fail(fmt::format("tls.ciphers: \"{}\": {}", options_.ciphers, last_error()));
  const bool verifies =
      server ? options_.client_certificate != TlsOptions::ClientCertificate::Off : options_.verify_server != TlsOptions::Verify::Off;
  if (!verifies) return {};
  if (options_.ca_file.empty()) {
    (void)SSL_CTX_set_default_verify_paths(context);
  } else {
    if (SSL_CTX_load_verify_locations(context, options_.ca_file.c_str(), nullptr) != 1)
      return fail(fmt::format("{}: {}", options_.ca_file, last_error()));
    if (server) SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options_.ca_file.c_str()));
  }
  int mode = SSL_VERIFY_PEER;
  if (server && options_.client_certificate == TlsOptions::ClientCertificate::Required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, nullptr);
  return {};
}

Result<> TlsContext::load_certificate(std::size_t index) {
  const std::string& file = options_.certificates[index];
  const std::string& key = options_.private_keys[index];
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  certificates_.push_back({context, {}});
  if (auto set = set_common(context, true); !set) return set;
  static constexpr unsigned char session_context[] = "perdure";
  (void)SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
  if (SSL_CTX_use_certificate_chain_file(context, file.c_str()) != 1) return fail(fmt::format("{}: {}", file, last_error()));
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) return fail(fmt::format("{}: {}", key, last_error()));
  if (SSL_CTX_check_private_key(context) != 1) return fail(fmt::format("{} is not the key of {}", key, file));
  X509* const certificate = SSL_CTX_get0_certificate(context);
  auto& names = certificates_.back().names;
  names = certificate_domains(certificate);
  // Beside URIs, which are for SIP, there may be DNS names.
  auto* const alternatives = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives); ++i)
    if (const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives, i); name->type == GEN_DNS)
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  GENERAL_NAMES_free(alternatives);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  (void)SSL_CTX_set_tlsext_servername_callback(
      context, +[](SSL* ssl, int* alert, void* self) { return choose_certificate(ssl, alert, self); });
  (void)SSL_CTX_set_tlsext_servername_arg(context, this);
  return {};
}

Result<> TlsContext::load_client() {
  client_ = SSL_CTX_new(TLS_client_method());
  if (auto set = set_common(client_, false); !set) return set;
  // Peers that want to know who calls are shown the first certificate.
  if (!options_.certificates.empty() &&
      (SSL_CTX_use_certificate_chain_file(client_, options_.certificates.front().c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(client_, options_.private_keys.front().c_str(), SSL_FILETYPE_PEM) != 1))
    return fail(fmt::format("{}: {}", options_.certificates.front(), last_error()));
  (void)SSL_CTX_set_alpn_protos(client_, sip_protocols, sizeof sip_protocols);
  return {};
}

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsOptions& options) {
  ERR_clear_error();
  if (options.certificates.empty()) return fail("tls.certificates is empty, and there is a listen address of tls or wss");
  if (options.certificates.size() != options.private_keys.size())
    return fail(
        fmt::format("tls.certificates has {} files, tls.private_keys {}", options.certificates.size(), options.private_keys.size()));
  const std::shared_ptr<TlsContext> context(new TlsContext(options));
  for (std::size_t i = 0; i < options.certificates.size(); ++i)
    if (auto loaded = context->load_certificate(i); !loaded) return std::unexpected(loaded.error());
  if (auto loaded = context->load_client(); !loaded) return std::unexpected(loaded.error());
  return context;
}

int TlsContext::choose_certificate(void* ssl_pointer, int*, void* self) {
  auto* const ssl = static_cast<SSL*>(ssl_pointer);
  const char* const host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!host) return SSL_TLSEXT_ERR_OK;
  const auto& certificates = static_cast<const TlsContext*>(self)->certificates_;
  const auto found = std::ranges::find_if(certificates, [host](const Certificate& one) { return is_for(one.names, host); });
  if (found != certificates.end()) (void)SSL_set_SSL_CTX(ssl, found->context);
  return SSL_TLSEXT_ERR_OK;
}

std::unique_ptr<Stream> TlsContext::accept(int descriptor, bool web) const {
  return std::make_unique<TlsStream>(descriptor, shared_from_this(), web);
}

SSL* TlsContext::new_server_session(bool web) const {
  SSL* const ssl = SSL_new(certificates_.front().context);
  SSL_set_accept_state(ssl);
  static int web_mark = 0;
  if (web) SSL_set_app_data(ssl, &web_mark);
  return ssl;
}

std::unique_ptr<Stream> TlsContext::connect(int descriptor, std::string_view host) const {
  SSL* const ssl = SSL_new(client_);
  SSL_set_connect_state(ssl);
  if (!host.empty() && !SocketAddress::parse(host, 0)) (void)SSL_set_tlsext_host_name(ssl, std::string(host).c_str());
  return std::make_unique<TlsStream>(descriptor, ssl, shared_from_this(),
                                     std::string(options_.verify_server == TlsOptions::Verify::Name ? host : ""));
}

}  // namespace perdure::edge

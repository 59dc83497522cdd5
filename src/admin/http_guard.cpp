#include "admin/http_guard.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text_file.hpp"

namespace perdure::admin {
namespace {

namespace ssl = boost::asio::ssl;
using ErrorCode = boost::system::error_code;

constexpr std::size_t token_bytes_min = 16, token_bytes_max = 1024;

Result<std::unique_ptr<ssl::context>> make_tls(const HttpOptions& options) {
  auto tls = std::make_unique<ssl::context>(ssl::context::tls_server);
  ErrorCode error;
  std::string file = options.certificate;
  tls->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::no_compression, error);
  tls->use_certificate_chain_file(options.certificate, error);
  if (!error) {
    file = options.private_key;
    tls->use_private_key_file(options.private_key, ssl::context::pem, error);
  }
  if (!error && !options.client_ca.empty()) {
    file = options.client_ca;
    tls->load_verify_file(options.client_ca, error);
    if (!error) tls->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
  }
  if (error) return fail(fmt::format("{}: {}", file, error.message()));
  return tls;
}

bool is_token(std::string_view text) {
  return text.size() >= token_bytes_min && text.size() <= token_bytes_max &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest(std::string_view text) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return out;
}

}  // namespace

Result<std::string> read_token(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  if ((info.st_mode & S_IROTH) != 0) return fail(fmt::format("{}: everybody may read it; chmod 600 it, or 640", path));
  auto text = read_text_file(path);
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (!is_token(*text))
    return fail(fmt::format("{}: a token is one line of {} to {} characters without blanks", path, token_bytes_min, token_bytes_max));
  return text;
}

Result<std::shared_ptr<const Credentials>> read_credentials(const HttpOptions& options) {
  auto credentials = std::make_shared<Credentials>();
  if (!options.token_file.empty()) {
    auto token = read_token(options.token_file);
    if (!token) return std::unexpected(token.error());
    credentials->token = std::move(*token);
  }
  if (!options.certificate.empty()) {
    auto tls = make_tls(options);
    if (!tls) return std::unexpected(tls.error());
    credentials->tls = std::move(*tls);
  }
  return credentials;
}

Result<> check_http(const HttpOptions& options) {
  const auto credentials = read_credentials(options);
  if (!credentials) return std::unexpected(credentials.error());
  return {};
}

bool has_token(std::string_view authorization, const std::string& token) {
  constexpr std::string_view scheme = "bearer ";
  const bool bearer = authorization.size() > scheme.size() &&
                      std::ranges::equal(authorization.substr(0, scheme.size()), scheme, [](char a, char b) { return (a | 0x20) == b; });
  const Digest given = digest(bearer ? authorization.substr(scheme.size()) : std::string_view{}), wanted = digest(token);
  return CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) == 0 && bearer;
}

bool may_be_a_page(std::string_view origin, std::string_view host) {
  if (!origin.empty()) return true;
  if (host.empty()) return false;
  std::string_view name = host;
  if (const auto colon = name.rfind(':'); colon != name.npos && !name.ends_with(']')) name = name.substr(0, colon);
  return name != "localhost" && !SocketAddress::parse(name, 1);
}

}  // namespace perdure::admin

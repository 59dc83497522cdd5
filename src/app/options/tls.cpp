#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array client_certificates = {"off"sv, "optional"sv, "required"sv};

constexpr std::array verify_servers = {"off"sv, "chain"sv, "name"sv};

constexpr std::array tls_versions = {"1.2"sv, "1.3"sv};

const Option table[] = {
    {"tls", "certificates", "[]",
     "PEM files, each a certificate and its chain. A peer that names a host gets the one with that name in its subjectAltName, others get "
     "the first, which is also shown when this server connects to a peer. Read again by `perdure rpc tls.reload`.",
     PathsOption{[](Config& c) -> std::vector<std::string>& { return c.connections.tls.certificates; }}},
    {"tls", "private_keys", "[]", "The PEM files of their keys, in the same order.",
     PathsOption{[](Config& c) -> std::vector<std::string>& { return c.connections.tls.private_keys; }}},
    {"tls", "ca_file", "", "PEM file of the authorities whose certificates are believed. Without it the system's list.",
     PathOption{[](Config& c) -> std::string& { return c.connections.tls.ca_file; }}},
    {"tls", "client_certificate", R"("off")",
     "Whether a peer that connects shows a certificate: \"off\" it is not asked; \"optional\" it may, and a bad one ends the handshake; "
     "\"required\" without one there is no connection.",
     ChoiceOption{
         client_certificates,
         [](Config& c, std::size_t i) { c.connections.tls.client_certificate = static_cast<edge::TlsOptions::ClientCertificate>(i); }}},
    {"tls", "verify_server", R"("name")",
     "What a peer that this server connects to must prove: \"off\" nothing; \"chain\" that an authority knows it; \"name\" also that it is "
     "the host of the URI that led there (RFC 5922: without wildcards), or has the address that stands there.",
     ChoiceOption{verify_servers,
                  [](Config& c, std::size_t i) { c.connections.tls.verify_server = static_cast<edge::TlsOptions::Verify>(i); }}},
    {"tls", "min_version", R"("1.2")", "Oldest version of TLS.",
     ChoiceOption{tls_versions, [](Config& c, std::size_t i) { c.connections.tls.tls_1_3_only = i == 1; }}},
    {"tls", "ciphers", "", "Ciphers for TLS 1.2, as OpenSSL writes them. Without it OpenSSL's default.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       c.connections.tls.ciphers = text;
       return {};
     }}},
    {"tls", "session_tickets", "true", "Whether peers may resume a session without a full handshake. Tickets end with `tls.reload`.",
     BooleanOption{[](Config& c) -> bool& { return c.connections.tls.session_tickets; }}},
};

}  // namespace

std::span<const Option> tls_options() {
  return table;
}

}  // namespace perdure::app

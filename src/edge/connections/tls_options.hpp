#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace perdure::edge {

struct TlsOptions {
  enum class ClientCertificate : std::uint8_t { Off, Optional, Required };
  enum class Verify : std::uint8_t { Off, Chain, Name };

  // PEM files, each with its chain; the key of each in the same place of the other list. The first is shown to who names no host or one
  // that is in none.
  std::vector<std::string> certificates, private_keys;
  std::string ca_file;  // whom to believe; empty: the system's list
  ClientCertificate client_certificate = ClientCertificate::Off;
  Verify verify_server = Verify::Name;
  bool tls_1_3_only = false;
  std::string ciphers;  // OpenSSL's list for TLS 1.2; empty: its default
  bool session_tickets = true;

  [[nodiscard]] bool is_on() const { return !certificates.empty(); }
};

}  // namespace perdure::edge

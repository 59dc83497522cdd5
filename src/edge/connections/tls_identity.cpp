// RFC 5922 7: who a certificate speaks for.
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/case.hpp"
#include "edge/connections/tls.hpp"
#include "sip/uri.hpp"

namespace perdure::edge {
namespace {

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), to_lower);
  return result;
}

std::string common_name(X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  return lower(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index))));
}

}  // namespace

std::vector<std::string> certificate_domains(X509* certificate) {
  std::vector<std::string> uris, names;
  auto* const alternatives = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_URI) {
      const auto uri = sip::Uri::parse(text_of(name->d.uniformResourceIdentifier));
      if (uri && !uri->has_user && !uri->host.empty()) uris.push_back(lower(uri->host));
    } else if (name->type == GEN_DNS) {
      names.push_back(lower(text_of(name->d.dNSName)));
    }
  }
  const bool has_alternatives = alternatives != nullptr;
  GENERAL_NAMES_free(alternatives);
  if (!uris.empty()) return uris;
  if (has_alternatives) return names;
  std::string common = common_name(certificate);
  return common.empty() ? std::vector<std::string>{} : std::vector{std::move(common)};
}

bool proves(X509* certificate, std::string_view host) {
  if (SocketAddress::parse(host, 0)) {
    const bool bracketed = host.starts_with('[');
    const std::string address(bracketed ? host.substr(1, host.size() - 2) : host);
    return X509_check_ip_asc(certificate, address.c_str(), 0) == 1;
  }
  const auto domains = certificate_domains(certificate);
  return std::ranges::find(domains, lower(host)) != domains.end();
}

}  // namespace perdure::edge

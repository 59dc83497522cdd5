#pragma once
// Certificates for tests, made when they are needed.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace perdure::edge {

struct CertificateFiles {
  std::string certificate, key;
};

// An authority, or what an authority says of a host.
class Certificate {
 public:
  // `alternatives` as OpenSSL writes them: "DNS:a.example,URI:sip:example.org,IP:127.0.0.1"; empty: none. Without issuer it signs itself.
  Certificate(const std::string& common_name, const std::string& alternatives, const Certificate* issuer = nullptr)
      : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_NAME* const name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    const Certificate& signer = issuer ? *issuer : *this;
    X509_set_issuer_name(certificate_, X509_get_subject_name(signer.certificate_));
    X509_set_pubkey(certificate_, key_);
    if (!issuer) add(NID_basic_constraints, "critical,CA:TRUE");
    if (!alternatives.empty()) add(NID_subject_alt_name, alternatives);
    EXPECT_NE(X509_sign(certificate_, signer.key_, EVP_sha256()), 0);
  }
  ~Certificate() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  [[nodiscard]] X509* get() const { return certificate_; }
  [[nodiscard]] CertificateFiles write(const std::filesystem::path& folder, const std::string& name) const {
    CertificateFiles files{folder / (name + ".pem"), folder / (name + ".key")};
    std::FILE* file = std::fopen(files.certificate.c_str(), "w");
    EXPECT_EQ(PEM_write_X509(file, certificate_), 1);
    std::fclose(file);
    file = std::fopen(files.key.c_str(), "w");
    EXPECT_EQ(PEM_write_PrivateKey(file, key_, nullptr, nullptr, 0, nullptr, nullptr), 1);
    std::fclose(file);
    return files;
  }

 private:
  void add(int kind, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    EXPECT_NE(extension, nullptr) << value;
    X509_add_ext(certificate_, extension, -1);
    X509_EXTENSION_free(extension);
  }

  EVP_PKEY* key_;
  X509* certificate_;
};

}  // namespace perdure::edge

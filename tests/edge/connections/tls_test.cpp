#include "edge/connections/tls.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <csignal>
#include <filesystem>

#include "edge/connections/certificates.hpp"
#include "edge/connections/hub_fixture.hpp"

namespace perdure::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(TlsIdentity, IsWhatRfc5922Says) {
  const Certificate uri("cn.example", "DNS:dns.example,URI:sip:Example.org,URI:sip:user@other.example,URI:https://web.example");
  EXPECT_THAT(certificate_domains(uri.get()), ElementsAre("example.org")) << "a URI with a user is of that user only";
  const Certificate dns("cn.example", "DNS:a.example,DNS:*.b.example");
  EXPECT_THAT(certificate_domains(dns.get()), ElementsAre("a.example", "*.b.example"));
  const Certificate common("CN.example", "");
  EXPECT_THAT(certificate_domains(common.get()), ElementsAre("cn.example"));
  const Certificate address("cn.example", "IP:192.0.2.1");
  EXPECT_THAT(certificate_domains(address.get()), IsEmpty());
  EXPECT_TRUE(proves(uri.get(), "EXAMPLE.ORG"));
  EXPECT_FALSE(proves(uri.get(), "dns.example"));
  EXPECT_FALSE(proves(dns.get(), "x.b.example")) << "7.2: no wildcards";
  EXPECT_TRUE(proves(address.get(), "192.0.2.1"));
  EXPECT_FALSE(proves(address.get(), "192.0.2.2"));
}

// A TLS client or server of the test at the end of a connected socket, driven by turns of the hub.
class TlsPeer {
 public:
  TlsPeer(int descriptor, SSL_CTX* context, bool server, const char* host = nullptr) : ssl_(SSL_new(context)), descriptor_(descriptor) {
    SSL_set_fd(ssl_, descriptor);
    server ? SSL_set_accept_state(ssl_) : SSL_set_connect_state(ssl_);
    if (host) SSL_set_tlsext_host_name(ssl_, host);
  }
  ~TlsPeer() {
    SSL_free(ssl_);
    close(descriptor_);
  }
  TlsPeer(const TlsPeer&) = delete;
  [[nodiscard]] SSL* get() const { return ssl_; }
  // 1: done, 0: failed, -1: not yet.
  [[nodiscard]] int handshake() const {
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) return 1;
    const int error = SSL_get_error(ssl_, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
  }
  [[nodiscard]] std::string subject() const {
    X509* const certificate = SSL_get1_peer_certificate(ssl_);
    char name[200] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
  }

 private:
  SSL* ssl_;
  int descriptor_;
};

class HubTls : public HubTest {
 protected:
  HubTls() {
    (void)std::signal(SIGPIPE, SIG_IGN);  // as the edge does: OpenSSL writes to sockets that the peer has closed
    std::string pattern = (std::filesystem::temp_directory_path() / "perdure-tls-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    add(first);
    add(second);
    options.tls.ca_file = authority.write(folder, "ca").certificate;
    context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
  }
  ~HubTls() override {
    SSL_CTX_free(context);
    std::filesystem::remove_all(folder);
  }
  void add(const Certificate& certificate) {
    const auto files = certificate.write(folder, std::to_string(options.tls.certificates.size()));
    options.tls.certificates.push_back(files.certificate);
    options.tls.private_keys.push_back(files.key);
  }
  [[nodiscard]] std::unique_ptr<TlsPeer> client(const char* host = nullptr) {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage native{};
    const auto length = static_cast<socklen_t>(address().to_native(native));
    EXPECT_EQ(connect(descriptor, reinterpret_cast<const sockaddr*>(&native), length), 0);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    return std::make_unique<TlsPeer>(descriptor, context, false, host);
  }
  [[nodiscard]] bool shakes_hands(const TlsPeer& peer) {
    int result = -1;
    EXPECT_TRUE(until([&] { return (result = peer.handshake()) != -1; }));
    return result == 1;
  }
  // With TLS 1.3 a client hears of a refusal only when it reads.
  [[nodiscard]] bool is_served(const TlsPeer& peer) {
    const std::string request = sip_message("served");
    if (SSL_write(peer.get(), request.data(), static_cast<int>(request.size())) <= 0) return false;
    return until([&] { return inbound->next().has_value(); }, 2);
  }

  std::string folder;
  const Certificate authority{"authority", ""};
  const Certificate first{"first", "DNS:first.example,IP:127.0.0.1", &authority};
  const Certificate second{"second", "URI:sip:second.example,DNS:*.second.example", &authority};
  SSL_CTX* context = nullptr;
};

TEST_F(HubTls, MovesMessagesBothWays) {
  open(Transport::Tls);
  const auto peer = client();
  ASSERT_TRUE(shakes_hands(*peer));
  const std::string request = sip_message("secure", std::string(40'000, 'x'));
  ASSERT_EQ(SSL_write(peer->get(), request.data(), static_cast<int>(request.size())), static_cast<int>(request.size()));
  const auto entry = take();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->bytes, request);
  send(message("an answer", entry->address, entry->connection));
  std::string heard(100, '\0');
  int count = 0;
  ASSERT_TRUE(until([&] { return (count = SSL_read(peer->get(), heard.data(), 100)) > 0; }));
  EXPECT_EQ(heard.substr(0, static_cast<std::size_t>(count)), "an answer");
  EXPECT_THAT(hub->list(1).front().security, HasSubstr("TLSv1.3"));
}

// What OpenSSL has read ahead, epoll does not know of, and the ring has room for a few of them only.
TEST_F(HubTls, NoRecordIsForgottenThatCameWithOthers) {
  open(Transport::Tls, 4096);
  const auto peer = client();
  ASSERT_TRUE(shakes_hands(*peer));
  for (int i = 0; i < 30; ++i) {
    const std::string request = sip_message(std::to_string(i), std::string(500, 'x'));
    ASSERT_EQ(SSL_write(peer->get(), request.data(), static_cast<int>(request.size())), static_cast<int>(request.size()));
  }
  for (int i = 0; i < 30; ++i) {
    const auto entry = take();
    ASSERT_TRUE(entry) << i;
    EXPECT_EQ(entry->bytes, sip_message(std::to_string(i), std::string(500, 'x')));
    if (rings->marks(0).edge_wants_room.exchange(0) != 0) rings->wake_edge();
  }
  EXPECT_GT(hub->counters().stalled.get(), 0U);
}

TEST_F(HubTls, ShowsTheCertificateOfTheNameThatIsAskedFor) {
  open(Transport::Tls);
  const std::pair<const char*, const char*> cases[] = {{nullptr, "first"},
                                                       {"first.example", "first"},
                                                       {"unknown.example", "first"},
                                                       {"second.example", "second"},
                                                       {"a.second.example", "second"}};
  for (const auto& [host, subject] : cases) {
    const auto peer = client(host);
    ASSERT_TRUE(shakes_hands(*peer));
    EXPECT_EQ(peer->subject(), subject) << (host ? host : "no name");
  }
}

TEST_F(HubTls, SpeaksSipAndNothingElse) {
  open(Transport::Tls);
  const auto sip = client();
  SSL_set_alpn_protos(sip->get(), reinterpret_cast<const unsigned char*>("\x03sip"), 4);
  ASSERT_TRUE(shakes_hands(*sip));
  const unsigned char* protocol = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(sip->get(), &protocol, &length);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(protocol), length), "sip");
  const auto web = client();
  SSL_set_alpn_protos(web->get(), reinterpret_cast<const unsigned char*>("\x02h2"), 3);
  EXPECT_FALSE(shakes_hands(*web));
  EXPECT_TRUE(until([&] { return hub->counters().closed_handshake_failed.get() == 1; }));
}

TEST_F(HubTls, AsksForCertificatesOfClients) {
  options.tls.client_certificate = TlsOptions::ClientCertificate::Required;
  open(Transport::Tls);
  const auto nobody = client();
  (void)shakes_hands(*nobody);
  EXPECT_FALSE(is_served(*nobody));
  const Certificate stranger("stranger", "DNS:trunk.example");
  const Certificate trunk("trunk", "DNS:trunk.example", &authority);
  for (const auto* certificate : {&stranger, &trunk}) {
    const auto files = certificate->write(folder, "client");
    const auto peer = client();
    SSL_use_certificate_file(peer->get(), files.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_use_PrivateKey_file(peer->get(), files.key.c_str(), SSL_FILETYPE_PEM);
    (void)shakes_hands(*peer);
    EXPECT_EQ(is_served(*peer), certificate == &trunk);
    if (certificate == &trunk) {
      EXPECT_THAT(hub->list(10).back().security, HasSubstr("proved trunk.example"));
    }
  }
}

// RFC 5923: a trunk that has shown a certificate for its name, and wants to be found by it.
TEST_F(HubTls, APeerThatHasProvedItsNameIsFoundByIt) {
  options.tls.client_certificate = TlsOptions::ClientCertificate::Required;
  open(Transport::Tls);
  const Certificate trunk("trunk", "DNS:trunk.example", &authority);
  const auto files = trunk.write(folder, "client");
  const auto peer = client();
  SSL_use_certificate_file(peer->get(), files.certificate.c_str(), SSL_FILETYPE_PEM);
  SSL_use_PrivateKey_file(peer->get(), files.key.c_str(), SSL_FILETYPE_PEM);
  ASSERT_TRUE(shakes_hands(*peer));
  const auto ask = [&](const std::string& via) {
    std::string request = sip_message("one");
    const std::string other = "SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1";
    request.replace(request.find(other), other.size(), "SIP/2.0/TLS " + via);
    SSL_write(peer->get(), request.data(), static_cast<int>(request.size()));
    EXPECT_TRUE(take());
  };
  const auto is_reached = [&](std::string_view name, std::uint16_t port) {
    Entry entry = message("to the trunk", *SocketAddress::parse("127.0.0.1", port));
    entry.server_name = name;
    send(entry);
    std::string heard(100, '\0');
    int count = 0;
    bool came_back = false;
    EXPECT_TRUE(until([&] {
      count = SSL_read(peer->get(), heard.data(), 100);
      if (const auto back = inbound->next()) came_back = back->kind == EntryKind::Undelivered;
      inbound->release();
      return count > 0 || came_back;
    }));
    return count > 0;
  };
  ask("trunk.example:1;branch=z9hG4bK1");
  EXPECT_FALSE(is_reached("trunk.example", 1)) << "it has not asked for it";
  ask("other.example:2;alias;branch=z9hG4bK2");
  EXPECT_FALSE(is_reached("other.example", 2)) << "a name that it has not proved";
  ask("Trunk.Example:3;branch=z9hG4bK3;alias");
  EXPECT_TRUE(is_reached("trunk.example", 3));
  EXPECT_FALSE(is_reached("trunk.example", 4)) << "another port";
  EXPECT_FALSE(is_reached("third.example", 3)) << "another name at the same address";
  EXPECT_EQ(hub->counters().aliases.get(), 1U);
}

TEST_F(HubTls, RefusesOldVersions) {
  options.tls.tls_1_3_only = true;
  open(Transport::Tls);
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  const auto old = client();
  EXPECT_FALSE(shakes_hands(*old));
}

TEST_F(HubTls, HandshakesMustNotTakeLong) {
  options.handshake_timeout = 300ms;
  open(Transport::Tls);
  const auto silent = dial();
  EXPECT_TRUE(is_closed(silent));
  EXPECT_EQ(hub->counters().closed_handshake_timeout.get(), 1U);
  const auto plain = dial();
  plain.say(sip_message("not encrypted"));
  EXPECT_TRUE(is_closed(plain));
  EXPECT_EQ(hub->counters().closed_handshake_failed.get(), 1U);
}

TEST_F(HubTls, NewCertificatesDoNotDisturbConnections) {
  open(Transport::Tls);
  const auto before = client();
  ASSERT_TRUE(shakes_hands(*before));
  ASSERT_TRUE(is_served(*before));
  const Certificate renewed("renewed", "IP:127.0.0.1", &authority);
  const auto files = renewed.write(folder, "renewed");
  options.tls.certificates = {files.certificate};
  options.tls.private_keys = {files.key};
  hub->set_tls(*TlsContext::load(options.tls));
  inbound->release();
  EXPECT_TRUE(is_served(*before));
  const auto after = client();
  ASSERT_TRUE(shakes_hands(*after));
  EXPECT_EQ(after->subject(), "renewed");
}

TEST_F(HubTls, SaysWhatIsWrongWithFiles) {
  options.tls.private_keys[1] = options.tls.private_keys[0];
  EXPECT_THAT(TlsContext::load(options.tls).error().message, HasSubstr("0.key"));
  options.tls.private_keys[1] = "/nowhere/key.pem";
  EXPECT_THAT(TlsContext::load(options.tls).error().message, HasSubstr("/nowhere/key.pem"));
  options.tls.private_keys.pop_back();
  EXPECT_THAT(TlsContext::load(options.tls).error().message, HasSubstr("tls.private_keys"));
}

// A server of the test that the hub connects to, with that certificate.
class HubTlsOut : public HubTls {
 protected:
  // Whether the request got through.
  bool delivers(const std::string& server_name, const Certificate& certificate) {
    const auto files = certificate.write(folder, "server");
    SSL_CTX_use_certificate_file(context, files.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage native{};
    auto length = static_cast<socklen_t>(SocketAddress::parse("127.0.0.1", 0)->to_native(native));
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&native), length), 0);
    EXPECT_EQ(listen(listener, 8), 0);
    EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&native), &length), 0);
    const std::string request = sip_message("out");
    Entry entry = message(request, SocketAddress::from_native(native));
    entry.server_name = server_name;
    send(entry);
    EXPECT_TRUE(until([&] { return hub->counters().connected.get() + hub->counters().connect_failures.get() > 0; }));
    const TlsPeer server(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), context, true);
    close(listener);
    std::string heard(2000, '\0');
    int count = 0;
    bool came_back = false;
    EXPECT_TRUE(until([&] {
      count = server.handshake() == 1 ? SSL_read(server.get(), heard.data(), 2000) : 0;
      if (const auto back = inbound->next()) came_back = back->kind == EntryKind::Undelivered;
      return count > 0 || came_back;
    }));
    return count > 0;
  }
};

TEST_F(HubTlsOut, TheServerMustProveItsName) {
  open(Transport::Tls);
  EXPECT_TRUE(delivers("gateway.example", Certificate("g", "URI:sip:gateway.example", &authority)));
}
TEST_F(HubTlsOut, TheServerMustProveItsAddressIfThatStandsThere) {
  open(Transport::Tls);
  EXPECT_TRUE(delivers("", Certificate("g", "IP:127.0.0.1", &authority)));
}
TEST_F(HubTlsOut, AnotherNameIsRefused) {
  open(Transport::Tls);
  EXPECT_FALSE(delivers("gateway.example", Certificate("g", "DNS:other.example", &authority)));
}
TEST_F(HubTlsOut, AStrangerIsRefused) {
  open(Transport::Tls);
  EXPECT_FALSE(delivers("gateway.example", Certificate("g", "DNS:gateway.example")));
}
TEST_F(HubTlsOut, ChainsOnlyIfThatIsWanted) {
  options.tls.verify_server = TlsOptions::Verify::Chain;
  open(Transport::Tls);
  EXPECT_TRUE(delivers("gateway.example", Certificate("g", "DNS:other.example", &authority)));
}

}  // namespace
}  // namespace perdure::edge

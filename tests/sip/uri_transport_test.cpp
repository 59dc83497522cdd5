#include "sip/uri_transport.hpp"

#include <gtest/gtest.h>

namespace perdure::sip {
namespace {

TEST(UriTransport, ComesFromSchemeAndParameter) {
  const struct {
    std::string_view uri, transport;  // empty: there is none
    bool given;
  } rows[] = {
      {"sip:a@b", "udp", false},
      {"sip:a@b;lr", "udp", false},
      {"sip:a@b;transport=UDP", "udp", true},
      {"sip:a@b;transport=tcp", "tcp", true},
      {"sip:a@b;transport=tls", "tls", true},
      {"sip:a@b;transport=ws", "ws", true},
      {"sip:a@b;transport=wss", "wss", true},
      {"sip:a@b;transport=sctp", "", false},
      {"sip:a@b;transport=", "", false},
      {"sip:a@b;transport", "", false},
      {"sips:a@b", "tls", true},
      {"sips:a@b;transport=tcp", "tls", true},
      {"sips:a@b;transport=tls", "tls", true},
      {"sips:a@b;transport=ws", "wss", true},
      {"sips:a@b;transport=wss", "wss", true},
      {"sips:a@b;transport=udp", "", false},
  };
  for (const auto& row : rows) {
    const auto uri = Uri::parse(row.uri);
    ASSERT_TRUE(uri) << row.uri;
    const auto found = transport_of(*uri);
    EXPECT_EQ(found ? name(found->transport) : std::string_view{}, row.transport) << row.uri;
    EXPECT_EQ(found && found->given, row.given) << row.uri;
  }
}

}  // namespace
}  // namespace perdure::sip

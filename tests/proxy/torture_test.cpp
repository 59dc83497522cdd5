// What the proxy does with every message of RFC 4475 and RFC 5118; the parser's half of the table is checked in tests/sip.
#include "proxy/proxy_fixture.hpp"
#include "sip/torture_table.hpp"
#include "sip/vectors.hpp"

namespace perdure::proxy {
namespace {

using sip::torture::Proxy;

class Torture : public ProxyTest {};

TEST_F(Torture, EveryMessageHasItsOutcome) {
  for (const auto& row : sip::torture::rows) {
    SCOPED_TRACE(std::string(row.file));
    on_request = [&](RoutingContext& context) {
      // What may go on goes to a gateway of ours; what may not must be refused for its own sake.
      if (row.proxy == Proxy::Forwards) context.target.destination_uri = "sip:127.0.0.1:7009";
      context.relay();
    };
    // Each to a proxy of its own: some have the same branch.
    proxy.reset();
    store.reset();
    std::ranges::fill(memory, 0);
    std::string text = sip::read_fixture(row.file);
    ASSERT_FALSE(text.empty());
    const bool is_response = text.starts_with("SIP/2.0 ");
    if (is_response) {
      // A response comes back to us: the top Via is ours, or we add one where there is just one.
      sip::Message response;
      (void)response.parse(text);
      options.aliases = {"192.0.2.198"};
      if (response.count(sip::HeaderName::Via) < 2)
        text.insert(text.find("\r\n") + 2, "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKnobodys\r\n");
    }
    auto sent = receive(text, 6000);
    if (!is_response) std::erase_if(sent, [](const Sent& one) { return one.first_line() == "SIP/2.0 100 Trying"; });
    switch (row.proxy) {
      case Proxy::Forwards:
        ASSERT_EQ(sent.size(), 1U) << testing::PrintToString(lines_of(sent));
        if (is_response) {
          EXPECT_EQ(sent[0].first_line(), text.substr(0, text.find("\r\n")));
        } else {
          EXPECT_EQ(sent[0].to.port, 7009) << sent[0].text;
          // What leaves is a message itself, with one Via more.
          sip::Message before, after;
          ASSERT_TRUE(before.parse(text));
          ASSERT_TRUE(after.parse(sent[0].text) && after.check());
          EXPECT_EQ(after.count(sip::HeaderName::Via), before.count(sip::HeaderName::Via) + 1);
          EXPECT_EQ(after.body(), before.body());
        }
        break;
      case Proxy::Answers:
        ASSERT_EQ(sent.size(), 1U) << testing::PrintToString(lines_of(sent));
        EXPECT_EQ(sent[0].first_line().substr(0, 11), "SIP/2.0 " + std::to_string(row.proxy_status));
        break;
      case Proxy::Drops:
        EXPECT_TRUE(sent.empty()) << testing::PrintToString(lines_of(sent));
        break;
    }
  }
}

}  // namespace
}  // namespace perdure::proxy

// KSR.nathelper and the socket that a request leaves from.
#include <gmock/gmock.h>

#include "evaluate.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using testing::Not;

// The Contact of a request that the script has given an alias, and what the function returned.
std::pair<std::string, std::string> with_alias(const std::string& contact, const std::string& call = "KSR.nathelper.add_contact_alias()") {
  Bench bench("function ksr_request_route()\nlocal r = " + call +
              "\nKSR.hdr.append('X-Result: ' .. r .. '\\r\\n')\nKSR.pv.sets('$du', 'sip:192.0.2.1:5070')\nKSR.tm.t_relay()\nend\n");
  Request request;
  request.method = "MESSAGE";
  request.headers = "Max-Forwards: 70\r\nContact: " + contact + "\r\n";
  const auto sent = bench.receive(request.text(), at(6123, "127.0.0.9"));
  const auto* out = first(sent, "MESSAGE");
  return out ? std::pair(out->header("Contact"), out->header("X-Result"))
             : std::pair(bench.runner().counters().last_error, std::string("nothing was sent"));
}

TEST(ContactAlias, NamesWhereTheMessageCameFrom) {
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(with_alias("<sip:alice@10.0.0.1:5060>"), Pair("<sip:alice@10.0.0.1:5060;alias=127.0.0.9~6123~1>", "1"));
  EXPECT_EQ(with_alias("\"Alice\" <sip:alice@10.0.0.1;x=y?h=v>;expires=60"),
            Pair("\"Alice\" <sip:alice@10.0.0.1;x=y;alias=127.0.0.9~6123~1?h=v>;expires=60", "1"));
  EXPECT_EQ(with_alias("sip:alice@10.0.0.1;expires=60"), Pair("<sip:alice@10.0.0.1;alias=127.0.0.9~6123~1>;expires=60", "1"));
  EXPECT_EQ(with_alias("<sip:alice@abc.invalid;transport=ws>"), Pair("<sip:alice@abc.invalid;transport=ws;alias=127.0.0.9~6123~1>", "1"));
  EXPECT_EQ(with_alias("<sip:alice@127.0.0.9:6123>"), Pair("<sip:alice@127.0.0.9:6123>", "2")) << "it says so already";
  EXPECT_EQ(with_alias("<sip:alice@127.0.0.9:6123;transport=tcp>"),
            Pair("<sip:alice@127.0.0.9:6123;transport=tcp;alias=127.0.0.9~6123~1>", "1"))
      << "by another transport";
  EXPECT_EQ(with_alias("*"), Pair("*", "2"));
  EXPECT_EQ(with_alias("<tel:+123>"), Pair("<tel:+123>", "2"));
  EXPECT_EQ(with_alias("<sip:alice@10.0.0.1>", "KSR.nathelper.add_contact_alias_addr('2001:db8::1', 5061, 'wss')"),
            Pair("<sip:alice@10.0.0.1;alias=[2001:db8::1]~5061~6>", "1"));
  EXPECT_THAT(with_alias("<sip:alice@10.0.0.1>", "KSR.nathelper.add_contact_alias_addr('host', 5061, 'wss')").first,
              HasSubstr("an alias has a numeric address"));
}

TEST(ContactAlias, LeadsBackToTheDevice) {
  const auto handled = [](const std::string& uri, const std::string& call = "KSR.nathelper.handle_ruri_alias()") {
    Request request;
    request.uri = uri;
    return evaluate("(" + call + ") .. ' ' .. KSR.pv.get('$ru') .. ' ' .. tostring(KSR.pv.get('$du'))", request);
  };
  EXPECT_EQ(handled("sip:bob@10.0.0.1;alias=192.0.2.7~6123~2;x=y"), "string 1 sip:bob@10.0.0.1;x=y sip:192.0.2.7:6123;transport=tcp");
  EXPECT_EQ(handled("sip:bob@abc.invalid;transport=ws;alias=[2001:db8::7]~6123~6"),
            "string 1 sip:bob@abc.invalid;transport=ws sip:[2001:db8::7]:6123;transport=wss");
  EXPECT_EQ(handled("sip:bob@10.0.0.1;alias=192.0.2.7~6123~1"), "string 1 sip:bob@10.0.0.1 sip:192.0.2.7:6123");
  EXPECT_EQ(handled("sip:bob@10.0.0.1"), "string 2 sip:bob@10.0.0.1 nil");
  for (const std::string bad :
       {"192.0.2.7", "192.0.2.7~6123", "192.0.2.7~6123~9", "~~1", "192.0.2.7~70000~1", "192.0.2.7~x~1", "192.0.2.7~1~12"})
    EXPECT_EQ(handled("sip:bob@10.0.0.1;alias=" + bad), "string -1 sip:bob@10.0.0.1;alias=" + bad + " nil");
  const std::string two = "sip:bob@10.0.0.1;alias=192.0.2.7~6123~2;alias=192.0.2.8~6124~3";
  EXPECT_EQ(handled(two), "string 1 sip:bob@10.0.0.1;alias=192.0.2.8~6124~3 sip:192.0.2.7:6123;transport=tcp");
  EXPECT_EQ(handled(two, "KSR.nathelper.handle_ruri_alias_mode(1)"),
            "string 1 sip:bob@10.0.0.1;alias=192.0.2.7~6123~2 sip:192.0.2.8:6124;transport=tls");
}

TEST(SendSocket, IsOneOfOurs) {
  EXPECT_EQ(evaluate("KSR.corex.set_send_socket('udp:127.0.0.1:5060') .. ' ' .. KSR.pv.get('$fs')"), "string 1 udp:127.0.0.1:5060");
  EXPECT_EQ(evaluate("tostring(KSR.pv.get('$fs'))"), "string nil");
  EXPECT_EQ(evaluate("KSR.pv.sets('$fs', 'udp:127.0.0.1:5060') and KSR.pv.get('$fs')"), "string udp:127.0.0.1:5060");
  EXPECT_EQ(evaluate("KSR.pv.sets('$fs', 'udp:127.0.0.1:5060') and KSR.pv.unset('$fs') and tostring(KSR.pv.get('$fs'))"), "string nil");
  EXPECT_THAT(evaluate("KSR.corex.set_send_socket('tcp:127.0.0.1:5060')"), HasSubstr("is no socket of ours"));
  EXPECT_THAT(evaluate("KSR.pv.sets('$fs', 'nonsense')"), HasSubstr("is no socket of ours"));
}

}  // namespace
}  // namespace perdure::script

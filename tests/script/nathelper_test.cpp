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

TEST(ContactAlias, IsSetInAnyCase) {
  using Pair = std::pair<std::string, std::string>;
  const std::string set = "KSR.nathelper.set_contact_alias()", trim = "KSR.nathelper.set_contact_alias_trim()";
  EXPECT_EQ(with_alias("<sip:alice@127.0.0.9:6123>", set), Pair("<sip:alice@127.0.0.9:6123;alias=127.0.0.9~6123~1>", "1"));
  EXPECT_EQ(with_alias("<sip:a@10.0.0.1;alias=1.2.3.4~5~1>", set), Pair("<sip:a@10.0.0.1;alias=1.2.3.4~5~1;alias=127.0.0.9~6123~1>", "1"));
  EXPECT_EQ(with_alias("<sip:a@10.0.0.1;alias=1.2.3.4~5~1;x=y>", trim), Pair("<sip:a@10.0.0.1;x=y;alias=127.0.0.9~6123~1>", "1"));
  EXPECT_EQ(with_alias("*", set), Pair("*", "-1"));
}

TEST(FixedContact, SaysWhereTheMessageCameFrom) {
  using Pair = std::pair<std::string, std::string>;
  const std::string fix = "KSR.nathelper.fix_nated_contact()";
  EXPECT_EQ(with_alias("<sip:a@10.0.0.1:5070;maddr=1.2.3.4;x=y?h=v>;expires=60, <sip:c@10.0.0.2>", fix),
            Pair("<sip:a@127.0.0.9:6123;x=y?h=v>;expires=60, <sip:c@127.0.0.9:6123>", "1"));
  EXPECT_EQ(with_alias("sip:a@10.0.0.1;expires=5", fix), Pair("sip:a@127.0.0.9:6123;expires=5", "1"));
  EXPECT_EQ(with_alias("<sip:[2001:db8::1]:5060>", fix), Pair("<sip:127.0.0.9:6123>", "1"));
  EXPECT_EQ(with_alias("*", fix), Pair("*", "-1"));
  EXPECT_EQ(with_alias("<sip:a@10.0.0.1>;expires=60, sip:c@h", "KSR.nathelper.add_rcv_param(0)"),
            Pair("<sip:a@10.0.0.1>;expires=60;received=\"sip:127.0.0.9:6123\", sip:c@h;received=\"sip:127.0.0.9:6123\"", "1"));
  EXPECT_EQ(with_alias("<sip:a@10.0.0.1;x=y?h=v>", "KSR.nathelper.add_rcv_param(1)"),
            Pair("<sip:a@10.0.0.1;x=y;received=sip:127.0.0.9:6123?h=v>", "1"));
  EXPECT_EQ(with_alias("*", "KSR.nathelper.add_rcv_param(0)"), Pair("*", "1"));
}

TEST(FixedContact, RegistrarsGetTheSourceInAnAvp) {
  const auto received = [](const std::string& avp) {
    Bench bench(
        "function ksr_request_route()\nlocal r = KSR.nathelper.fix_nated_register()\n"
        "KSR.sl.send_reply(200, r .. ' ' .. tostring(KSR.pv.get('$avp(RECEIVED)')))\nend\n");
    bench.options().received_avp = avp;
    bench.start();
    return bench.receive(Request{}).at(0).line();
  };
  EXPECT_EQ(received("RECEIVED"), "SIP/2.0 200 1 sip:127.0.0.1:6000");
  EXPECT_EQ(received(""), "SIP/2.0 200 1 nil");
}

const std::string offer =
    "v=0\r\no=alice 1 1 IN IP4 10.1.2.3\r\ns=-\r\nc=IN IP4 10.1.2.3\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    "m=video 5000 RTP/AVP 96\r\nc=IN IP4 192.0.2.9\r\na=rtpmap:96 VP8/90000\r\n";

Request with_offer(std::string sdp, const std::string& replaced = {}, const std::string& by = {}) {
  for (std::size_t at = 0; !replaced.empty() && (at = sdp.find(replaced, at)) != std::string::npos; at += by.size())
    sdp.replace(at, replaced.size(), by);
  Request request;
  request.headers = "Max-Forwards: 70\r\nContent-Type: application/sdp\r\n";
  request.body = sdp;
  return request;
}

TEST(NatTest, EachBitIsATest) {
  const auto bits = [](Request request, const std::string& contact = {}, const SocketAddress& from = at(caller_port)) {
    if (!contact.empty()) request.headers = "Max-Forwards: 70\r\nContact: " + contact + "\r\n";
    Bench bench(
        "function ksr_request_route()\nlocal held = ''\nfor bit = 0, 9 do\n"
        "if KSR.nathelper.nat_uac_test(2 ^ bit) > 0 then held = held .. ' ' .. 2 ^ bit end\nend\nKSR.sl.send_reply(200, 'Bits' .. "
        "held)\nend\n");
    return bench.receive(request.text(), from).at(0).line().substr(12);
  };
  Request plain;
  plain.headers = "Max-Forwards: 70\r\n";
  EXPECT_EQ(bits(plain), "Bits");
  EXPECT_EQ(bits(plain, "*"), "Bits");
  EXPECT_EQ(bits(plain, "<sip:a@127.0.0.1:6000>"), "Bits");
  EXPECT_EQ(bits(plain, "<sip:a@10.0.0.1:6000>"), "Bits 1");
  EXPECT_EQ(bits(plain, "<sip:a@example.org>"), "Bits 128");
  EXPECT_EQ(bits(plain, "<sip:a@h:6000>", at(6001)), "Bits 16 128");
  EXPECT_EQ(bits(plain, "<sip:a@h:6000>", at(6000, "192.168.1.1")), "Bits 2 32");
  EXPECT_EQ(bits(with_offer(offer)), "Bits 8 256");
  EXPECT_EQ(bits(with_offer(offer, "10.1.2.3", "127.0.0.1")), "Bits");
  EXPECT_EQ(bits(with_offer(offer, "10.1.2.3", "0.0.0.0")), "Bits 256");
  for (const char* address : {"10.1.1.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.0.1"})
    EXPECT_EQ(evaluate("KSR.nathelper.is_rfc1918('" + std::string(address) + "')"), "number 1") << address;
  for (const char* address : {"172.32.0.1", "100.128.0.1", "169.254.1.1", "192.0.2.1", "192.0.0.8", "example", "fe80::1", ""})
    EXPECT_EQ(evaluate("KSR.nathelper.is_rfc1918('" + std::string(address) + "')"), "number -1") << address;
}

TEST(FixedSession, SaysWhereTheMessageCameFrom) {
  const auto fixed = [](const std::string& call, const Request& request = with_offer(offer)) {
    Bench bench("function ksr_request_route()\nKSR.hdr.append('X-Result: ' .. KSR.nathelper." + call +
                " .. '\\r\\n')\nKSR.tm.t_relay()\nend\n");
    const auto sent = bench.receive(request);
    const auto* invite = first(sent, "INVITE");
    return invite ? invite->header("X-Result") + invite->bytes.substr(invite->bytes.find("\r\n\r\n") + 4)
                  : bench.runner().counters().last_error;
  };
  const auto with = [](std::string from, const std::string& to) {
    std::string text = offer;
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
    return text;
  };
  EXPECT_EQ(fixed("fix_nated_sdp(0)"), "2" + offer);
  EXPECT_EQ(fixed("fix_nated_sdp(4)"), "2" + offer + "a=nortpproxy:yes\r\n");
  std::string media = with("c=IN IP4 10.1.2.3", "c=IN IP4 127.0.0.1");
  media.replace(media.find("192.0.2.9"), 9, "127.0.0.1");
  EXPECT_EQ(fixed("fix_nated_sdp(2)"), "1" + media + "a=oldmediaip:10.1.2.3\r\na=oldmediaip:192.0.2.9\r\n");
  EXPECT_EQ(fixed("fix_nated_sdp(8)"), "1" + with("1 IN IP4 10.1.2.3", "1 IN IP4 127.0.0.1") + "a=oldmediaip:10.1.2.3\r\n");
  EXPECT_EQ(fixed("fix_nated_sdp_ip(8, '192.0.2.77')"),
            "1" + with("1 IN IP4 10.1.2.3", "1 IN IP4 192.0.2.77") + "a=oldmediaip:10.1.2.3\r\n");
  EXPECT_EQ(fixed("fix_nated_sdp_ip(8, '10.1.2.3')"), "2" + offer);
  EXPECT_EQ(fixed("fix_nated_sdp_ip(2, '2001:db8::1')"), "-1" + offer) << "another family";
  std::string active = offer + "a=direction:active\r\n";
  active.insert(active.find("m=video"), "a=direction:active\r\n");
  EXPECT_EQ(fixed("fix_nated_sdp(1)"), "2" + active);
  Request none;
  EXPECT_EQ(fixed("fix_nated_sdp(2)", none), "-1");
  EXPECT_THAT(fixed("fix_nated_sdp_ip(2, 'host')"), HasSubstr("is no address"));
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

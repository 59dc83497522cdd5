// KSR: connections, advertised addresses, where a message is going; KSR.corex: bytes and files.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "evaluate.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;

std::string evaluate_for(const std::string& uri, const std::string& expression) {
  Request request;
  request.uri = uri;
  return evaluate(expression, request);
}

TEST(Delivery, AdvertisedAddressStandsInTheVia) {
  Bench bench(
      "function branch() KSR.hdr.append('X-Branch: 1') end\n"
      "function ksr_request_route()\nKSR.set_advertised_address('adv.example')\nKSR.set_advertised_port('5099')\nKSR.rr.record_route()\n"
      "KSR.tm.t_on_branch('branch')\nKSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE");
  ASSERT_TRUE(invite);
  EXPECT_THAT(invite->header("Via"), HasSubstr("SIP/2.0/UDP adv.example:5099;branch="));
  EXPECT_THAT(invite->header("Record-Route"), HasSubstr("sip:127.0.0.1;"));
  // Its response is known all the same, and its ACK says the same.
  const auto answered = bench.answer(*invite, 486);
  const auto* ack = first(answered, "ACK");
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->header("Via"), invite->header("Via"));
  for (const char* bad : {"KSR.set_advertised_address('a b')", "KSR.set_advertised_address('h:5060')", "KSR.set_advertised_address('')"})
    EXPECT_THAT(evaluate(bad), HasSubstr("is no host")) << bad;
  EXPECT_THAT(evaluate("KSR.set_advertised_port('0')"), HasSubstr("is no port"));
  EXPECT_THAT(evaluate("KSR.set_advertised_port('70000')"), HasSubstr("is no port"));
}

TEST(Delivery, SaysWhereARequestGoes) {
  EXPECT_EQ(evaluate_for("sip:x@h;transport=tcp", "KSR.to_TCP()"), "boolean true");
  EXPECT_EQ(evaluate_for("sip:x@h;transport=tcp", "KSR.to_UDP()"), "boolean false");
  EXPECT_EQ(evaluate_for("sip:x@h;transport=udp", "KSR.to_UDP()"), "boolean true");
  EXPECT_EQ(evaluate_for("sip:x@h", "KSR.to_UDP()"), "boolean false");
  EXPECT_EQ(evaluate_for("sips:x@h", "KSR.to_TLS()"), "boolean false");
  EXPECT_EQ(evaluate_for("sip:x@h;transport=tls", "KSR.to_TLS()"), "boolean true");
  EXPECT_EQ(evaluate_for("sip:x@h;transport=ws", "KSR.to_WS() and KSR.to_WSX() and not KSR.to_WSS()"), "boolean true");
  EXPECT_EQ(evaluate_for("sip:x@1.2.3.4", "KSR.to_IPv4() and not KSR.to_IPv6()"), "boolean true");
  EXPECT_EQ(evaluate_for("sip:x@[::1]", "KSR.to_IPv6() and not KSR.to_IPv4()"), "boolean true");
  EXPECT_EQ(evaluate_for("sip:x@h", "KSR.setdsturi('sip:1.2.3.4;transport=tls') and KSR.to_TLS() and KSR.to_IPv4()"), "boolean true");
}

TEST(Delivery, FlagsOfBranchesByTheirIndex) {
  EXPECT_EQ(evaluate("KSR.corex.append_branch() and KSR.setbiflag(3, 0) and KSR.isbflagset(3) and KSR.setbiflag(4, 1) and "
                     "KSR.isbiflagset(4, 1) and not KSR.isbiflagset(4, 0) and KSR.resetbiflag(4, 1) and not KSR.isbiflagset(4, 1) and not "
                     "KSR.setbiflag(1, 2)"),
            "boolean true");
  EXPECT_THAT(evaluate("KSR.setbiflag(32, 0)"), HasSubstr("flags are numbered 0 to 31"));
}

TEST(Delivery, ScriptsSwitchTheUseOfConnections) {
  EXPECT_EQ(evaluate("KSR.set_reply_no_connect() and KSR.set_reply_close() and KSR.set_forward_no_connect() and KSR.set_forward_close()"),
            "boolean true");
}

TEST(Corex, SendsBytes) {
  Bench bench("function ksr_request_route()\nKSR.sl.send_reply(300 + KSR.corex.send_data(KSR.pv.get('$ru'), 'raw bytes'), 'Done')\nend\n");
  const auto sent = bench.receive(Request{.uri = "sip:127.0.0.9:7777"});
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].bytes, "raw bytes");
  EXPECT_EQ(sent[0].to, at(7777, "127.0.0.9"));
  EXPECT_EQ(sent[1].line(), "SIP/2.0 301 Done");
  int number = 0;
  for (const char* bad : {"sip:example.org", "sip:127.0.0.9:7777;transport=tcp", "sip:[::1]:7777", "tel:+12345"})
    EXPECT_TRUE(first(bench.receive(Request{.uri = bad, .branch = "z9hG4bK-bad" + std::to_string(++number)}), "SIP/2.0 299 ")) << bad;
}

TEST(Corex, WritesAndReadsFiles) {
  const std::string path = testing::TempDir() + "corex_file_" + std::to_string(::getpid());
  EXPECT_EQ(evaluate("KSR.corex.file_write('" + path + "', 'hello') .. KSR.corex.file_read('" + path + "')"), "string 1hello");
  EXPECT_EQ(evaluate("KSR.corex.file_write('" + path + "/x', 'hello')"), "number -1");
  std::filesystem::resize_file(path, (1 << 20) + 1);
  EXPECT_EQ(evaluate("KSR.corex.file_read('" + path + "')"), "nil nil");
  std::filesystem::remove(path);
  EXPECT_EQ(evaluate("KSR.corex.file_read('" + path + "')"), "nil nil");
  EXPECT_EQ(evaluate("KSR.corex.file_read('/dev/zero')"), "nil nil");
  EXPECT_EQ(evaluate("KSR.cfgutils.check_route_exists('named') .. KSR.cfgutils.check_route_exists('none')"), "string 1-1");
}

}  // namespace
}  // namespace perdure::script

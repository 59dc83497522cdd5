// KSR.uac: From and To that are replaced on one side of a call only, within the transaction and in its dialog.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const char* const anonymous = R"lua(
function ksr_request_route()
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() > 0 then KSR.tm.t_relay() end
    return
  end
  KSR.rr.record_route()
  KSR.uac.uac_replace_from('"Anonymous"', 'sip:anonymous@anonymous.invalid')
  KSR.uac.uac_replace_to_uri('sip:robert@example.net')
  KSR.seturi('sip:bob@127.0.0.1:7001')
  KSR.tm.t_relay()
end
)lua";

// A request of the dialog by one of its sides, with the route set that the other's messages brought.
std::string in_dialog(const std::string& method, const std::string& from, const std::string& to, const std::string& route, int cseq,
                      const std::string& target, int port) {
  return method + " " + target + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:" + std::to_string(port) + ";branch=z9hG4bK-" + method +
         std::to_string(cseq) + "\r\nMax-Forwards: 70\r\nRoute: " + route + "\r\nFrom: " + from + "\r\nTo: " + to +
         "\r\nCall-ID: call-1\r\nCSeq: " + std::to_string(cseq) + " " + method + "\r\nContent-Length: 0\r\n\r\n";
}

constexpr const char* caller = "\"Alice\" <sip:alice@example.org>;tag=from1";
constexpr const char* seen_caller = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=from1";

TEST(Uac, ReplacesTowardsTheCalleeAndRestoresTowardsTheCaller) {
  Bench bench(anonymous);
  const auto sent = bench.receive(Request{});
  const Sent invite = *first(sent, "INVITE ");
  EXPECT_EQ(invite.header("From"), seen_caller);
  EXPECT_EQ(invite.header("To"), "<sip:robert@example.net>");
  EXPECT_THAT(invite.header("Record-Route"), HasSubstr(";vsf="));
  EXPECT_THAT(invite.header("Record-Route"), HasSubstr(";vst="));
  bench.start();  // the record says how to restore
  for (const int code : {180, 200, 200}) {
    const auto up = bench.answer(invite, code);
    ASSERT_EQ(up.size(), 1U) << code;
    EXPECT_EQ(up[0].header("From"), caller) << code;
    EXPECT_EQ(up[0].header("To"), "<sip:bob@example.net>;tag=to1") << code;
  }
}

TEST(Uac, RestoresInFailuresAndAcknowledgesWhatWasSent) {
  Bench bench(anonymous);
  const Sent invite = *first(bench.receive(Request{}), "INVITE ");
  const auto sent = bench.answer(invite, 486);
  const auto *ack = first(sent, "ACK "), *reply = first(sent, "SIP/2.0 486");
  ASSERT_TRUE(ack && reply);
  EXPECT_EQ(ack->header("From"), seen_caller);
  EXPECT_EQ(ack->header("To"), "<sip:robert@example.net>;tag=to1");
  EXPECT_EQ(reply->header("From"), caller);
  EXPECT_EQ(reply->header("To"), "<sip:bob@example.net>;tag=to1");
}

void expect_dialog_is_translated(Bench& bench) {
  const Sent invite = *first(bench.receive(Request{}), "INVITE ");
  const auto up = bench.answer(invite, 200);
  const auto route = up.at(0).header("Record-Route");
  bench.start();
  // From the caller.
  auto sent = bench.receive(in_dialog("ACK", caller, "<sip:bob@example.net>;tag=to1", route, 7, "sip:bob@127.0.0.1:7001", 6000));
  ASSERT_TRUE(first(sent, "ACK "));
  EXPECT_EQ(first(sent, "ACK ")->header("From"), "\"Alice\" <sip:anonymous@anonymous.invalid>;tag=from1");
  EXPECT_EQ(first(sent, "ACK ")->header("To"), "<sip:robert@example.net>;tag=to1");
  // From the callee.
  sent = bench.receive(in_dialog("BYE", "<sip:robert@example.net>;tag=to1", seen_caller, route, 1, "sip:alice@127.0.0.1:6000", 7001),
                       at(7001));
  const auto* bye = first(sent, "BYE ");
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->header("From"), "<sip:bob@example.net>;tag=to1");
  EXPECT_EQ(bye->header("To"), "\"Anonymous\" <sip:alice@example.org>;tag=from1");
  const auto answered = bench.answer(*bye, 200);
  ASSERT_TRUE(first(answered, "SIP/2.0 200 "));
  EXPECT_EQ(first(answered, "SIP/2.0 200 ")->header("From"), "<sip:robert@example.net>;tag=to1");
  EXPECT_EQ(first(answered, "SIP/2.0 200 ")->header("To"), seen_caller);
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(Uac, TranslatesRequestsOfTheDialogBothWays) {
  Bench bench(anonymous);
  expect_dialog_is_translated(bench);
}

TEST(Uac, WithAPasswordTheRouteDoesNotShowTheUri) {
  Bench bench(anonymous);
  const auto plain = first(bench.receive(Request{}), "INVITE ")->header("Record-Route");
  Bench other(anonymous);
  other.set_proxy = [](proxy::ProxyOptions& options) { options.restore_password = "secret"; };
  other.start();
  const auto hidden = first(other.receive(Request{.call_id = "call-0", .branch = "z9hG4bK-0"}), "INVITE ")->header("Record-Route");
  EXPECT_NE(plain, hidden);
  expect_dialog_is_translated(other);
}

TEST(Uac, ModesOfRestoring) {
  const std::string manual = std::string(anonymous).replace(std::string(anonymous).find("then KSR.tm.t_relay()"), 4,
                                                            "then KSR.info(KSR.uac.uac_restore_from() .. ' ' .. KSR.uac.uac_restore_to())");
  for (const auto mode : {proxy::ProxyOptions::RestoreAddresses::Manual, proxy::ProxyOptions::RestoreAddresses::None}) {
    const bool is_manual = mode == proxy::ProxyOptions::RestoreAddresses::Manual;
    Bench bench(manual);
    bench.set_proxy = [mode](proxy::ProxyOptions& options) { options.restore_addresses = mode; };
    bench.start();
    const Sent invite = *first(bench.receive(Request{}), "INVITE ");
    if (is_manual)
      EXPECT_THAT(invite.header("Record-Route"), HasSubstr(";vsf="));
    else
      EXPECT_THAT(invite.header("Record-Route"), Not(HasSubstr(";vs")));
    const auto route = bench.answer(invite, 200).at(0).header("Record-Route");
    const auto sent = bench.receive(in_dialog("ACK", caller, "<sip:bob@example.net>;tag=to1", route, 7, "sip:bob@127.0.0.1:7001", 6000));
    ASSERT_TRUE(first(sent, "ACK "));
    EXPECT_EQ(first(sent, "ACK ")->header("To"), is_manual ? "<sip:robert@example.net>;tag=to1" : "<sip:bob@example.net>;tag=to1");
  }
}

TEST(Uac, ReplacesForOneBranchAlone) {
  Bench bench(R"lua(
function ksr_request_route()
  KSR.seturi('sip:bob@127.0.0.1:7001')
  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:7002')
  KSR.tm.t_on_branch('each')
  KSR.tm.t_relay()
end
function each()
  if KSR.pv.get('$T_branch_idx') == 1 then KSR.uac.uac_replace_from_uri('sip:other@example.org') end
end
)lua");
  const auto sent = bench.receive(Request{});
  EXPECT_EQ(first(sent, "INVITE sip:bob@127.0.0.1:7001")->header("From"), caller);
  const Sent second = *first(sent, "INVITE sip:bob@127.0.0.1:7002");
  EXPECT_EQ(second.header("From"), "\"Alice\" <sip:other@example.org>;tag=from1");
  EXPECT_EQ(bench.answer(second, 180).at(0).header("From"), caller);
}

TEST(Uac, RefusesWhatWouldBreakTheHeader) {
  for (const char* call : {"uac_replace_from('a\\r\\nb', '')", "uac_replace_from('', 'sip:a@b>;x')", "uac_replace_from('\"open', '')",
                           "uac_replace_to_uri('nothing')"}) {
    Bench bench(std::string("function ksr_request_route() KSR.uac.") + call + " end");
    EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 500 ")) << call;
  }
}

TEST(Uac, SendsARequestOfItsOwn) {
  Bench bench(R"lua(
function ksr_request_route()
  KSR.pv.sets('$uac_req(method)', 'MESSAGE')
  local early = KSR.uac.uac_req_send()
  KSR.pv.sets('$uac_req(ruri)', 'sip:bob@127.0.0.1:7001')
  KSR.pv.sets('$uac_req(furi)', 'sip:us@example.org')
  KSR.pv.sets('$uac_req(hdrs)', 'Content-Type: text/plain\r\n')
  KSR.pv.sets('$uac_req(body)', 'Hello')
  KSR.pv.sets('$uac_req(callid)', 'our-call')
  KSR.sl.send_reply(200, early .. ' ' .. KSR.uac.uac_req_send() .. ' ' .. KSR.pv.get('$uac_req(furi)'))
  KSR.pv.unset('$uac_req(all)')
  if KSR.pv.get('$uac_req(furi)') then error('it is still there') end
end
)lua");
  const auto sent = bench.receive(Request{});
  const auto* message = first(sent, "MESSAGE sip:bob@127.0.0.1:7001");
  ASSERT_TRUE(message);
  EXPECT_THAT(message->header("From"), StartsWith("<sip:us@example.org>;tag="));
  EXPECT_EQ(message->header("To"), "<sip:bob@127.0.0.1:7001>");
  EXPECT_EQ(message->header("Call-ID"), "our-call");
  EXPECT_THAT(message->bytes, testing::EndsWith("\r\n\r\nHello"));
  EXPECT_TRUE(first(sent, "SIP/2.0 200 -1 1 sip:us@example.org"));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

}  // namespace
}  // namespace perdure::script

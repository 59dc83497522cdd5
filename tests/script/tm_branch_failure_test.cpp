// t_on_branch_failure: a branch that has failed, while the others go on; and the transaction's other messages, $T_req and its like.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Two in parallel; what fails is replaced by what `route` says.
std::string forked(const std::string& route) {
  return "function ksr_request_route()\n  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n"
         "  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.setbflag(4)\n  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:7002')\n"
         "  KSR.pv.sets('$avp(who)', 'alice')\n  KSR.tm.t_on_branch_failure('branch_failed')\n  KSR.tm.t_relay()\nend\n"
         "function branch_failed()\n" +
         route + "\nend\n";
}

TEST(TmBranchFailure, ReplacesTheBranchWhileTheOtherRings) {
  Bench bench(
      forked("  KSR.pv.sets('$avp(who)', KSR.pv.get('$avp(who)') .. '2')\n  KSR.setflag(3)\n"
             "  KSR.hdr.append('X-Failed: ' .. KSR.pv.get('$T_branch_idx') .. ' ' .. KSR.tm.t_get_status_code() .. ' ' .. "
             "KSR.kx.get_ruri() .. ' ' ..\n"
             "    tostring(KSR.isbflagset(4)) .. ' ' .. KSR.tm.t_branch_replied() .. ' ' .. KSR.pv.get('$avp(who)') .. '\\r\\n')\n"
             "  KSR.seturi('sip:bob@127.0.0.1:7003')\n  KSR.tm.t_relay()"));
  const auto invites = bench.receive(Request{});
  const Sent one = *first(invites, "INVITE sip:bob@127.0.0.1:7001"), two = *first(invites, "INVITE sip:bob@127.0.0.1:7002");
  (void)bench.answer(two, 180);
  bench.start();
  auto sent = bench.answer(one, 503);
  EXPECT_TRUE(first(sent, "ACK "));
  const auto* third = first(sent, "INVITE sip:bob@127.0.0.1:7003");
  ASSERT_TRUE(third);
  EXPECT_EQ(third->header("X-Failed"), "0 503 sip:bob@127.0.0.1:7001 true 1 alice2");
  const Sent answered = *third;
  bench.start();
  sent = bench.answer(answered, 200);
  EXPECT_TRUE(first(sent, "SIP/2.0 200 "));
  EXPECT_TRUE(first(sent, "CANCEL sip:bob@127.0.0.1:7002"));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(TmBranchFailure, RunsOnceForEachBranchThatHasIt) {
  // It is not armed again: the third branch, which replaces the first, has none; the second still has.
  Bench bench(forked("  KSR.seturi('sip:bob@127.0.0.1:700' .. 3 + KSR.pv.get('$T_branch_idx'))\n  KSR.tm.t_relay()"));
  const auto invites = bench.receive(Request{});
  const Sent one = *first(invites, "INVITE sip:bob@127.0.0.1:7001"), two = *first(invites, "INVITE sip:bob@127.0.0.1:7002");
  const auto after_one = bench.answer(one, 404);
  const auto after_two = bench.answer(two, 404);
  ASSERT_TRUE(first(after_one, "INVITE sip:bob@127.0.0.1:7003"));
  ASSERT_TRUE(first(after_two, "INVITE sip:bob@127.0.0.1:7004"));
  EXPECT_THAT(bench.answer(*first(after_one, "INVITE "), 404), SizeIs(1)) << "only its ACK";
  EXPECT_TRUE(first(bench.answer(*first(after_two, "INVITE "), 410), "SIP/2.0 404 "));
}

TEST(TmBranchFailure, SeesTimeouts) {
  Bench bench(
      forked("  KSR.info('timeout')\n  if KSR.tm.t_branch_timeout() < 0 then error('it has replied') end\n"
             "  KSR.seturi('sip:bob@127.0.0.1:7003')\n  KSR.tm.t_relay()"));
  const auto invites = bench.receive(Request{});
  (void)bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7002"), 180);
  (void)bench.advance(31s);
  EXPECT_TRUE(first(bench.advance(2s), "INVITE sip:bob@127.0.0.1:7003"));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(TmBranchFailure, TriesTheSameAgain) {
  Bench bench(
      forked("  KSR.seturi('sip:nobody@127.0.0.1:7009')\n  KSR.resetbflag(4)\n"
             "  if KSR.tm.t_check_status('430') > 0 then\n    KSR.tmx.t_reuse_branch()\n"
             "    KSR.hdr.append('X-Flag: ' .. tostring(KSR.isbflagset(4)) .. '\\r\\n')\n    KSR.tm.t_relay()\n  end"));
  const auto invites = bench.receive(Request{});
  const auto again = bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7001"), 430);
  const auto* invite = first(again, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_TRUE(invite->is("INVITE sip:bob@127.0.0.1:7001 "));
  EXPECT_EQ(invite->header("X-Flag"), "true");
}

TEST(TmBranchFailure, AddsNothingAfterA6xxOrACancel) {
  const std::string relays = "  KSR.seturi('sip:bob@127.0.0.1:7003')\n  KSR.tm.t_relay()";
  {
    Bench bench(forked(relays));
    const auto invites = bench.receive(Request{});
    (void)bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7002"), 180);
    const auto sent = bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7001"), 603);
    EXPECT_FALSE(first(sent, "INVITE "));
    EXPECT_TRUE(first(sent, "CANCEL sip:bob@127.0.0.1:7002"));
  }
  Bench bench(forked(relays));
  const auto invites = bench.receive(Request{});
  for (const auto& invite : invites)
    if (invite.is("INVITE ")) (void)bench.answer(invite, 180);
  Request cancel;
  cancel.method = "CANCEL";
  (void)bench.receive(cancel);
  EXPECT_FALSE(first(bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7001"), 487), "INVITE "));
  EXPECT_TRUE(first(bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7002"), 487), "SIP/2.0 487 "));
}

TEST(TmBranchFailure, AnErrorLeavesTheOthersAlone) {
  Bench bench(forked("  error('wrong')"));
  const auto invites = bench.receive(Request{});
  EXPECT_THAT(bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7001"), 404), SizeIs(1));
  EXPECT_TRUE(first(bench.answer(*first(invites, "INVITE sip:bob@127.0.0.1:7002"), 200), "SIP/2.0 200 "));
  EXPECT_EQ(bench.runner().counters().errors, 1U);
}

TEST(TmBranchFailure, CannotWaitOrAnswer) {
  for (const char* call : {"KSR.async.route('branch_failed', 1)", "KSR.tm.t_reply(404, 'No')"}) {
    Bench bench(forked(std::string("  ") + call));
    const auto invites = bench.receive(Request{});
    (void)bench.answer(*first(invites, "INVITE "), 404);
    EXPECT_THAT(bench.runner().counters().last_error, testing::HasSubstr("cannot be called in a branch failure route")) << call;
  }
}

TEST(TmBranchFailure, AllOfManyBranchesTimeOutAtOnce) {
  // Each run keeps what it has set: what one step writes stays bounded.
  std::string script = "function ksr_request_route()\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n";
  for (int port = 7002; port <= 7012; ++port) script += "  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:" + std::to_string(port) + "')\n";
  script +=
      "  KSR.pv.seti('$avp(failed)', 0)\n  KSR.tm.t_on_branch_failure('one')\n  KSR.tm.t_on_failure('all')\n  KSR.tm.t_relay()\nend\n"
      "function one()\n  for i = 1, 5 do KSR.pv.seti('$(avp(failed)[*])', KSR.pv.get('$avp(failed)') + 1) end\n"
      "  if KSR.pv.get('$T_branch_idx') < 4 then KSR.seturi('sip:carol@127.0.0.1:7020') KSR.tm.t_relay() end\nend\n"
      "function all() KSR.tm.t_reply(480, 'failed ' .. KSR.pv.get('$avp(failed)')) end\n";
  Bench bench(script);
  (void)bench.receive(Request{});
  const auto sent = bench.advance(33s);
  EXPECT_TRUE(first(sent, "INVITE sip:carol@"));
  EXPECT_TRUE(first(bench.advance(33s), "SIP/2.0 480 failed 60"));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(WaitingCallback, SeesWhatHasFailedWhileItWaitedAfterARelay) {
  Bench bench(
      "function ksr_request_route()\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\n"
      "  KSR.async.route('later', 1)\nend\nfunction later() end\nfunction failed() KSR.tm.t_reply(480, 'Failed') end\n");
  const auto invites = bench.receive(Request{});
  EXPECT_FALSE(first(bench.answer(*first(invites, "INVITE "), 503), "SIP/2.0 4"));
  EXPECT_TRUE(first(bench.advance(1200ms), "SIP/2.0 480 Failed"));
}

TEST(TmMessages, AreReadFromOtherRoutes) {
  Bench bench(
      "function ksr_request_route()\n"
      "  if KSR.is_CANCEL() then KSR.info(KSR.pv.gete('$T_inv($ua)'))\n"
      "    KSR.hdr.append_to_reply('X-Invite: ' .. KSR.pv.gete('$T_inv($cs)') .. ' ' .. KSR.pv.gete('$T_inv($hdr(User-Agent))') .. "
      "'\\r\\n')\n"
      "    KSR.sl.sl_send_reply(200, 'OK') return\n  end\n"
      "  KSR.pv.sets('$avp(who)', 'alice')\n  KSR.seturi('sip:carol@127.0.0.1:7001')\n  KSR.hdr.append('X-New: 1\\r\\n')\n"
      "  KSR.tm.t_on_reply('replied')\n  KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\nend\n"
      "function replied()\n  KSR.hdr.append('X-Request: ' .. KSR.pv.gete('$T_req($rm)') .. ' ' .. KSR.pv.gete('$T_req($ru)') .. ' ' ..\n"
      "    KSR.pv.gete('$T_req($(ua{s.toupper}))') .. ' ' .. KSR.pv.gete('$T_req($sp)') .. ' ' .. KSR.pv.gete('$T_rpl($rs)') .. "
      "'\\r\\n')\nend\n"
      "function failed()\n  KSR.tm.t_reply(480, KSR.pv.gete('$T_rpl($rs)') .. ' ' .. KSR.pv.gete('$T_rpl($rr)') .. ' ' ..\n"
      "    KSR.pv.gete('$T_req($hdr(X-New))') .. KSR.pv.gete('$T_req($avp(who))'))\nend\n");
  const auto invites = bench.receive(Request{});
  const Sent invite = *first(invites, "INVITE ");
  auto sent = bench.answer(invite, 180);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].header("X-Request"), "INVITE sip:bob@192.0.2.1:5070 PHONE/1 6000 180");
  Request cancel;
  cancel.method = "CANCEL";
  sent = bench.receive(cancel);
  ASSERT_TRUE(first(sent, "SIP/2.0 200 "));
  EXPECT_EQ(first(sent, "SIP/2.0 200 ")->header("X-Invite"), "7 phone/1");
  sent = bench.answer(invite, 486, "Busy");
  EXPECT_TRUE(first(sent, "SIP/2.0 480 486 Busy alice"));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(TmMessages, AreNullWhereThereIsNone) {
  Bench bench(
      "function ksr_request_route()\n  local v = KSR.pv.get('$T_req($rm)') or KSR.pv.get('$T_rpl($rs)') or KSR.pv.get('$T_inv($rm)')\n"
      "  KSR.sl.send_reply(200, tostring(v))\nend\n");
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 200 nil"));
}

}  // namespace
}  // namespace perdure::script

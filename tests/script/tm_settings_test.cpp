// KSR.tm: timers and switches of one transaction, and that a death of the process changes none of them.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Sets, relays to 7001, and answers in the failure route with what it finds.
std::string script(const std::string& settings, const std::string& more = {}) {
  return "function ksr_request_route()\n  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n  " + settings +
         "\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\nend\n"
         "function failed()\n  KSR.tm.t_reply(480, 'code ' .. KSR.tm.t_get_status_code() .. ' timeout ' .. "
         "KSR.tm.t_branch_timeout())\nend\n" +
         more;
}

std::size_t count(const std::vector<Sent>& sent, std::string_view start) {
  return static_cast<std::size_t>(std::ranges::count_if(sent, [&](const Sent& one) { return one.is(start); }));
}

TEST(TmTimers, FirstReplyIsWaitedForAsLongAsTheScriptSays) {
  Bench bench(script("KSR.tm.t_set_fr(0, 2000)"));
  (void)bench.receive(Request{});
  EXPECT_FALSE(first(bench.advance(1900ms), "SIP/2.0 4"));
  const auto sent = bench.advance(300ms);
  const auto* reply = first(sent, "SIP/2.0 4");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->line(), "SIP/2.0 480 code 408 timeout 1");
}

TEST(TmTimers, RingingBranchIsOverWhenItsTimeIs) {
  Bench bench(script("KSR.tm.t_set_fr(3000, 1000)"));
  const auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  (void)bench.answer(*invite, 180);
  bench.start();  // the timers are in the record
  EXPECT_THAT(bench.advance(2800ms), IsEmpty());
  const auto over = bench.advance(300ms);
  EXPECT_TRUE(first(over, "CANCEL "));
  const auto* reply = first(over, "SIP/2.0 4");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->line(), "SIP/2.0 480 code 408 timeout 1");
  // Its 487 is acknowledged and changes nothing.
  const auto late = bench.answer(*invite, 487);
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_TRUE(late[0].is("ACK "));
}

TEST(TmTimers, AnswerThatCrossesTheEndOfItsTimeGoesUp) {
  Bench bench(script("KSR.tm.t_set_fr_inv(1000)", "function failed()\n  KSR.seturi('sip:bob@127.0.0.1:7002')\n  KSR.tm.t_relay()\nend\n"));
  const auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  (void)bench.answer(*invite, 180);
  const auto over = bench.advance(1100ms);
  EXPECT_TRUE(first(over, "CANCEL sip:bob@127.0.0.1:7001"));
  const auto* second = first(over, "INVITE sip:bob@127.0.0.1:7002");
  ASSERT_TRUE(second);
  EXPECT_THAT(bench.answer(*invite, 183), IsEmpty());  // it does not ring any more
  (void)bench.answer(*second, 180);
  const auto answered = bench.answer(*invite, 200);
  EXPECT_TRUE(first(answered, "SIP/2.0 200 "));
  EXPECT_TRUE(first(answered, "CANCEL sip:bob@127.0.0.1:7002"));
}

TEST(TmTimers, NewTimesApplyToWhatRuns) {
  Bench bench(script("KSR.tm.t_on_reply('replied')", "function replied()\n  KSR.tm.t_set_fr(5000, 0)\nend\n"));
  const auto sent = bench.receive(Request{});
  (void)bench.answer(*first(sent, "INVITE "), 180);
  bench.start();
  EXPECT_THAT(bench.advance(4900ms), IsEmpty());
  EXPECT_TRUE(first(bench.advance(300ms), "SIP/2.0 480 code 408 timeout 1"));
}

TEST(TmTimers, ResetMeansAsConfigured) {
  Bench bench(
      script("KSR.tm.t_set_fr(1000, 1000)\n  KSR.tm.t_reset_fr()\n  KSR.tm.t_set_max_lifetime(1000, 1000)\n  "
             "KSR.tm.t_reset_max_lifetime()\n  KSR.tm.t_set_retr(100, 100)\n  KSR.tm.t_reset_retr()"));
  (void)bench.receive(Request{});
  EXPECT_EQ(count(bench.advance(31'900ms), "INVITE "), 6U);  // Timer A: 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s
  EXPECT_TRUE(first(bench.advance(300ms), "SIP/2.0 480 code 408"));
}

TEST(TmTimers, RetransmissionsFollowTheScript) {
  Bench bench(script("KSR.tm.t_set_retr(200, 400)"));
  (void)bench.receive(Request{});
  EXPECT_EQ(count(bench.advance(1000ms), "INVITE "), 3U);  // 0.2, 0.6, 1.0 s
  bench.start();
  EXPECT_EQ(count(bench.advance(800ms), "INVITE "), 2U);
}

TEST(TmTimers, LifetimeBoundsAllAttempts) {
  Bench bench(script("KSR.tm.t_set_max_lifetime(4000, 0)\n  KSR.tm.t_set_fr(0, 3000)",
                     "function failed()\n  if KSR.tm.t_is_expired() > 0 then return end\n  KSR.seturi('sip:bob@127.0.0.1:7002')\n  "
                     "KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\nend\n"));
  (void)bench.receive(Request{});
  EXPECT_TRUE(first(bench.advance(3100ms), "INVITE sip:bob@127.0.0.1:7002"));
  bench.start();
  EXPECT_FALSE(first(bench.advance(700ms), "SIP/2.0"));
  EXPECT_TRUE(first(bench.advance(300ms), "SIP/2.0 408 "));
}

TEST(TmSwitches, NoHundredIsSentUnlessTheScriptDoes) {
  Bench silent(script("KSR.tm.t_set_auto_inv_100(0)"));
  auto sent = silent.receive(Request{});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_TRUE(sent[0].is("INVITE "));
  EXPECT_THAT(silent.receive(Request{}), IsEmpty());
  silent.start();
  EXPECT_THAT(silent.receive(Request{}), IsEmpty());
  Bench own(script("KSR.tm.t_set_auto_inv_100(0)\n  KSR.tm.t_newtran()\n  KSR.tm.t_reply(100, 'Trying')"));
  sent = own.receive(Request{});
  EXPECT_EQ(count(sent, "SIP/2.0 100 "), 1U);
  EXPECT_TRUE(first(own.receive(Request{}), "SIP/2.0 100 "));
}

TEST(TmSwitches, SixHundredLeavesTheOthersAlone) {
  Bench bench(script("KSR.tm.t_set_disable_6xx(1)\n  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:7002')"));
  const auto sent = bench.receive(Request{});
  const auto *one = first(sent, "INVITE sip:bob@127.0.0.1:7001"), *other = first(sent, "INVITE sip:bob@127.0.0.1:7002");
  ASSERT_TRUE(one && other);
  (void)bench.answer(*other, 180);
  bench.start();
  const auto declined = bench.answer(*one, 603);
  EXPECT_FALSE(first(declined, "CANCEL "));
  EXPECT_TRUE(first(bench.answer(*other, 200), "SIP/2.0 200 "));
}

TEST(TmSwitches, ReasonOfACancelStaysHere) {
  for (const bool stays : {false, true}) {
    Bench bench(script(stays ? "KSR.tm.t_set_no_e2e_cancel_reason(1)" : ""));
    const auto sent = bench.receive(Request{});
    (void)bench.answer(*first(sent, "INVITE "), 180);
    bench.start();
    Request cancel{.method = "CANCEL"};
    cancel.headers += "Reason: SIP;cause=200\r\n";
    const auto canceled = bench.receive(cancel);
    const auto* out = first(canceled, "CANCEL ");
    ASSERT_TRUE(out);
    EXPECT_EQ(out->header("Reason"), stays ? "" : "SIP;cause=200");
  }
}

TEST(TmSwitches, ScriptAnswersItsErrors) {
  Bench bench(
      "function ksr_request_route()\n  KSR.tm.t_set_disable_internal_reply(1)\n  KSR.seturi('sip:bob@no.such.host')\n"
      "  if KSR.tm.t_relay() < 0 then KSR.sl.send_reply(499, 'Mine') end\nend\n");
  const auto sent = bench.receive(Request{});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 499 Mine");
}

TEST(TmRelayTo, GoesWhereItIsTold) {
  const std::pair<const char*, int> cases[] = {{"t_relay_to_proxy('127.0.0.1:7005')", 7005},
                                               {"t_relay_to_proxy('udp:127.0.0.1:7006')", 7006},
                                               {"t_relay_to_proxy_flags('127.0.0.1:7007', 3)", 7007},
                                               {"t_relay_to_proto('udp')", 7001},
                                               {"t_relay_to_proto_addr('udp', '127.0.0.1', 7008)", 7008},
                                               {"t_relay_to_flags(1)", 7001}};
  for (const auto& [call, port] : cases) {
    Bench bench("function ksr_request_route()\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm." + std::string(call) + "\nend");
    const auto sent = bench.receive(Request{});
    const auto* invite = first(sent, "INVITE sip:bob@127.0.0.1:7001 ");
    ASSERT_TRUE(invite) << call;
    EXPECT_EQ(invite->to, at(port)) << call;
    EXPECT_EQ(first(sent, "SIP/2.0 100") == nullptr, std::string_view(call).find("flags") != std::string_view::npos) << call;
  }
}

TEST(TmQueries, StatusOfBranches) {
  Bench bench(script("",
                     "function failed()\n  KSR.tm.t_reply(480, KSR.tm.t_grep_status(486) .. ' ' .. KSR.tm.t_grep_status(487) .. ' ' .. "
                     "KSR.tm.t_get_branch_index() .. ' ' .. KSR.tm.t_is_expired())\nend\n"));
  const auto sent = bench.receive(Request{});
  EXPECT_TRUE(first(bench.answer(*first(sent, "INVITE "), 486), "SIP/2.0 480 1 -1 0 -1"));
}

TEST(TmQueries, CancelFindsItsInvite) {
  Bench bench(
      "function ksr_request_route()\n  if KSR.is_CANCEL() then\n    local plain = KSR.tm.t_lookup_cancel()\n    local flags = "
      "KSR.tm.t_lookup_cancel_flags(1)\n    KSR.sl.sl_send_reply(299, plain .. ' ' .. flags .. ' ' .. tostring(KSR.isflagset(3)))\n    "
      "return\n  end\n  KSR.setflag(3)\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm.t_relay()\nend\n");
  (void)bench.receive(Request{});
  EXPECT_TRUE(first(bench.receive(Request{.method = "CANCEL"}), "SIP/2.0 299 1 1 true"));
  EXPECT_TRUE(first(bench.receive(Request{.method = "CANCEL", .branch = "z9hG4bK-other"}), "SIP/2.0 299 -1 -1 false"));
}

TEST(TmRelease, LeavesNothing) {
  Bench bench("function ksr_request_route() KSR.tm.t_newtran() KSR.tm.t_release() end");
  const auto sent = bench.receive(Request{});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_TRUE(sent[0].is("SIP/2.0 100 "));
  EXPECT_EQ(bench.proxy().open_transactions(), 0U);
}

TEST(TmDropReplies, AreNotChosenAfterTheNextAttempt) {
  const auto serial = [](const std::string& drop) {
    return "function ksr_request_route()\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm.t_on_failure('one')\n  KSR.tm.t_relay()\nend\n"
           "function one()\n  KSR.seturi('sip:bob@127.0.0.1:7002')\n  KSR.tm.t_on_failure('two')\n  KSR.tm.t_relay()\nend\n"
           "function two()\n  " +
           drop + "\n  KSR.seturi('sip:bob@127.0.0.1:7003')\n  KSR.tm.t_relay()\nend\n";
  };
  // 410, 404, then 500. The first relay has dropped the 410, what becomes of the 404 is up to the second.
  const std::pair<const char*, const char*> cases[] = {{"", "SIP/2.0 500 "},
                                                       {"KSR.tm.t_drop_replies('n')", "SIP/2.0 404 "},
                                                       {"KSR.tm.t_drop_replies('l')", "SIP/2.0 500 "},
                                                       {"KSR.tm.t_drop_replies('a')", "SIP/2.0 500 "},
                                                       {"KSR.tm.t_drop_replies_all()", "SIP/2.0 500 "}};
  for (const auto& [drop, expected] : cases) {
    Bench bench(serial(drop));
    auto sent = bench.receive(Request{});
    const int codes[] = {410, 404, 500};
    for (const int code : codes) {
      bench.start();
      const auto* invite = first(sent, "INVITE ");
      ASSERT_TRUE(invite);
      const Sent copy = *invite;
      sent = bench.answer(copy, code);
      EXPECT_TRUE(first(sent, "ACK "));
    }
    EXPECT_TRUE(first(sent, expected)) << drop;
  }
}

TEST(TmDropReplies, OfTheLastAttemptLeavesThoseBefore) {
  Bench bench(
      "function ksr_request_route()\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm.t_on_failure('one')\n  KSR.tm.t_relay()\nend\n"
      "function one()\n  KSR.tm.t_drop_replies('n')\n  KSR.seturi('sip:bob@127.0.0.1:7002')\n  KSR.tm.t_on_failure('two')\n  "
      "KSR.tm.t_relay()\nend\n"
      "function two()\n  KSR.seturi('sip:bob@127.0.0.1:7003')\n  KSR.tm.t_relay()\n  KSR.tm.t_drop_replies('l')\nend\n");
  auto sent = bench.receive(Request{});
  for (const int code : {410, 404, 500}) {
    const Sent invite = *first(sent, "INVITE ");
    sent = bench.answer(invite, code);
    bench.start();
  }
  EXPECT_TRUE(first(sent, "SIP/2.0 410 "));
}

TEST(TmDropReplies, WithoutANewBranchThereIsNothingToAnswerWith) {
  for (const auto& [drop, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", "SIP/2.0 404 "}, {"KSR.tm.t_drop_replies('n')", "SIP/2.0 404 "}, {"KSR.tm.t_drop_replies_all()", "SIP/2.0 500 "}}) {
    Bench bench(std::string("function ksr_request_route() KSR.tm.t_on_failure('failed') KSR.tm.t_relay() end\nfunction failed() ") + drop +
                " end");
    const auto sent = bench.receive(Request{.uri = "sip:bob@127.0.0.1:7001"});
    EXPECT_TRUE(first(bench.answer(*first(sent, "INVITE "), 404), expected)) << drop;
  }
}

}  // namespace
}  // namespace perdure::script

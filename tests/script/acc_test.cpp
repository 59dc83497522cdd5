// Accounting by flags: one line for each transaction, over deaths of the process.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Flags 1: log, 2: missed, 3: failed.
std::unique_ptr<Bench> accounting(const std::string& flags, const std::string& more = {}) {
  auto bench = std::make_unique<Bench>([&](ScriptOptions& options) {
    options.text = "function ksr_request_route()\n  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n  " + flags +
                   "\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.tm.t_relay()\nend\n" + more;
    options.account_extra = {{"ua", "$ua"}, {"who", "$avp(who)"}};
  });
  bench->set_proxy = [](proxy::ProxyOptions& options) { options.accounting = {.log_flag = 1, .missed_flag = 2, .failed_flag = 3}; };
  bench->start();
  return bench;
}

TEST(Accounting, AnsweredCallHasALine) {
  const auto bench = accounting("KSR.setflag(1) KSR.pv.sets('$avp(who)', 'alice')");
  const auto sent = bench->receive(Request{});
  const Sent invite = *first(sent, "INVITE ");
  (void)bench->answer(invite, 180);
  EXPECT_THAT(bench->account_lines, IsEmpty());
  (void)bench->answer(invite, 200, "Fine");
  ASSERT_EQ(bench->account_lines.size(), 1U);
  EXPECT_THAT(bench->account_lines[0],
              StartsWith("ACC: transaction answered: timestamp=1795476251;method=INVITE;from_tag=from1;to_tag=to1;call_id=call-1;code=200;"
                         "reason=Fine;id="));
  EXPECT_THAT(bench->account_lines[0], HasSubstr(";ua=phone/1;who=alice"));
  (void)bench->answer(invite, 200, "Fine");  // once more
  (void)bench->advance(40s);
  EXPECT_EQ(bench->account_lines.size(), 1U);
}

TEST(Accounting, OnlyWithTheFlag) {
  const auto bench = accounting("KSR.setflag(4)");
  (void)bench->answer(*first(bench->receive(Request{}), "INVITE "), 200);
  EXPECT_THAT(bench->account_lines, IsEmpty());
}

TEST(Accounting, FailureIsAMissedCallOrAFailedTransaction) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"KSR.setflag(1)", {}},
      {"KSR.setflag(2)", {"ACC: call missed: "}},
      {"KSR.setflag(1) KSR.setflag(3)", {"ACC: transaction answered: "}},
      {"KSR.setflag(1) KSR.setflag(2) KSR.setflag(3)", {"ACC: call missed: "}},
      {"KSR.setflag(3)", {}}};
  for (const auto& [flags, expected] : cases) {
    const auto bench = accounting(flags);
    (void)bench->answer(*first(bench->receive(Request{}), "INVITE "), 486, "Busy\tHere");
    ASSERT_EQ(bench->account_lines.size(), expected.size()) << flags;
    if (expected.empty()) continue;
    EXPECT_THAT(bench->account_lines[0], StartsWith(expected[0]));
    EXPECT_THAT(bench->account_lines[0], HasSubstr(";to_tag=to1;call_id=call-1;code=486;reason=Busy Here;"));
  }
}

TEST(Accounting, OfOurOwnAnswersAndOfTheLastAttemptOnly) {
  const auto bench = accounting("KSR.setflag(2) KSR.tm.t_on_failure('failed')",
                                "function failed()\n  KSR.seturi('sip:bob@127.0.0.1:7002')\n  KSR.tm.t_on_failure('again')\n  "
                                "KSR.tm.t_relay()\nend\nfunction again() KSR.tm.t_reply(480, 'Nobody') end\n");
  auto sent = bench->answer(*first(bench->receive(Request{}), "INVITE "), 503);
  EXPECT_THAT(bench->account_lines, IsEmpty());
  (void)bench->answer(*first(sent, "INVITE "), 503);
  ASSERT_EQ(bench->account_lines.size(), 1U);
  EXPECT_THAT(bench->account_lines[0], HasSubstr(";code=480;reason=Nobody;"));
}

TEST(Accounting, WhatMayNotBeWrittenIsWrittenByTheNextProcess) {
  const auto bench = accounting("KSR.setflag(1)");
  const Sent invite = *first(bench->receive(Request{}), "INVITE ");
  bench->dies_before_output = true;  // the final response is committed, and nothing leaves
  (void)bench->answer(invite, 200);
  EXPECT_THAT(bench->account_lines, IsEmpty());
  bench->dies_before_output = false;
  bench->start();
  ASSERT_EQ(bench->account_lines.size(), 1U);
  EXPECT_THAT(bench->account_lines[0], HasSubstr(";to_tag=to1;"));
  bench->start();
  EXPECT_EQ(bench->account_lines.size(), 1U) << "it has been written";
  (void)bench->answer(invite, 200);
  EXPECT_EQ(bench->account_lines.size(), 1U);
}

TEST(Accounting, ByFunction) {
  Bench bench(
      "function ksr_request_route() KSR.acc.acc_log_request('404 Not at home') KSR.acc.acc_log_request('just a word')\n"
      "KSR.sl.send_reply(404, 'No') end");
  (void)bench.receive(Request{});
  EXPECT_THAT(bench.account_lines,
              ElementsAre("ACC: request accounted: timestamp=1795476251;method=INVITE;from_tag=from1;to_tag=;call_id=call-1;code=404;"
                          "reason=Not at home",
                          "ACC: request accounted: timestamp=1795476251;method=INVITE;from_tag=from1;to_tag=;call_id=call-1;code=0;"
                          "reason=just a word"));
}

}  // namespace
}  // namespace perdure::script

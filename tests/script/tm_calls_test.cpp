// KSR.tm, tmx and tsilo: serial forking, other transactions, requests of our own, suspended ones and late branches, with deaths of the
// process.
#include <gmock/gmock.h>

#include <set>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

std::vector<Sent> all(const std::vector<Sent>& sent, std::string_view start) {
  std::vector<Sent> found;
  for (const auto& one : sent)
    if (one.is(start)) found.push_back(one);
  return found;
}

// ---- serial forking ----

const char* const serial =
    "local function uri(port) return 'sip:bob@127.0.0.1:' .. port end\n"
    "function ksr_request_route()\n"
    "  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n"
    "  KSR.seturi(uri(7001))\n"
    "  KSR.corex.append_branch_uri_q(uri(7003), '0.3')\n  KSR.corex.append_branch_uri_q(uri(7002), '0.5')\n"
    "  KSR.corex.append_branch_uri_q(uri(7004), '0.5')\n"
    "  KSR.tm.t_load_contacts()\n  KSR.tm.t_next_contacts()\n  KSR.tm.t_on_failure('next_one')\n  KSR.tm.t_relay()\nend\n"
    "function next_one()\n"
    "  local found = KSR.tm.t_next_contacts()\n"
    "  if found < 0 then KSR.tm.t_reply(480, 'none left ' .. found) return end\n"
    "  KSR.tm.t_on_failure('next_one')\n  KSR.tm.t_relay()\nend\n";

TEST(TmContacts, AreTriedClassByClassOverDeaths) {
  Bench bench(serial);
  auto sent = all(bench.receive(Request{}), "INVITE ");
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].to, at(7001));
  bench.start();
  sent = all(bench.answer(Sent(sent[0]), 486), "INVITE ");
  ASSERT_THAT(sent, SizeIs(2));
  EXPECT_EQ(sent[0].to, at(7002));
  EXPECT_EQ(sent[1].to, at(7004));
  bench.start();
  const auto both = sent;
  EXPECT_THAT(all(bench.answer(both[0], 486), "INVITE "), IsEmpty());
  sent = all(bench.answer(both[1], 486), "INVITE ");
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].to, at(7003));
  bench.start();
  EXPECT_TRUE(first(bench.answer(Sent(sent[0]), 486), "SIP/2.0 480 none left -2"));
}

TEST(TmContacts, WithoutABranchThereIsNothingToLoad) {
  Bench bench(
      "function ksr_request_route()\n  KSR.tm.t_reply(299, KSR.tm.t_load_contacts() .. ' ' .. KSR.tm.t_next_contacts() .. ' ' .. "
      "KSR.tm.t_load_contacts_mode(2))\nend\n");
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 299 1 -2 -1"));
}

TEST(TmContacts, ProportionalModeTriesOneAtATime) {
  std::string script = serial;
  script.replace(script.find("t_load_contacts()"), 17, "t_load_contacts_mode(1)");
  Bench bench(script);
  auto sent = all(bench.receive(Request{}), "INVITE ");
  std::set<int> ports;
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(sent, SizeIs(1));
    ports.insert(sent[0].to.port);
    sent = all(bench.answer(Sent(sent[0]), 486), "INVITE ");
  }
  EXPECT_THAT(sent, IsEmpty());
  EXPECT_THAT(ports, SizeIs(4));
}

// ---- other transactions ----

const std::string control =
    "function ksr_request_route()\n"
    "  if KSR.is_method('MESSAGE') then\n"
    "    local call = KSR.pv.getw('$hdr(X-Do)')\n"
    "    KSR.sl.sl_send_reply(299, tostring(loadstring('return ' .. call)()))\n    return\n  end\n"
    "  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n"
    "  KSR.seturi('sip:bob@127.0.0.1:7001')\n  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:7002')\n"
    "  KSR.tm.t_on_reply('replied')\n  KSR.tm.t_relay()\nend\n"
    "function replied()\n  local which = KSR.pv.gete('$hdr(X-Cancel)')\n"
    "  if which ~= '' then KSR.info('' .. KSR.tmx.t_cancel_branches(which)) end\nend\n";

Request message(const std::string& call) {
  Request request{.method = "MESSAGE", .call_id = "other", .branch = "z9hG4bK-message"};
  request.headers += "X-Do: " + call + "\r\n";
  return request;
}

TEST(TmxCallid, CancelsAllBranches) {
  Bench bench(control);
  const auto sent = all(bench.receive(Request{}), "INVITE ");
  ASSERT_THAT(sent, SizeIs(2));
  (void)bench.answer(sent[0], 180);
  (void)bench.answer(sent[1], 180);
  bench.start();
  EXPECT_TRUE(first(bench.receive(message("KSR.tmx.t_cancel_callid('call-1', '8', 0)")), "SIP/2.0 299 -1"));
  EXPECT_TRUE(first(bench.receive(message("KSR.tmx.t_cancel_callid('call-2', '7', 0)")), "SIP/2.0 299 -1"));
  const auto done = bench.receive(message("KSR.tmx.t_cancel_callid_reason('call-1', '7', 5, 480)"));
  EXPECT_TRUE(first(done, "SIP/2.0 299 1"));
  const auto cancels = all(done, "CANCEL ");
  ASSERT_THAT(cancels, SizeIs(2));
  EXPECT_TRUE(cancels[0].header("Reason").starts_with("SIP;cause=480;text=\""));
  (void)bench.answer(sent[0], 487);
  EXPECT_TRUE(first(bench.answer(sent[1], 487), "SIP/2.0 487 "));
}

TEST(TmxCallid, Answers) {
  Bench bench(control);
  const auto sent = all(bench.receive(Request{}), "INVITE ");
  (void)bench.answer(sent[0], 180);
  bench.start();
  const auto done = bench.receive(message("KSR.tmx.t_reply_callid('call-1', '7', 486, 'Busy')"));
  EXPECT_TRUE(first(done, "SIP/2.0 299 1"));
  EXPECT_TRUE(first(done, "SIP/2.0 486 Busy"));
  EXPECT_TRUE(first(done, "CANCEL "));
  EXPECT_TRUE(first(bench.receive(message("KSR.tmx.t_reply_callid('call-1', '7', 480, 'Again')")), "SIP/2.0 299 -1"));
}

TEST(TmxCancelBranches, OthersThisAndAll) {
  const std::pair<const char*, std::vector<int>> cases[] = {{"others", {7002}}, {"this", {7001}}, {"all", {7001, 7002}}};
  for (const auto& [which, ports] : cases) {
    Bench bench(control);
    const auto sent = all(bench.receive(Request{}), "INVITE ");
    (void)bench.answer(sent[0], 180);
    (void)bench.answer(sent[1], 180);
    std::vector<int> canceled;
    for (const auto& one : all(bench.answer(sent[0], 183, "Progress", "X-Cancel: " + std::string(which) + "\r\n"), "CANCEL "))
      canceled.push_back(one.to.port);
    EXPECT_EQ(canceled, ports) << which;
  }
}

TEST(TmxDrop, LeavesNothingAndEndsTheScript) {
  Bench bench("function ksr_request_route() KSR.tm.t_newtran() KSR.tmx.t_drop() KSR.sl.send_reply(500, 'No') end");
  EXPECT_THAT(all(bench.receive(Request{}), "SIP/2.0 5"), IsEmpty());
  EXPECT_EQ(bench.proxy().open_transactions(), 0U);
}

// ---- requests of our own ----

TEST(TmUacSend, RepeatsOverADeathUntilTheAnswer) {
  Bench bench(
      "function ksr_request_route()\n  local sent = KSR.tm.t_uac_send('NOTIFY', 'sip:carol@127.0.0.1:7009', '', '', 'From: "
      "<sip:us@example.com>\\r\\nTo: <sip:carol@example.net>\\r\\nEvent: check\\r\\n', 'hello')\n  KSR.sl.sl_send_reply(200, '' .. "
      "sent)\nend\n");
  const auto sent = bench.receive(Request{.method = "OPTIONS"});
  EXPECT_TRUE(first(sent, "SIP/2.0 200 1"));
  const auto* out = first(sent, "NOTIFY sip:carol@127.0.0.1:7009 SIP/2.0");
  ASSERT_TRUE(out);
  EXPECT_EQ(out->to, at(7009));
  EXPECT_EQ(out->header("Event"), "check");
  EXPECT_EQ(out->header("CSeq"), "10 NOTIFY");
  EXPECT_EQ(out->header("Content-Length"), "5");
  EXPECT_TRUE(out->header("From").starts_with("<sip:us@example.com>;tag="));
  EXPECT_TRUE(out->bytes.ends_with("\r\n\r\nhello"));
  const Sent request = *out;
  bench.start();
  const auto again = bench.advance(600ms);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].bytes, request.bytes);
  EXPECT_THAT(bench.answer(request, 200), IsEmpty());
  EXPECT_THAT(bench.advance(10s), IsEmpty());
  EXPECT_EQ(bench.proxy().open_transactions(), 0U);
}

TEST(TmUacSend, EndsWithoutAnAnswer) {
  Bench bench(
      "function ksr_request_route()\n  KSR.tm.t_uac_send('MESSAGE', 'sip:carol@127.0.0.1:7009', 'sip:127.0.0.1:7010', "
      "'udp:127.0.0.1:5060', "
      "'From: <sip:us@example.com>\\r\\nTo: <sip:carol@example.net>\\r\\n', '')\n  KSR.sl.sl_send_reply(200, 'OK')\nend\n");
  const auto sent = bench.receive(Request{.method = "OPTIONS"});
  ASSERT_TRUE(first(sent, "MESSAGE "));
  EXPECT_EQ(first(sent, "MESSAGE ")->to, at(7010));
  EXPECT_EQ(all(bench.advance(40s), "MESSAGE ").size(), 10U);  // Timer E: 0.5, 1.5, 3.5, then every 4 s until 32 s
  EXPECT_EQ(bench.proxy().open_transactions(), 0U);
}

TEST(TmUacSend, RefusesWhatItCannotHold) {
  Bench bench(
      "function ksr_request_route()\n  local h = 'From: <sip:a@b>\\r\\nTo: <sip:c@d>\\r\\n'\n  KSR.sl.sl_send_reply(299, "
      "KSR.tm.t_uac_send('INVITE', 'sip:127.0.0.1', '', '', h, '') .. KSR.tm.t_uac_send('INFO', 'x', '', '', h, '') .. "
      "KSR.tm.t_uac_send('INFO', 'sip:127.0.0.1', '', '', 'X: 1\\r\\n', ''))\nend\n");
  const auto sent = bench.receive(Request{.method = "OPTIONS"});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 299 -1-1-1");
}

TEST(TmReplicate, RepliesOfTheCopyGoNowhere) {
  Bench bench("function ksr_request_route()\n  KSR.tm.t_replicate('sip:127.0.0.1:7009')\n  KSR.sl.send_reply(200, 'OK')\nend\n");
  const auto sent = bench.receive(Request{.method = "REGISTER", .uri = "sip:example.com"});
  EXPECT_TRUE(first(sent, "SIP/2.0 200 "));
  const auto* copy = first(sent, "REGISTER sip:example.com ");
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->to, at(7009));
  const Sent request = *copy;
  bench.start();
  EXPECT_THAT(bench.answer(request, 404), IsEmpty());
}

// ---- suspended transactions ----

const std::string suspends =
    "function ksr_request_route()\n"
    "  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n"
    "  if KSR.is_method('MESSAGE') then\n    local index, label = string.match(KSR.pv.getw('$hdr(X-Id)'), '(%d+):(%d+)')\n"
    "    KSR.sl.sl_send_reply(299, '' .. KSR.tmx.t_continue(tonumber(index), tonumber(label), 'go_on'))\n    return\n  end\n"
    "  KSR.pv.sets('$avp(who)', 'carol')\n  KSR.setflag(4)\n  KSR.seturi('sip:bob@127.0.0.1:7001')\n"
    "  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:7002')\n  KSR.hdr.append('X-Before: 1\\r\\n')\n"
    "  KSR.tm.t_set_fr(0, 8000)\n  KSR.tm.t_on_failure('failed')\n"
    "  KSR.tm.t_newtran()\n  KSR.info(KSR.pv.getw('$T(id_index)') .. ':' .. KSR.pv.getw('$T(id_label)'))\n"
    "  KSR.tm.t_reply(183, KSR.pv.getw('$T(id_index)') .. ':' .. KSR.pv.getw('$T(id_label)'))\n  KSR.tmx.t_suspend()\nend\n"
    "function go_on()\n  KSR.hdr.append('X-Who: ' .. KSR.pv.getw('$avp(who)') .. ' ' .. tostring(KSR.isflagset(4)) .. '\\r\\n')\n"
    "  KSR.tm.t_relay()\nend\n"
    "function failed() KSR.tm.t_reply(480, 'timeout ' .. KSR.tm.t_branch_timeout() .. ' ' .. KSR.tm.t_get_status_code()) end\n";

Request continue_with(const std::vector<Sent>& sent) {
  const auto* progress = first(sent, "SIP/2.0 183 ");
  EXPECT_TRUE(progress);
  return Request{.method = "MESSAGE",
                 .call_id = "other",
                 .branch = "z9hG4bK-m" + std::to_string(sent.size()),
                 .headers = "Max-Forwards: 70\r\nX-Id: " + (progress ? progress->line().substr(12) : "") + "\r\n"};
}

TEST(TmxSuspend, GoesOnAfterADeathWithAllThatWasSet) {
  Bench bench(suspends);
  const auto sent = bench.receive(Request{});
  EXPECT_THAT(all(sent, "INVITE "), IsEmpty());
  EXPECT_THAT(all(bench.receive(Request{}), "SIP/2.0 183 "), SizeIs(1));  // absorbed
  bench.start();
  EXPECT_THAT(bench.advance(3s), IsEmpty());
  const auto resumed = bench.receive(continue_with(sent));
  EXPECT_TRUE(first(resumed, "SIP/2.0 299 1"));
  const auto invites = all(resumed, "INVITE ");
  ASSERT_THAT(invites, SizeIs(2));
  EXPECT_EQ(invites[0].to, at(7001));
  EXPECT_EQ(invites[1].to, at(7002));
  EXPECT_EQ(invites[0].header("X-Before"), "1");
  EXPECT_EQ(invites[0].header("X-Who"), "carol true");
  Request again = continue_with(sent);
  again.branch = "z9hG4bK-again";
  EXPECT_TRUE(first(bench.receive(again), "SIP/2.0 299 -1"));
  EXPECT_TRUE(first(bench.answer(invites[0], 200), "SIP/2.0 200 "));
}

TEST(TmxSuspend, EndsAtItsDeadlineInTheFailureRoute) {
  Bench bench(suspends);
  (void)bench.receive(Request{});
  (void)bench.advance(2s);
  bench.start();
  EXPECT_THAT(bench.advance(5900ms), IsEmpty());
  EXPECT_TRUE(first(bench.advance(300ms), "SIP/2.0 480 timeout 1 408"));
}

TEST(TmxSuspend, CancelEndsIt) {
  Bench bench(suspends);
  const auto sent = bench.receive(Request{});
  bench.start();
  EXPECT_TRUE(first(bench.receive(Request{.method = "CANCEL"}), "SIP/2.0 487 "));
  EXPECT_TRUE(first(bench.receive(continue_with(sent)), "SIP/2.0 299 -1"));
}

// ---- late branches ----

const std::string silo =
    "function ksr_request_route()\n"
    "  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end\n"
    "  if KSR.is_REGISTER() then\n    KSR.sl.sl_send_reply(200, '' .. KSR.tsilo.ts_append('location', KSR.kx.get_turi()))\n    return\n  "
    "end\n"
    "  KSR.pv.sets('$avp(who)', 'x')\n  KSR.tm.t_on_branch('each')\n  KSR.tsilo.ts_store()\n"
    "  if KSR.hdr.is_present('X-Relay') > 0 then\n"
    "    KSR.seturi('sip:bob@127.0.0.1:7001')\n    KSR.tm.t_relay()\n  end\nend\n"
    "function each() KSR.hdr.append('X-Branch: ' .. KSR.pv.getw('$T_branch_idx') .. ' ' .. KSR.pv.getw('$avp(who)') .. '\\r\\n') end\n";

Request registers(int port, const std::string& branch, const std::string& more = {}) {
  return Request{.method = "REGISTER",
                 .uri = "sip:example.net",
                 .call_id = "registration",
                 .branch = branch,
                 .headers = "Max-Forwards: 70\r\nContact: <sip:bob@127.0.0.1:" + std::to_string(port) + ">" + more + "\r\n"};
}

TEST(Tsilo, DeviceThatRegistersLateRingsAlsoAfterADeath) {
  Bench bench(silo);
  Request invite;
  invite.headers += "X-Relay: 1\r\n";
  const auto sent = all(bench.receive(invite), "INVITE ");
  ASSERT_THAT(sent, SizeIs(1));
  (void)bench.answer(sent[0], 180);
  bench.start();
  EXPECT_THAT(all(bench.receive(registers(7005, "z9hG4bK-gone", ";expires=0")), "INVITE "), IsEmpty());
  const auto registered = bench.receive(registers(7005, "z9hG4bK-r1"));
  EXPECT_TRUE(first(registered, "SIP/2.0 200 1"));
  const auto late = all(registered, "INVITE sip:bob@127.0.0.1:7005");
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(late[0].header("X-Branch"), "1 x");
  bench.start();
  EXPECT_THAT(all(bench.receive(registers(7005, "z9hG4bK-r2")), "INVITE "), IsEmpty());  // it has a branch
  const auto answered = bench.answer(late[0], 200);
  EXPECT_TRUE(first(answered, "SIP/2.0 200 "));
  EXPECT_TRUE(first(answered, "CANCEL sip:bob@127.0.0.1:7001"));
  EXPECT_THAT(all(bench.receive(registers(7006, "z9hG4bK-r3")), "INVITE "), IsEmpty());
}

TEST(Tsilo, CallWaitsForItsFirstDevice) {
  Bench bench(silo);
  EXPECT_THAT(all(bench.receive(Request{}), "SIP/2.0 5"), IsEmpty());
  bench.start();
  const auto late = all(bench.receive(registers(7005, "z9hG4bK-r1")), "INVITE ");
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(late[0].header("X-Branch"), "0 x");
  EXPECT_TRUE(first(bench.answer(late[0], 200), "SIP/2.0 200 "));
}

TEST(Tsilo, CallThatNobodyComesForTimesOut) {
  Bench bench(silo);
  (void)bench.receive(Request{});
  bench.start();
  EXPECT_TRUE(first(bench.advance(33s), "SIP/2.0 408 "));
  EXPECT_TRUE(first(bench.receive(registers(7005, "z9hG4bK-r1")), "SIP/2.0 200 "));
  (void)bench.advance(64s);
  EXPECT_TRUE(first(bench.receive(registers(7005, "z9hG4bK-r2")), "SIP/2.0 200 -2"));
}

TEST(Tsilo, NobodyWaitsAfterACancel) {
  Bench bench(silo);
  (void)bench.receive(Request{});
  bench.start();
  EXPECT_TRUE(first(bench.receive(Request{.method = "CANCEL"}), "SIP/2.0 487 "));
  EXPECT_THAT(all(bench.receive(registers(7005, "z9hG4bK-r1")), "INVITE "), IsEmpty());
}

}  // namespace
}  // namespace perdure::script

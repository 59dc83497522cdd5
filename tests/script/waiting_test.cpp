// Callbacks that wait.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::IsEmpty;

// Relays after three seconds, with what it knew before.
const char* const later = R"lua(
function ksr_request_route()
  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end
  KSR.setflag(3)
  KSR.setbflag(4)
  KSR.pv.sets("$avp(who)", "alice")
  KSR.hdr.append("X-Before: 1")
  KSR.seturi("sip:carol@127.0.0.1:7001")
  KSR.async.route("go_on", 3)
  error("the callback has ended")
end
function go_on()
  KSR.hdr.append("X-State: " .. tostring(KSR.isflagset(3)) .. " " .. tostring(KSR.isbflagset(4)) .. " " .. KSR.pv.get("$avp(who)") ..
                 " " .. KSR.kx.get_ruri() .. " " .. KSR.pv.get("$ci"))
  KSR.tm.t_on_failure("manage_failure")
  KSR.tm.t_relay()
end
function manage_failure()
  KSR.async.ms_route("next_one", 500)
end
function next_one()
  KSR.pv.sets("$avp(who)", KSR.pv.get("$avp(who)") .. "2")
  KSR.hdr.append("X-Who: " .. KSR.pv.get("$avp(who)") .. " " .. KSR.pv.get("$T_reply_code"))
  KSR.seturi("sip:dave@127.0.0.1:7002")
  KSR.tm.t_relay()
end
)lua";

TEST(WaitingCallback, GoesOnWithWhatItKnew) {
  Bench bench(later);
  const auto trying = bench.receive(Request{});
  ASSERT_EQ(trying.size(), 1U);
  EXPECT_EQ(trying[0].line(), "SIP/2.0 100 Trying");
  EXPECT_THAT(bench.advance(2900ms), IsEmpty());
  auto sent = bench.advance(200ms);
  const auto* invite = first(sent, "INVITE sip:carol@127.0.0.1:7001 ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->header("X-Before"), "1");
  EXPECT_EQ(invite->header("X-State"), "true true alice sip:carol@127.0.0.1:7001 call-1");
  // The failure callback waits, too.
  EXPECT_TRUE(first(bench.answer(*invite, 503), "ACK "));
  sent = bench.advance(600ms);
  invite = first(sent, "INVITE sip:dave@127.0.0.1:7002 ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->header("X-Who"), "alice2 503");
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
  EXPECT_TRUE(first(bench.answer(*invite, 200), "SIP/2.0 200 "));
}

TEST(WaitingCallback, SleepsWhileOthersGoOn) {
  Bench bench(
      "function ksr_request_route()\n  local slept = KSR.is_INVITE() and KSR.cfgutils.sleep(2) + KSR.cfgutils.usleep(500000)\n"
      "  KSR.sl.send_reply(200, 'Slept ' .. tostring(slept))\nend");
  (void)bench.receive(Request{});
  EXPECT_TRUE(first(bench.receive(Request{.method = "OPTIONS", .call_id = "other", .branch = "z9hG4bK-2"}), "SIP/2.0 200 Slept false"));
  EXPECT_THAT(bench.advance(2400ms), IsEmpty());
  EXPECT_TRUE(first(bench.advance(200ms), "SIP/2.0 200 Slept 2"));
  Bench longer("function ksr_request_route() KSR.cfgutils.sleep(86401) end");
  (void)longer.receive(Request{});
  EXPECT_THAT(longer.runner().counters().last_error, testing::HasSubstr("a delay is at most 86400000 ms"));
}

TEST(WaitingCallback, RunsFromItsBeginInTheNextProcess) {
  Bench bench(later);
  bench.receive(Request{});
  bench.start();
  EXPECT_THAT(bench.advance(2900ms), IsEmpty());
  const auto sent = bench.advance(300ms);
  const auto* invite = first(sent, "INVITE sip:carol@127.0.0.1:7001 ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->header("X-State"), "true true alice sip:carol@127.0.0.1:7001 call-1");
}

TEST(WaitingCallback, EndsInTheScriptInWhichItBegan) {
  Bench bench(later);
  bench.receive(Request{});
  bench.options().text = "function ksr_request_route() KSR.sl.send_reply(404, 'Gone') end";
  ASSERT_TRUE(bench.runner().reload());
  EXPECT_TRUE(first(bench.advance(3100ms), "INVITE sip:carol@127.0.0.1:7001 "));
}

TEST(WaitingCallback, IsForgottenWhenTheCallIsOver) {
  Bench bench(later);
  bench.receive(Request{});
  Request cancel;
  cancel.method = "CANCEL";
  const auto sent = bench.receive(cancel);
  EXPECT_TRUE(first(sent, "SIP/2.0 200 "));
  EXPECT_TRUE(first(sent, "SIP/2.0 487 "));
  EXPECT_FALSE(first(bench.advance(4s), "INVITE "));
}

TEST(WaitingCallback, CannotBeARouteThatMustNotWait) {
  Bench bench(R"(
function ksr_request_route() KSR.tm.t_on_branch("branch") KSR.tm.t_relay() end
function branch() KSR.async.route("branch", 1) end)");
  EXPECT_TRUE(first(bench.receive(Request{}), "INVITE ")) << "an error in a branch route does not end the call";
  EXPECT_EQ(bench.runner().counters().last_error, "default.lua:3: KSR.async.route: cannot be called in a branch route");
}

TEST(WaitingCallback, ErrorsAreThoseOfTheScript) {
  for (const auto& [call, error] : std::initializer_list<std::pair<std::string, std::string>>{
           {"KSR.async.route('nobody', 1)", "KSR.async.route: there is no function nobody"},
           {"KSR.async.route('ksr_request_route', -1)", "KSR.async.route: a delay is at most 86400000 ms (async.delay_max)"},
           {"coroutine.wrap(function() KSR.async.route('ksr_request_route', 1) end)()",
            "default.lua:1: KSR.async.route: cannot wait in a coroutine that the script made"}}) {
    Bench bench("function ksr_request_route() " + call + " end");
    EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 500 ")) << call;
    EXPECT_EQ(bench.runner().counters().last_error, "default.lua:1: " + error);
    EXPECT_EQ(bench.proxy().waiting(), 0U);
  }
}

}  // namespace
}  // namespace perdure::script

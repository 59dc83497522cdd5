// What the next engine makes of the datagrams that a dead one had taken from the kernel.
#include "engine/engine_fixture.hpp"

namespace perdure::engine {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Recovery : public EngineTest {
 protected:
  Recovery() { open(1); }

  void invite(std::string_view user, const std::string& call_id) {
    caller.send(request("INVITE", "sip:" + std::string(user) + "@" + gateway.text(), caller, call_id), proxy_address);
  }
  // Until the engine of another process is in work on the message of that slot.
  [[nodiscard]] bool is_stalled_at(std::uint32_t slot) {
    return eventually([&] { return region->mark(0).slot.load() == slot + 1; });
  }
  // The Call-IDs of the INVITEs that come to the gateway, each branch once, until `last`.
  [[nodiscard]] std::vector<std::string> invited_until(const std::string& last) const {
    std::vector<std::string> calls, branches;
    while (calls.empty() || calls.back() != last) {
      const auto packet = gateway.expect("INVITE");
      if (packet.text.empty()) break;
      if (std::ranges::find(branches, branch_of(packet.text)) != branches.end()) continue;
      branches.push_back(branch_of(packet.text));
      calls.push_back(value_of(packet.text, "Call-ID"));
    }
    return calls;
  }

  const Endpoint caller, gateway;
};

// A route that stalls in one process and not in the next: what a kill in the middle looks like.
class PatientRoutes : public Routes {
 public:
  bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override {
    if (kind == proxy::RouteKind::Request && context.message->request_uri().starts_with("sip:stall@")) {
      context.relay();
      return true;
    }
    return Routes::run(context, kind, name);
  }
};

TEST_F(Recovery, DoesWhatWasTakenAndNotFinishedInOrder) {
  invite("stall", "call-1");
  for (int i = 2; i <= 5; ++i) invite("bob", "call-" + std::to_string(i));
  const pid_t process = start_process();
  ASSERT_TRUE(is_stalled_at(0));
  EXPECT_EQ(kill_and_wait(process), SIGKILL);
  EXPECT_THAT(region->taken(), SizeIs(5));

  options.make_runner = [](std::uint32_t) { return std::make_unique<PatientRoutes>(); };
  const auto report = start(edge::Death::Killed);
  EXPECT_EQ(report.redelivered, 5U);
  EXPECT_EQ(report.quarantined_messages, 0U);
  EXPECT_THAT(invited_until("call-5"), testing::ElementsAre("call-1", "call-2", "call-3", "call-4", "call-5"));
  EXPECT_TRUE(stops_with_nothing_taken());
}

TEST_F(Recovery, DropsASlotThatTheDeadEngineDamaged) {
  invite("stall", "call-1");
  for (int i = 2; i <= 4; ++i) invite("bob", "call-" + std::to_string(i));
  const pid_t process = start_process();
  ASSERT_TRUE(is_stalled_at(0));
  EXPECT_EQ(kill_and_wait(process), SIGKILL);
  const auto taken = region->taken();
  ASSERT_THAT(taken, SizeIs(4));
  region->info(taken[0]).socket = 40000;  // there is one

  const auto report = start(edge::Death::Killed);
  EXPECT_EQ(report.redelivered, 3U);
  EXPECT_THAT(invited_until("call-4"), testing::ElementsAre("call-2", "call-3", "call-4"));
  EXPECT_TRUE(stops_with_nothing_taken());
}

TEST_F(Recovery, SendsOnceMoreWhatWasCommittedAndNotSentAndForwardsItOnOneBranch) {
  invite("bob", "call-1");
  invite("bob", "call-2");
  invite("stall", "call-3");  // before the end of the batch, so that nothing of it has left
  const pid_t process = start_process();
  ASSERT_TRUE(is_stalled_at(2));
  kill_and_wait(process);
  EXPECT_FALSE(gateway.take());

  options.make_runner = [](std::uint32_t) { return std::make_unique<PatientRoutes>(); };
  const auto report = start(edge::Death::Killed);
  EXPECT_EQ(report.recovered, 2U);
  EXPECT_EQ(report.redelivered, 3U);
  EXPECT_THAT(invited_until("call-3"), testing::ElementsAre("call-1", "call-2", "call-3"));
  EXPECT_EQ(engine->counters().proxy.resent_after_attach, 2U);
  EXPECT_TRUE(eventually([&] { return engine->counters().proxy.retransmissions_absorbed == 2; }));
}

TEST_F(Recovery, AnswersOfTheGatewayAndTheCancelFindTheirCallInTheNextEngine) {
  invite("bob", "call-1");
  const pid_t process = start_process();
  const auto invited = gateway.expect("INVITE");
  gateway.send(response(invited.text, 180, gateway), proxy_address);
  (void)caller.expect("SIP/2.0 180");
  kill_and_wait(process);
  // Both wait in the socket for an engine to read them.
  auto cancel = request("CANCEL", "sip:bob@" + gateway.text(), caller, "call-1");
  cancel.replace(cancel.find("-CANCEL"), 7, "-INVITE");
  caller.send(cancel, proxy_address);
  const auto report = start(edge::Death::Killed);
  EXPECT_EQ(report.recovered, 1U);
  const auto cancelled = gateway.expect("CANCEL");
  EXPECT_EQ(branch_of(cancelled.text), branch_of(invited.text));
  gateway.send(response(cancelled.text, 200, gateway), proxy_address);
  gateway.send(response(invited.text, 487, gateway), proxy_address);
  (void)caller.expect("SIP/2.0 487");
}

TEST_F(Recovery, HandsEverySlotToTheWorkerThatOwnsItsCall) {
  // The first test's fixture has one worker; this one has four, of which one reads everything.
  for (const int socket : sockets) close(socket);
  sockets.clear();
  open(4);
  invite("stall", "call-0");
  for (int i = 1; i < 20; ++i) invite("bob", "call-" + std::to_string(i));
  const pid_t process = start_process();
  ASSERT_TRUE(eventually([&] {
    for (std::uint32_t i = 0; i < 4; ++i)
      if (region->mark(i).slot.load() != 0) return true;
    return false;
  }));
  kill_and_wait(process);
  options.make_runner = [](std::uint32_t) { return std::make_unique<PatientRoutes>(); };
  start(edge::Death::Killed);
  EXPECT_TRUE(eventually([&] { return engine->counters().proxy.transactions_created + engine->report().recovered >= 20; }));
  EXPECT_TRUE(stops_with_nothing_taken());
  std::vector<std::string> calls;
  while (calls.size() < 20) {
    const auto packet = gateway.expect("INVITE");
    if (packet.text.empty()) break;
    if (std::ranges::find(calls, value_of(packet.text, "Call-ID")) == calls.end()) calls.push_back(value_of(packet.text, "Call-ID"));
  }
  EXPECT_THAT(calls, SizeIs(20));
}

TEST_F(Recovery, PutsAMessageInQuarantineThatTwoEnginesCrashedOn) {
  invite("bob", "before");
  invite("abort", "poison");
  invite("bob", "after");
  EXPECT_EQ(end_of(start_process()), SIGABRT);
  const auto taken = region->taken();
  ASSERT_FALSE(taken.empty());
  EXPECT_EQ(end_of(start_process(edge::Death::Crashed)), SIGABRT);

  const auto report = start(edge::Death::Crashed);
  EXPECT_EQ(report.quarantined_messages, 1U);
  EXPECT_EQ(report.quarantined_records, 0U);
  EXPECT_THAT(invited_until("after"), testing::ElementsAre("before", "after"));
  const auto messages = quarantined(".sip"), reasons = quarantined(".reason.txt");
  ASSERT_THAT(messages, SizeIs(1));
  ASSERT_THAT(reasons, SizeIs(1));
  EXPECT_EQ(content(messages[0]), request("INVITE", "sip:abort@" + gateway.text(), caller, "poison"));
  EXPECT_THAT(content(reasons[0]), HasSubstr(caller.text()));
  EXPECT_EQ(messages[0].stem(), reasons[0].stem().stem());
  EXPECT_EQ(std::filesystem::status(messages[0]).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Recovery, DropsAPoisonMessageWithoutAFolderForIt) {
  options.quarantine.clear();
  invite("abort", "poison");
  EXPECT_EQ(end_of(start_process()), SIGABRT);
  EXPECT_EQ(end_of(start_process(edge::Death::Crashed)), SIGABRT);
  EXPECT_EQ(start(edge::Death::Crashed).quarantined_messages, 1U);
  EXPECT_TRUE(stops_with_nothing_taken());
  EXPECT_FALSE(std::filesystem::exists(folder + "/quarantine"));
}

TEST_F(Recovery, AMessageThatWasInWorkAtThreeKillsIsProcessed) {
  invite("stall", "call-1");
  auto death = edge::Death::None;
  for (int i = 0; i < 3; ++i) {
    const pid_t process = start_process(death);
    // The mark can still be that of the one before, but then it has not been counted.
    ASSERT_TRUE(eventually([&] { return region->info({0, 0}).blame == i && region->mark(0).slot.load() == 1; }));
    kill_and_wait(process);
    death = edge::Death::Killed;
  }
  options.make_runner = [](std::uint32_t) { return std::make_unique<PatientRoutes>(); };
  EXPECT_EQ(start(edge::Death::Killed).quarantined_messages, 0U);
  EXPECT_EQ(value_of(gateway.expect("INVITE").text, "Call-ID"), "call-1");
}

TEST_F(Recovery, PutsARecordInQuarantineWhoseTimerKillsEngines) {
  options.proxy.fr_timer = 20ms;  // nobody answers
  invite("late-abort", "poison");
  EXPECT_EQ(end_of(start_process()), SIGABRT);
  EXPECT_EQ(end_of(start_process(edge::Death::Crashed)), SIGABRT);
  const auto report = start(edge::Death::Crashed);
  EXPECT_EQ(report.quarantined_records, 1U);
  EXPECT_EQ(report.quarantined_messages, 0U);
  ASSERT_THAT(quarantined(".reason.txt"), SizeIs(1));
  EXPECT_THAT(quarantined(".reason.txt")[0].filename().string(), HasSubstr("record-"));
  // Others are served.
  const Endpoint other;
  other.send(request("INVITE", "sip:bob@" + gateway.text(), other, "next"), proxy_address);
  std::string call_id;
  while (call_id != "next") {
    const auto packet = gateway.expect("INVITE");
    if (packet.text.empty()) break;
    call_id = value_of(packet.text, "Call-ID");
  }
  EXPECT_EQ(call_id, "next");
}

}  // namespace
}  // namespace perdure::engine

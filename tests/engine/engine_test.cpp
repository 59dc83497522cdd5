#include "engine/engine.hpp"

#include <atomic>
#include <future>
#include <mutex>

#include "engine/engine_fixture.hpp"

namespace perdure::engine {
namespace {

using testing::HasSubstr;

TEST_F(EngineTest, CountsWhatIsNoMessage) {
  open(1);
  start();
  const Endpoint caller;
  caller.send("", proxy_address);
  caller.send("this is no message", proxy_address);
  caller.send("\r\n\r\n", proxy_address);  // keep-alive
  caller.send(std::string(65'000, '\0'), proxy_address);
  EXPECT_TRUE(eventually([&] { return engine->counters().datagrams_received == 4; }));
  EXPECT_TRUE(eventually([&] { return engine->counters().proxy.malformed >= 2; }));
  const auto counters = engine->counters();
  EXPECT_EQ(counters.empty, 1U);
  EXPECT_EQ(counters.proxy.requests, 0U);
  EXPECT_EQ(counters.datagrams_sent, 0U);
  EXPECT_TRUE(stops_with_nothing_taken());
}

TEST_F(EngineTest, CountsWhatTheKernelDoesNotSendAndSendsTheRest) {
  open(1);
  const Endpoint target;
  bool sent = false;
  options.on_worker_tick = [&](std::uint32_t, Time, proxy::Proxy&, proxy::Outputs& outputs) {
    if (std::exchange(sent, true)) return;
    outputs.send({outputs.copy("first"), target.address(), 0, 0, {}});
    outputs.send({outputs.copy(std::string(65'530, 'x')), target.address(), 0, 0, {}});  // more than UDP can carry
    outputs.send({outputs.copy("last"), target.address(), 0, 0, {}});
  };
  start();
  (void)target.expect("first");
  (void)target.expect("last");
  EXPECT_TRUE(eventually([&] { return engine->counters().datagrams_sent == 2; }));
  EXPECT_EQ(engine->counters().send_errors, 1U);
}

TEST_F(EngineTest, StopLetsGoOfTheStoreSoThatTheNextOneCanAttach) {
  open(2);
  start();
  const Endpoint caller, gateway;
  caller.send(request("INVITE", "sip:bob@" + gateway.text(), caller, "call"), proxy_address);
  const auto invite = gateway.expect("INVITE");
  const auto second = make_engine();
  const auto refused = second->attach(edge::Death::Planned);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("another process has this store open"));

  engine->stop();
  EXPECT_EQ(region->mark(0).tick_us, 0U);
  const auto report = second->attach(edge::Death::Planned);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->recovered, 1U);
  EXPECT_EQ(report->redelivered, 0U);
  EXPECT_GT(region->mark(0).tick_us, 0U);
  gateway.send(response(invite.text, 200, gateway), proxy_address);
  (void)caller.expect("SIP/2.0 200");
  EXPECT_EQ(second->counters().proxy.resent_after_attach, 0U);
}

TEST_F(EngineTest, StopFinishesWhatWorkersHaveReadForEachOther) {
  for (int round = 0; round < 10; ++round) {
    for (const int socket : sockets) close(socket);
    sockets.clear();
    open(4);
    start();
    const std::vector<Endpoint> callers(4);
    for (int i = 0; i < 400; ++i) {
      const Endpoint& caller = callers[static_cast<std::size_t>(i % 4)];
      caller.send(request("OPTIONS", "sip:bob@" + callers[0].text(), caller, "call-" + std::to_string(round * 1000 + i)), proxy_address);
    }
    EXPECT_TRUE(eventually([&] { return engine->counters().datagrams_received >= 10; }));
    EXPECT_TRUE(stops_with_nothing_taken());
  }
}

TEST_F(EngineTest, AFailedAttachLeavesNothingOpen) {
  open(1);
  options.on_opened = [](Time) -> Result<> { return fail("no destinations"); };
  const auto failing = make_engine();
  const auto report = failing->attach(edge::Death::None);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "no destinations");
  options.on_opened = nullptr;
  start();
}

TEST_F(EngineTest, RunsWhatIsAskedInEveryWorkersThread) {
  open(4);
  start();
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::set<std::uint32_t> workers;
  ASSERT_TRUE(engine->run_on_all(
      [&](std::uint32_t worker, proxy::Proxy&) {
        const std::scoped_lock lock(mutex);
        threads.insert(std::this_thread::get_id());
        workers.insert(worker);
      },
      20s));
  EXPECT_EQ(threads.size(), 4U);
  EXPECT_THAT(workers, testing::ElementsAre(0U, 1U, 2U, 3U));
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));

  std::promise<std::size_t> open_transactions;
  engine->run_on_worker(2, [&](proxy::Proxy& proxy) { open_transactions.set_value(proxy.open_transactions()); });
  EXPECT_EQ(open_transactions.get_future().get(), 0U);
}

TEST_F(EngineTest, GivesUpWaitingForAWorkerThatIsBusy) {
  open(2);
  start();
  std::promise<void> release;
  std::promise<void> reached;
  engine->run_on_worker(1, [&, released = release.get_future().share()](proxy::Proxy&) {
    reached.set_value();
    released.wait();
  });
  reached.get_future().wait();
  std::atomic<int> ran{0};
  EXPECT_FALSE(engine->run_on_all([&](std::uint32_t, proxy::Proxy&) { ++ran; }, 100ms));
  const int in_time = ran;
  release.set_value();
  EXPECT_TRUE(engine->run_on_all([](std::uint32_t, proxy::Proxy&) {}, 20s));
  EXPECT_EQ(ran, in_time);  // what came too late was not run after all
}

TEST_F(EngineTest, SendsWhatTheTickAsksForAndIsIdleOtherwise) {
  open(1);
  const Endpoint target;
  std::atomic<int> ticks{0};
  options.on_worker_tick = [&](std::uint32_t, Time, proxy::Proxy&, proxy::Outputs& outputs) {
    if (++ticks == 3) outputs.send({outputs.copy("OPTIONS sip:target SIP/2.0\r\n\r\n"), target.address(), 0, 0, {}});
  };
  start();
  EXPECT_EQ(target.expect("OPTIONS").from, proxy_address);
  EXPECT_TRUE(eventually([&] { return ticks >= 8; }));
  // Some turns for each tick, not thousands.
  EXPECT_LE(engine->counters().turns, 10U * 8);
}

TEST_F(EngineTest, WorksOnEveryAddressThatItListensOn) {
  open(2);
  const int first = *net::open_udp_socket(loopback(0), 1 << 20, true);
  const auto second_address = net::local_address(first);
  sockets.push_back(first);
  sockets.push_back(*net::open_udp_socket(second_address, 1 << 20, false));
  options.sockets = sockets;
  auto socket = options.proxy.sockets[0];
  socket.address = second_address;
  socket.advertised_port = second_address.port;
  options.proxy.sockets.push_back(socket);
  start();
  const Endpoint caller, gateway;
  for (int i = 0; i < 8; ++i) {
    const std::string call_id = "call-" + std::to_string(i);
    const auto to = i % 2 == 0 ? proxy_address : second_address;
    caller.send(request("OPTIONS", "sip:bob@" + gateway.text(), caller, call_id), to);
    const auto options_request = gateway.expect("OPTIONS");
    gateway.send(response(options_request.text, 200, gateway), options_request.from);
    EXPECT_EQ(caller.expect("SIP/2.0 200").from, to);
  }
}

}  // namespace
}  // namespace perdure::engine

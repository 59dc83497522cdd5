// Calls through an engine with one, two and four workers.
#include "engine/engine_fixture.hpp"

namespace perdure::engine {
namespace {

class Calls : public EngineTest, public testing::WithParamInterface<std::tuple<std::uint32_t, proxy::Persist>> {
 protected:
  // INVITE, 180, 200, ACK, BYE, 200.
  void answered(const Endpoint& caller, const Endpoint& gateway, const std::string& call_id) {
    const std::string uri = "sip:bob@" + gateway.text();
    caller.send(request("INVITE", uri, caller, call_id), proxy_address);
    const auto invite = gateway.expect("INVITE");
    EXPECT_EQ(value_of(invite.text, "Call-ID"), call_id);
    EXPECT_EQ(invite.from, proxy_address);
    gateway.send(response(invite.text, 180, gateway), proxy_address);
    (void)caller.expect("SIP/2.0 180");
    gateway.send(response(invite.text, 200, gateway), proxy_address);
    const auto answer = caller.expect("SIP/2.0 200");
    EXPECT_EQ(answer.from, proxy_address);
    const std::string route = value_of(answer.text, "Record-Route");
    caller.send(request("ACK", uri, caller, call_id, "g", route), proxy_address);
    (void)gateway.expect("ACK");
    caller.send(request("BYE", uri, caller, call_id, "g", route), proxy_address);
    const auto bye = gateway.expect("BYE");
    gateway.send(response(bye.text, 200, gateway), proxy_address);
    (void)caller.expect("SIP/2.0 200");
  }
};

TEST_P(Calls, GoThrough) {
  open(std::get<0>(GetParam()));
  options.persist = std::get<1>(GetParam());
  start();
  std::vector<Endpoint> callers(5), gateways(5);
  for (std::size_t i = 0; i < 25; ++i) answered(callers[i % 5], gateways[i / 5], "call-" + std::to_string(i));
  // An answer can be on its way before the counters of its batch are.
  EXPECT_TRUE(eventually([&] { return engine->counters().proxy.responses_2xx >= 50; })) << engine->counters().proxy.responses_2xx;
  const auto counters = engine->counters();
  EXPECT_EQ(counters.proxy.transactions_created, 50U);
  EXPECT_EQ(counters.send_errors, 0U);
  EXPECT_GE(counters.datagrams_sent, 25U * 7);
  if (options.workers == 1) {
    EXPECT_EQ(counters.handed_over, 0U);
  }
  EXPECT_TRUE(stops_with_nothing_taken());
}

TEST_P(Calls, ThatAreCancelledEndAtTheirGateway) {
  open(std::get<0>(GetParam()));
  options.persist = std::get<1>(GetParam());
  start();
  const Endpoint caller, gateway;
  const std::string uri = "sip:bob@" + gateway.text();
  caller.send(request("INVITE", uri, caller, "call"), proxy_address);
  const auto invite = gateway.expect("INVITE");
  gateway.send(response(invite.text, 180, gateway), proxy_address);
  (void)caller.expect("SIP/2.0 180");
  auto cancel = request("CANCEL", uri, caller, "call");
  cancel.replace(cancel.find("-CANCEL"), 7, "-INVITE");  // the branch of what it cancels
  caller.send(cancel, proxy_address);
  (void)caller.expect("SIP/2.0 200");
  const auto cancelled = gateway.expect("CANCEL");
  EXPECT_EQ(branch_of(cancelled.text), branch_of(invite.text));
  gateway.send(response(cancelled.text, 200, gateway), proxy_address);
  gateway.send(response(invite.text, 487, gateway), proxy_address);
  (void)gateway.expect("ACK");
  (void)caller.expect("SIP/2.0 487");
}

INSTANTIATE_TEST_SUITE_P(Workers, Calls,
                         testing::Combine(testing::Values(1U, 2U, 4U),
                                          testing::Values(proxy::Persist::Full, proxy::Persist::Routes, proxy::Persist::Off)));

}  // namespace
}  // namespace perdure::engine

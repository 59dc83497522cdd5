// persist = "routes": routes of INVITEs that have a branch parameter in common, and of branches that found no room.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::Contains;
using testing::ElementsAre;

class RoutesTest : public ProxyTest {
 protected:
  static constexpr auto uri = "sip:bob@127.0.0.1:7001";
  RoutesTest() { persist = Persist::Routes; }

  [[nodiscard]] std::uint64_t routes_left() const {
    return store->partition(0).record_count(store::Kind::Route) + store->partition(1).record_count(store::Kind::Route);
  }
  void expect_nothing_is_left() {
    (void)pass(options.timer_c + 64 * options.t1 + 64 * options.t1 + 1s);
    EXPECT_EQ(proxy->open_transactions(), 0U);
    EXPECT_EQ(routes_left(), 0U);
  }
};

class RoutesOfOneBranch : public RoutesTest {
 protected:
  Sent send_invite() { return to_port(receive(request("INVITE", uri), 6000), 7001); }
  // An INVITE that has failed; its routes are all that is left of it.
  Sent failed_before_a_death() {
    const auto invite = send_invite();
    (void)receive(response(invite, 486), 7001);
    (void)receive(request("ACK", uri), 6000);
    start();
    return invite;
  }
};

TEST_F(RoutesOfOneBranch, AnInviteAfterItsFinalResponseGoesOnAfterAnotherDeath) {
  (void)failed_before_a_death();
  const auto again = send_invite();
  start();
  const auto resumed = receive(request("INVITE", uri), 6000);
  EXPECT_EQ(to_port(resumed, 7001).header("Via"), again.header("Via"));
  EXPECT_THAT(lines_of(receive(response(again, 200), 7001)), ElementsAre("6000 SIP/2.0 200 Whatever"));
  expect_nothing_is_left();
}

TEST_F(RoutesOfOneBranch, NobodyAsksForThemAgain) {
  (void)failed_before_a_death();
  (void)send_invite();
  start();
  EXPECT_EQ(routes_left(), 2U);
  expect_nothing_is_left();
}

TEST_F(RoutesOfOneBranch, ACancelEndsTheSecondOne) {
  (void)failed_before_a_death();
  const auto again = send_invite();
  (void)receive(response(again, 180), 7001);
  start();
  const auto canceled = receive(request("CANCEL", uri), 6000);
  const auto cancel = to_port(canceled, 7001);
  EXPECT_EQ(cancel.first_line(), "CANCEL sip:bob@127.0.0.1:7001 SIP/2.0");
  EXPECT_EQ(cancel.header("Via"), again.header("Via"));
  expect_nothing_is_left();
}

TEST_F(RoutesOfOneBranch, TheFirstOnesFinalResponseIsStillAcknowledged) {
  const auto first = failed_before_a_death();
  const auto again = send_invite();
  for (int deaths = 0; deaths < 2; ++deaths) {
    EXPECT_THAT(lines_of(receive(response(first, 486), 7001)), ElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0"));
    start();
  }
  EXPECT_THAT(lines_of(receive(response(again, 487), 7001)), Contains("6000 SIP/2.0 487 Whatever"));
  expect_nothing_is_left();
}

// The same branch with another Call-ID is the fault of a caller, or an attack. Its records may lie in another partition.
TEST_F(RoutesOfOneBranch, OfAnotherCallAreNotTaken) {
  const auto of_call = [](std::string_view method, const std::string& call_id) {
    auto text = request(method, uri);
    return text.replace(text.find("call-1"), 6, call_id);
  };
  std::string other;
  for (int i = 2; other.empty(); ++i)
    if (const auto call_id = "call-" + std::to_string(i);
        partition_of(of_call("INVITE", call_id), 2) != partition_of(of_call("INVITE", "call-1"), 2))
      other = call_id;
  const auto first = send_invite();
  start();
  const auto second = to_port(receive(of_call("INVITE", other), 6000), 7001);
  EXPECT_NE(second.header("Via"), first.header("Via"));
  EXPECT_THAT(lines_of(receive(response(second, 200), 7001)), ElementsAre("6000 SIP/2.0 200 Whatever"));
  expect_nothing_is_left();
}

// The next target finds no room for its transaction, in the memory of the process, but for its route, in the file.
TEST_F(RoutesTest, OfABranchThatFindsNoRoomDoNotStay) {
  transactions_bytes = 256 * 1024;
  on_request = [](RoutingContext& context) {
    context.armed.failure = "next";
    context.relay();
  };
  on_failure = [](RoutingContext& context) {
    context.target.uri = "sip:bob@127.0.0.1:7002";
    context.relay();
  };
  std::vector<Sent> invites;
  for (int i = 0; proxy == nullptr || proxy->counters().store_full == 0; ++i)
    for (const auto& sent : receive(request("INVITE", uri, {}, "z9hG4bKcaller" + std::to_string(i)), 6000))
      if (sent.to.port == 7001) invites.push_back(sent);
  ASSERT_GT(invites.size(), 2U);
  const auto full = proxy->counters().store_full;
  for (const auto& invite : invites) (void)receive(response(invite, 486), 7001);
  EXPECT_GT(proxy->counters().store_full, full);
  expect_nothing_is_left();
}

}  // namespace
}  // namespace perdure::proxy

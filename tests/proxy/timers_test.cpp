// RFC 3261 17: the timers as a peer sees them, through the whole proxy.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class Timers : public ProxyTest {
 protected:
  Sent forwarded(std::string_view method) { return to_port(receive(request(method, "sip:bob@127.0.0.1:7001"), 6000), 7001); }
  // When something left for that port, in milliseconds after the call.
  std::vector<std::int64_t> times(int port, Duration duration) {
    std::vector<std::int64_t> all;
    const Time begin = now;
    for (const Time end = now + duration; now < end;)
      for (const auto& one : pass(std::min<Duration>(1ms, end - now)))
        if (one.to.port == port) all.push_back((now - begin) / 1ms);
    return all;
  }
};

TEST_F(Timers, A_InviteIsRetransmittedWithDoublingIntervals) {
  forwarded("INVITE");
  EXPECT_THAT(times(7001, 33s), ElementsAre(500, 1500, 3500, 7500, 15500, 31500));
}

TEST_F(Timers, E_OthersAreRetransmittedUpToT2) {
  forwarded("OPTIONS");
  EXPECT_THAT(times(7001, 20s), ElementsAre(500, 1500, 3500, 7500, 11500, 15500, 19500));
}

TEST_F(Timers, AProvisionalStopsTheInvite) {
  const auto sent = forwarded("INVITE");
  receive(response(sent, 100), 7001);
  EXPECT_THAT(times(7001, 60s), IsEmpty());
}

TEST_F(Timers, C_EndsARingingBranchAndIsRefreshedByProvisionals) {
  options.timer_c = 60s;
  const auto sent = forwarded("INVITE");
  receive(response(sent, 180), 7001);
  EXPECT_THAT(pass(59s), IsEmpty());
  receive(response(sent, 180), 7001);  // 16.7 item 2
  EXPECT_THAT(pass(59s), IsEmpty());
  EXPECT_THAT(lines_of(pass(2s)), Contains("7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0"));
  const auto end = receive(response(sent, 487), 7001);
  EXPECT_THAT(lines_of(end), Contains("6000 SIP/2.0 487 Whatever"));
}

TEST_F(Timers, C_WithoutAnswerToItsCancelIsA408) {
  options.timer_c = 10s;
  const auto sent = forwarded("INVITE");
  receive(response(sent, 180), 7001);
  EXPECT_THAT(lines_of(pass(50s)), Contains("6000 SIP/2.0 408 Request Timeout"));
}

TEST_F(Timers, C_KeepsItsDeadlineOverARestart) {
  options.timer_c = 60s;
  const auto sent = forwarded("INVITE");
  receive(response(sent, 180), 7001);
  pass(50s);
  start();
  EXPECT_THAT(pass(9s), IsEmpty());
  EXPECT_THAT(lines_of(pass(2s)), Contains("7001 CANCEL sip:bob@127.0.0.1:7001 SIP/2.0"));
}

TEST_F(Timers, G_AFinalResponseIsRetransmittedUntilItsAck) {
  const auto sent = forwarded("INVITE");
  receive(response(sent, 486), 7001);
  EXPECT_THAT(times(6000, 5s), ElementsAre(500, 1500, 3500));
  receive(request("ACK", "sip:bob@127.0.0.1:7001"), 6000);
  EXPECT_THAT(times(6000, 40s), IsEmpty());
}

TEST_F(Timers, H_EndsTheWaitForAnAck) {
  const auto sent = forwarded("INVITE");
  receive(response(sent, 486), 7001);
  pass(70s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(Timers, D_ALostAckIsRepeated) {
  const auto sent = forwarded("INVITE");
  receive(response(sent, 486), 7001);
  const auto again = receive(response(sent, 486), 7001);
  EXPECT_THAT(lines_of(again), ElementsAre("7001 ACK sip:bob@127.0.0.1:7001 SIP/2.0"));
  EXPECT_EQ(again[0].headers(sip::HeaderName::Via), std::vector{sent.headers(sip::HeaderName::Via)[0]});
}

TEST_F(Timers, J_ARetransmittedRequestGetsTheSameAnswer) {
  const auto sent = forwarded("OPTIONS");
  const auto first = to_port(receive(response(sent, 200), 7001), 6000);
  const auto again = to_port(receive(request("OPTIONS", "sip:bob@127.0.0.1:7001"), 6000), 6000);
  EXPECT_EQ(first.text, again.text);
  EXPECT_EQ(proxy->counters().retransmissions_absorbed, 1U);
  pass(40s);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

TEST_F(Timers, ARetransmittedInviteGetsTheLastResponseAndIsNotForwardedAgain) {
  const auto sent = forwarded("INVITE");
  EXPECT_THAT(lines_of(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000)), ElementsAre("6000 SIP/2.0 100 Trying"));
  receive(response(sent, 180), 7001);
  start();
  EXPECT_THAT(lines_of(receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000)), ElementsAre("6000 SIP/2.0 180 Whatever"));
}

TEST_F(Timers, ACallHeldForAnHourCostsNothing) {
  const auto sent = forwarded("INVITE");
  receive(response(sent, 200), 7001);
  pass(1min);
  EXPECT_EQ(proxy->open_transactions(), 0U);
  EXPECT_EQ(store->usage().used_bytes, 0U);
  EXPECT_EQ(proxy->next_deadline(), never);
}

TEST_F(Timers, ARingingCallCostsItsRecordAndOneDeadline) {
  options.timer_c = 2h;
  const auto sent = forwarded("INVITE");
  receive(response(sent, 180), 7001);
  pass(1s);
  const auto used = store->usage().used_bytes;
  EXPECT_LE(used, 4096U);
  EXPECT_THAT(pass(1h), IsEmpty());
  EXPECT_EQ(store->usage().used_bytes, used);
}

TEST_F(Timers, ALegacyBranchIsMatchedByItsParts) {
  // RFC 3261 17.2.3: without the magic cookie the request is known by Request-URI, tags, Call-ID, CSeq and Via.
  auto text = request("INVITE", "sip:bob@127.0.0.1:7001", {}, "1");
  to_port(receive(text, 6000), 7001);
  EXPECT_THAT(lines_of(receive(text, 6000)), ElementsAre("6000 SIP/2.0 100 Trying"));
  text.replace(text.find("CSeq: 1"), 7, "CSeq: 2");
  EXPECT_THAT(lines_of(receive(text, 6000)), Contains("7001 INVITE sip:bob@127.0.0.1:7001 SIP/2.0"));
}

TEST_F(Timers, AFullStoreRefusesNewCallsAndServesTheOld) {
  memory.assign(64 * 1024, 0);  // 512 KiB
  std::vector<Sent> open;
  int refused = 0;
  for (int i = 0; i < 400 && refused == 0; ++i) {
    const auto out = receive(request("INVITE", "sip:bob@127.0.0.1:7001", {}, "z9hG4bKn" + std::to_string(i)), 6000);
    for (const auto& one : out) {
      if (one.to.port == 7001) open.push_back(one);
      if (one.first_line() == "SIP/2.0 503 Service Unavailable") {
        ++refused;
        EXPECT_FALSE(one.header("Retry-After").empty());
      }
    }
  }
  ASSERT_EQ(refused, 1);
  ASSERT_GT(open.size(), 3U);
  for (const auto& sent : open) {
    EXPECT_THAT(lines_of(receive(response(sent, 180), 7001)), ElementsAre("6000 SIP/2.0 180 Whatever"));
    EXPECT_THAT(lines_of(receive(response(sent, 200), 7001)), ElementsAre("6000 SIP/2.0 200 Whatever"));
  }
  EXPECT_GT(proxy->counters().store_full, 0U);
  pass(1min);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

// Takes all the room there is in a store; gives it back at the end.
class Hoard {
 public:
  explicit Hoard(store::Store& store) : store_(store) {
    for (std::uint32_t i = 0; i < store.partition_count(); ++i)
      for (std::size_t size = 8192; size > 0; size /= 2)
        while (const auto blob = store.partition(i).write(std::string(size, 'x'))) blobs_.emplace_back(i, blob);
  }
  ~Hoard() {
    for (const auto& [partition, blob] : blobs_) store_.partition(partition).abandon(blob);
  }

 private:
  store::Store& store_;
  std::vector<std::pair<std::uint32_t, store::BlobRef>> blobs_;
};

TEST_F(Timers, AFinalResponseThatFindsNoRoomIsTriedAgain) {
  receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000);
  {
    // Not at the first try; then it has the room that the request of the branch had.
    const Hoard hoard(*store);
    EXPECT_THAT(lines_of(pass(40s)), testing::Contains("6000 SIP/2.0 408 Request Timeout"));
    EXPECT_GT(proxy->counters().store_full, 0U);
  }
  pass(1min);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(Timers, ATransactionThatNeverFindsRoomForItsAnswerEnds) {
  receive(request("INVITE", "sip:bob@127.0.0.1:7001"), 6000);
  const Hoard hoard(*store);
  pass(5min);
  EXPECT_EQ(proxy->open_transactions(), 0U);
}

}  // namespace
}  // namespace perdure::proxy

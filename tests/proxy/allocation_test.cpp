// The steady state of the worker's path outside Lua takes nothing from the heap.
#include "heap/counting_new.hpp"
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {
namespace {

class Allocation : public ProxyTest {
 protected:
  Allocation() {
    on_request = [](RoutingContext& context) {
      if (context.message->method() == sip::Method::Cancel) return (void)context.relay();
      if (!context.message->to()->tag.empty()) {
        (void)context.loose_route();
        return (void)context.relay();
      }
      context.record_route = true;
      context.target.destination_uri = "sip:127.0.0.1:7001";
      context.armed.failure = "manage_failure";
      context.relay();
    };
    start();
  }

  // One message in, counted; what it leads to is kept for the next.
  void feed(std::string_view text, int from_port) {
    const std::uint64_t before = allocations_of_this_thread();
    proxy->on_received({text, at_port(from_port), 0, 0}, now, outputs);
    spent += allocations_of_this_thread() - before;
    sent.clear();
    for (const auto& send : outputs.sends()) sent.push_back({send.destination, send.socket, std::string(send.bytes)});
    const std::uint64_t settled = allocations_of_this_thread();
    outputs.clear();
    proxy->outputs_sent();
    spent += allocations_of_this_thread() - settled;
  }
  void tick(Duration duration) {
    for (const Time end = now + duration; now < end; now += 10ms) {
      const std::uint64_t before = allocations_of_this_thread();
      proxy->on_tick(now, outputs);
      outputs.clear();
      proxy->outputs_sent();
      spent += allocations_of_this_thread() - before;
    }
  }
  [[nodiscard]] Sent to_gateway() const {
    for (const auto& one : sent)
      if (one.to.port == 7001) return one;
    return {};
  }

  enum class Kind { Answered, Cancelled, Busy };
  void call(int number, Kind kind) {
    const auto id = std::to_string(number);
    auto invite = request("INVITE", "sip:bob@127.0.0.1:5060", {}, "z9hG4bK" + id);
    feed(invite, 6000);
    const Sent forwarded = to_gateway();
    feed(response(forwarded, 100), 7001);
    feed(response(forwarded, 180), 7001);
    feed(response(forwarded, 180), 7001);
    if (kind == Kind::Cancelled) {
      feed(request("CANCEL", "sip:bob@127.0.0.1:5060", {}, "z9hG4bK" + id), 6000);
      feed(response(to_gateway(), 200), 7001);
    }
    if (kind == Kind::Answered) {
      feed(response(forwarded, 200), 7001);
      feed(request("ACK", "sip:gw@127.0.0.1:7001", "Route: <sip:127.0.0.1;lr>\r\n", "z9hG4bKa" + id, "g1"), 6000);
      feed(request("BYE", "sip:gw@127.0.0.1:7001", "Route: <sip:127.0.0.1;lr>\r\n", "z9hG4bKb" + id, "g1"), 6000);
      feed(response(to_gateway(), 200), 7001);
    } else {
      feed(response(forwarded, kind == Kind::Busy ? 486 : 487), 7001);
      feed(request("ACK", "sip:bob@127.0.0.1:5060", {}, "z9hG4bK" + id, "g1"), 6000);
    }
  }

  std::uint64_t spent = 0;
  std::vector<Sent> sent;
};

TEST_F(Allocation, NoneInTheSteadyState) {
  int number = 0;
  const auto round = [&](int calls) {
    for (int i = 0; i < calls; ++i) {
      call(number, static_cast<Kind>(number % 3));
      ++number;
      tick(100ms);
    }
  };
  round(1500);  // 150 s: longer than any transaction lives
  spent = 0;
  round(300);
  EXPECT_EQ(spent, 0U) << "allocations in 300 calls";
}

}  // namespace
}  // namespace perdure::proxy

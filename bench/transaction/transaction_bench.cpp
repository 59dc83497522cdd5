// Timers and the search for a transaction, among as many as a busy server has open.
#include <benchmark/benchmark.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <string>
#include <vector>

#include "transaction/key.hpp"
#include "transaction/timer_wheel.hpp"

namespace perdure::transaction {
namespace {

// Each turn a timer of a transaction is set anew while a hundred thousand others run, and every hundredth turn is a millisecond.
void TimerSet(benchmark::State& state) {
  constexpr std::uint32_t timers = 100000;
  Time now{1s};
  TimerWheel wheel(now);
  for (std::uint32_t id = 0; id < timers; ++id) wheel.schedule(id, now + 32s);
  std::vector<std::uint32_t> due;
  std::uint32_t id = 0, turn = 0;
  for (auto _ : state) {
    id = (id + 7919) % timers;
    wheel.schedule(id, now + 32s);
    if (++turn % 100 == 0) {
      now += 1ms;
      due.clear();
      wheel.advance(now, due, 1000);
    }
  }
}
BENCHMARK(TimerSet);

// The whole life of a timer: set, carried down the levels of the wheel, and due; 20 of them each millisecond.
void TimerSetAndDue(benchmark::State& state) {
  constexpr std::uint32_t each_ms = 20;
  Time now{1s};
  TimerWheel wheel(now);
  std::vector<std::uint32_t> due, idle;
  for (std::uint32_t id = 0; id < 40000 * each_ms; ++id) idle.push_back(id);
  std::uint64_t turn = 0, fired = 0;
  const auto one = [&] {
    wheel.schedule(idle.back(), now + 32s);
    idle.pop_back();
    if (++turn % each_ms != 0) return;
    now += 1ms;
    due.clear();
    wheel.advance(now, due, 1000);
    fired += due.size();
    idle.insert(idle.end(), due.begin(), due.end());
  };
  while (turn < 33000 * each_ms) one();
  for (auto _ : state) one();
  if (fired == 0) state.SkipWithError("no timer was due");
}
BENCHMARK(TimerSetAndDue);

const std::string invite =
    "INVITE sip:bob@192.0.2.20:5062 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n"
    "From: \"Alice\" <sip:alice@example.org>;tag=1928301774\r\nTo: <sip:bob@example.org>\r\nCall-ID: a84b4c76e66710@192.0.2.10\r\n"
    "CSeq: 314159 INVITE\r\nContact: <sip:alice@192.0.2.10:5060>\r\nContent-Length: 0\r\n\r\n";

// From a parsed request to the key of its server transaction.
void Key(benchmark::State& state) {
  sip::Message message;
  if (!message.parse(invite) || !message.top_via()) return state.SkipWithError("not parsed");
  for (auto _ : state) benchmark::DoNotOptimize(server_key(message, 7));
}
BENCHMARK(Key);

// From the branch parameter of a response to its record.
void BranchOfResponse(benchmark::State& state) {
  const auto text = BranchParameter{4711, 0, 12345, 67890}.text();
  for (auto _ : state) benchmark::DoNotOptimize(BranchParameter::parse({text.data(), text.size()}));
}
BENCHMARK(BranchOfResponse);

// A transaction is found, ended, and another begun, in a table of that size of the kind that the proxy uses.
void Table(benchmark::State& state) {
  const auto size = static_cast<std::uint64_t>(state.range(0));
  const auto key_of = [](std::uint64_t number) { return number * 0x9E3779B97F4A7C15ULL; };
  boost::unordered_flat_map<std::uint64_t, store::RecordId> table;
  for (std::uint64_t i = 0; i < size; ++i) table.emplace(key_of(i), store::RecordId{static_cast<std::uint32_t>(i)});
  std::uint64_t oldest = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.find(key_of(oldest + (size / 2))));
    table.erase(key_of(oldest));
    table.emplace(key_of(oldest + size), store::RecordId{1});
    ++oldest;
  }
}
BENCHMARK(Table)->Arg(10000)->Arg(1000000);

}  // namespace
}  // namespace perdure::transaction

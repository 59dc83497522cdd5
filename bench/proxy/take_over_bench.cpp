// Taking over calls that ring: the store is mapped and walked, indexes and timers are made anew. Processor time of all threads, as if they
// ran one after the other; the store's part of it beside it.
#include <benchmark/benchmark.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"

namespace perdure::proxy {
namespace {

constexpr Time begin{Duration(1'000'000)};

SocketAddress at_port(int port) {
  return *SocketAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port));
}

class Relay final : public RouteRunner {
 public:
  bool run(RoutingContext& context, RouteKind kind, std::string_view) override {
    if (kind == RouteKind::Request) context.relay();
    return true;
  }
  void save_variables(RoutingContext&) override {}
};

// One process: a proxy on the file.
struct Process {
  explicit Process(const std::string& path, std::uint64_t max_bytes) {
    ProxyOptions options;
    LocalSocket socket;
    socket.address = at_port(5060);
    socket.advertised_host = "127.0.0.1";
    socket.advertised_port = 5060;
    options.sockets.push_back(socket);
    options.secret = 7;
    store::Options store_options;
    store_options.path = path;
    store_options.max_bytes = max_bytes;
    store_options.boot_id = 1;
    store_options.kinds = store_kinds();
    store_options.monotonic_us = begin.time_since_epoch().count();
    auto opened = store::Store::open(store_options);
    if (!opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str()), std::exit(1);
    store = std::move(*opened);
    proxy = std::make_unique<Proxy>(options, *store, 0, 1, runner, Random(1));
  }
  void receive(const std::string& text, int port, Time now) { proxy->on_received({text, at_port(port), 0, 0}, now, outputs); }
  void sent() {
    outputs.clear();
    proxy->outputs_sent();
  }

  std::unique_ptr<store::Store> store;
  Relay runner;
  std::unique_ptr<Proxy> proxy;
  Outputs outputs;
};

std::string invite(std::uint64_t number) {
  const std::string text = std::to_string(number);
  return "INVITE sip:bob@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK" + text +
         ";rport\r\nMax-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.org>;tag=a" + text +
         "\r\nTo: <sip:bob@example.org>\r\nCall-ID: " + std::to_string(number * 2654435761U) +
         "-call@192.0.2.10\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@127.0.0.1:6000>\r\n" +
         "User-Agent: Phone 1.0\r\nX-Filler: " + std::string(500, 'f') + "\r\nContent-Length: 0\r\n\r\n";
}

// That many calls that ring, begun 2,000 in a second, in a file that goes with it.
class Ringing {
 public:
  explicit Ringing(std::uint64_t calls) : bytes((calls * 6000) + (64 << 20)) {
    Process process(path, bytes);
    process.proxy->attach(begin, process.outputs);
    for (std::uint64_t i = 0; i < calls; ++i) {
      const Time now = begin + i * 500us;
      process.receive(invite(i), 6000, now);
      std::string ringing;
      for (const auto& send : process.outputs.sends())
        if (send.destination.port == 7000) ringing = answer(send.bytes);
      process.sent();
      process.receive(ringing, 7000, now);
      process.sent();
    }
    if (process.proxy->open_transactions() != calls) std::fprintf(stderr, "not all calls ring\n"), std::exit(1);
  }
  ~Ringing() { std::filesystem::remove(path); }

  const std::string path = "/dev/shm/perdure-take-over-" + std::to_string(::getpid());
  const std::uint64_t bytes;

 private:
  static std::string answer(std::string_view sent) {
    std::string text = "SIP/2.0 180 Ringing\r\n";
    text += sent.substr(sent.find("\r\n") + 2);
    const auto to = text.find("\r\n", text.find("\r\nTo:") + 2);
    return text.insert(to, ";tag=b1");
  }
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void BM_TakeOver(benchmark::State& state) {
  const auto calls = static_cast<std::uint64_t>(state.range(0));
  const Ringing ringing(calls);
  double of_store = 0;
  for (auto _ : state) {
    const double began = cpu_seconds();
    Process process(ringing.path, ringing.bytes);
    of_store += cpu_seconds() - began;
    process.proxy->attach(begin, process.outputs);
    state.SetIterationTime(cpu_seconds() - began);
    if (process.proxy->open_transactions() != calls) state.SkipWithError("not all were taken over");
  }
  state.counters["store_ms"] = of_store * 1000 / static_cast<double>(state.iterations());
}
BENCHMARK(BM_TakeOver)->Arg(1000)->Arg(10000)->Arg(100000)->UseManualTime()->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace perdure::proxy

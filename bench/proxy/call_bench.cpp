// CPU time of whole calls through the proxy core, without sockets: INVITE, 180, 200, ACK, BYE, 200, with the routes of a script and
// without.
#include <benchmark/benchmark.h>
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "script/script_runner.hpp"

namespace perdure::proxy {
namespace {

SocketAddress at_port(int port) {
  return *SocketAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port));
}

// What a script would do, without one.
class PlainRunner final : public RouteRunner {
 public:
  bool run(RoutingContext& context, RouteKind kind, std::string_view) override {
    if (kind != RouteKind::Request) return true;
    if (!context.message->to()->tag.empty()) (void)context.loose_route();
    if (context.message->method() == sip::Method::Invite) context.record_route = true;
    context.relay();
    return true;
  }
  void save_variables(RoutingContext&) override {}
};

const std::string sdp =
    "v=0\r\no=- 3878123456 3878123456 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

// The part of a request between the start of Via and the end, as phones send it.
std::string request(std::string_view method, std::uint64_t number, int cseq, std::string_view to_tag, std::string_view routes,
                    std::string_view body) {
  char via[128];
  std::snprintf(via, sizeof via, "z9hG4bK%llu%.*s", static_cast<unsigned long long>(number), static_cast<int>(method.size()),
                method.data());
  std::string text =
      std::string(method) + " sip:bob@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=" + via + ";rport\r\n";
  text += routes;
  text += "Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.org>;tag=a" + std::to_string(number) + "\r\nTo: <sip:bob@example.org>";
  if (!to_tag.empty()) text += ";tag=" + std::string(to_tag);
  text += "\r\nCall-ID: " + std::to_string(number * 2654435761U) + "-call@192.0.2.10\r\nCSeq: " + std::to_string(cseq) + " " +
          std::string(method) + "\r\n";
  text +=
      "Contact: <sip:alice@127.0.0.1:6000>\r\nUser-Agent: Phone 1.0\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, REFER\r\n"
      "Supported: timer, replaces\r\n";
  if (!body.empty()) text += "Content-Type: application/sdp\r\n";
  return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// The response of the callee to a request that came out.
void respond(std::string_view sent, int status, std::string_view reason, std::string_view body, std::string& out) {
  out.assign("SIP/2.0 ").append(std::to_string(status)).append(" ").append(reason).append("\r\n");
  std::size_t at = sent.find("\r\n") + 2;
  while (true) {
    const auto end = sent.find("\r\n", at) + 2;
    const auto line = sent.substr(at, end - at);
    if (line.size() == 2) break;
    if (line.starts_with("To:")) {
      out.append(line.substr(0, line.size() - 2));
      if (line.find(";tag=") == std::string_view::npos) out.append(";tag=b1");
      out.append("\r\n");
    } else if (line.starts_with("Via:") || line.starts_with("From:") || line.starts_with("Call-ID:") || line.starts_with("CSeq:") ||
               line.starts_with("Record-Route:")) {
      out.append(line);
    }
    at = end;
  }
  out.append("Contact: <sip:bob@127.0.0.1:7000>\r\n");
  if (!body.empty()) out.append("Content-Type: application/sdp\r\n");
  out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

// Script: that of the comparison with others. StockScript: one in the shape of Kamailio's own example, with callbacks for branches, replies
// and failures.
enum class Routing : std::uint8_t { None, EmbeddedScript, Script, StockScript };

std::string stock_script() {
  std::ifstream file(PERDURE_BENCH_STOCK_SCRIPT);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const char* place : {"{bob}", "{carol}"})
    if (const auto at = text.find(place); at != std::string::npos) text.replace(at, std::strlen(place), "127.0.0.1:7000");
  return text;
}

class Calls {
 public:
  explicit Calls(Routing routing) {
    ProxyOptions options;
    LocalSocket socket;
    socket.address = at_port(5060);
    socket.advertised_host = "127.0.0.1";
    socket.advertised_port = 5060;
    options.sockets.push_back(socket);
    options.secret = 7;
    options.aliases = {"example.org"};
    store::Options store_options;
    store_options.max_bytes = 4ULL << 30;
    store_options.kinds = store_kinds();
    store_ = std::move(*store::Store::open(store_options));
    script::ScriptOptions script_options;
    if (routing == Routing::Script) script_options.path = PERDURE_BENCH_SCRIPT;
    if (routing == Routing::StockScript) script_options.text = stock_script();
    if (routing == Routing::None)
      runner_ = std::make_unique<PlainRunner>();
    else
      runner_ = std::move(*script::ScriptRunner::create(script_options, 0, Random(1)));
    proxy_ = std::make_unique<Proxy>(options, *store_, 0, 1, *runner_, Random(1));
    proxy_->attach(now_, outputs_);
    outputs_.clear();
  }

  // The messages of one call as both sides send them; what does not come from the proxy's time is made outside the measured part.
  struct Call {
    std::string invite, ringing, ok, ack, bye, bye_ok;
  };

  void receive(const std::string& text, int port) { proxy_->on_received({text, at_port(port), 0, 0}, now_, outputs_); }
  void sent() {
    outputs_.clear();
    proxy_->outputs_sent();
  }
  void tick() {
    now_ += 1ms;
    proxy_->on_tick(now_, outputs_);
    sent();
  }

  std::unique_ptr<store::Store> store_;
  std::unique_ptr<RouteRunner> runner_;
  std::unique_ptr<Proxy> proxy_;
  Outputs outputs_;
  Time now_{Duration(1'000'000)};
};

// Of this thread, so that others on the same core do not count.
std::chrono::nanoseconds cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

constexpr std::uint64_t warm_up = 40000;  // calls; 32 s of them are open in one way or another

// Time per call. 32 calls at a time go step by step, as batches of a busy server do, 1,000 calls per second of the proxy's time. Measured
// when as many old transactions end as new ones begin, so that memory is used again and not asked from the kernel.
void BM_AnsweredCall(benchmark::State& state) {
  Calls calls(static_cast<Routing>(state.range(0)));
  constexpr std::size_t width = 32;
  std::vector<Calls::Call> batch(width);
  std::vector<std::string_view> to_callee;
  std::uint64_t number = 0;
  std::chrono::nanoseconds spent{};
  const auto measured = [&spent](auto&& what) {
    const auto begin = cpu_time();
    what();
    spent += cpu_time() - begin;
  };
  // One message of each call of the batch, made before and followed by what the other side makes of it: neither is measured.
  const auto step = [&](auto&& make, std::string Calls::Call::*message, int port, auto&& then) {
    for (auto& call : batch) make(call);
    measured([&] {
      for (auto& call : batch) calls.receive(call.*message, port);
    });
    to_callee.clear();
    for (const auto& send : calls.outputs_.sends())
      if (send.destination.port == 7000) to_callee.push_back(send.bytes);
    std::size_t at = 0;
    for (auto& call : batch) then(call, to_callee.empty() ? std::string_view{} : to_callee[at++]);
    measured([&] { calls.sent(); });
  };
  const auto nothing = [](auto&&...) {};
  const std::string route = "Route: <sip:127.0.0.1:5060;lr>\r\n";
  const auto round = [&] {
    step([&](Calls::Call& call) { call.invite = request("INVITE", ++number, 1, {}, {}, sdp); }, &Calls::Call::invite, 6000,
         [&](Calls::Call& call, std::string_view sent) {
           respond(sent, 180, "Ringing", {}, call.ringing);
           respond(sent, 200, "OK", sdp, call.ok);
         });
    step(nothing, &Calls::Call::ringing, 7000, nothing);
    step(nothing, &Calls::Call::ok, 7000, nothing);
    std::uint64_t n = number - width;
    step([&](Calls::Call& call) { call.ack = request("ACK", ++n, 1, "b1", route, {}); }, &Calls::Call::ack, 6000, nothing);
    n = number - width;
    step([&](Calls::Call& call) { call.bye = request("BYE", ++n, 2, "b1", route, {}); }, &Calls::Call::bye, 6000,
         [&](Calls::Call& call, std::string_view sent) { respond(sent, 200, "OK", {}, call.bye_ok); });
    step(nothing, &Calls::Call::bye_ok, 7000, nothing);
    measured([&] {
      for (std::size_t i = 0; i < width; ++i) calls.tick();
    });
  };
  while (number < warm_up) round();
  for (auto _ : state) {
    spent = {};
    round();
    state.SetIterationTime(std::chrono::duration<double>(spent).count() / width);
  }
  const auto& counters = calls.proxy_->counters();
  if (counters.responses_2xx != 2 * number || counters.stateless != number) state.SkipWithError("a call did not go through");
  state.counters["open"] = static_cast<double>(calls.proxy_->open_transactions());
  state.counters["bytes_per_open"] =
      static_cast<double>(calls.store_->usage().used_bytes) / static_cast<double>(calls.proxy_->open_transactions());
}
BENCHMARK(BM_AnsweredCall)->ArgName("script")->DenseRange(0, 3)->UseManualTime()->Iterations(3000);

}  // namespace
}  // namespace perdure::proxy

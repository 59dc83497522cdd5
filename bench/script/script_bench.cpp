// What a call into the script costs: the callback itself, and functions of KSR that it calls. Whole routes are in proxy_bench.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "proxy/outputs.hpp"
#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "script/script_runner.hpp"

namespace perdure::script {
namespace {

const std::string invite =
    "INVITE sip:bob@192.0.2.20:5062 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n"
    "From: \"Alice\" <sip:alice@example.org>;tag=1928301774\r\nTo: <sip:bob@example.org>\r\nCall-ID: a84b4c76e66710@192.0.2.10\r\n"
    "CSeq: 314159 INVITE\r\nContact: <sip:alice@127.0.0.1:6000>\r\nUser-Agent: Phone 1.0\r\nContent-Length: 0\r\n\r\n";

// A script in a proxy that has received an INVITE, over and over.
class Scripted {
 public:
  explicit Scripted(std::string text) {
    proxy::ProxyOptions options;
    proxy::LocalSocket socket;
    socket.address = *SocketAddress::parse("127.0.0.1", 5060);
    socket.advertised_host = "127.0.0.1";
    socket.advertised_port = 5060;
    options.sockets.push_back(socket);
    store::Options store_options;
    store_options.max_bytes = 64ULL << 20;
    store_options.kinds = proxy::store_kinds();
    store_ = std::move(*store::Store::open(store_options));
    ScriptOptions script;
    script.text = std::move(text);
    runner_ = std::move(*ScriptRunner::create(script, 0, Random(1)));
    proxy_ = std::make_unique<proxy::Proxy>(options, *store_, 0, 1, *runner_, Random(1));
    context_ = std::make_unique<proxy::RoutingContext>(*proxy_);
    received_.bytes = invite;
    received_.source = *SocketAddress::parse("127.0.0.1", 6000);
  }

  bool run() {
    context_->reset();
    edits_.clear();
    if (!message_.parse(invite)) return false;
    context_->outputs = &outputs_;
    context_->kind = proxy::RouteKind::Request;
    context_->received = &received_;
    context_->message = &message_;
    context_->edits = &edits_;
    return runner_->run(*context_, proxy::RouteKind::Request, {});
  }

 private:
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ScriptRunner> runner_;
  std::unique_ptr<proxy::Proxy> proxy_;
  std::unique_ptr<proxy::RoutingContext> context_;
  proxy::Outputs outputs_;
  proxy::Received received_{};
  sip::Message message_;
  sip::Edits edits_;
};

// `lines` in the request route. The parsing of the message is in it: bench/sip tells what that costs alone.
void route(benchmark::State& state, const std::string& lines) {
  Scripted scripted("function ksr_request_route()\n" + lines + "\nend\n");
  for (auto _ : state)
    if (!scripted.run()) state.SkipWithError("the script failed");
}

void EmptyRoute(benchmark::State& state) {
  route(state, "");
}
BENCHMARK(EmptyRoute);

void TenTests(benchmark::State& state) {
  route(state, "for i = 1, 10 do if KSR.is_BYE() then return end end");
}
BENCHMARK(TenTests);

void TenVariables(benchmark::State& state) {
  route(state, "for i = 1, 10 do if KSR.pv.get('$rU') == 'nobody' then return end end");
}
BENCHMARK(TenVariables);

void HeaderAppended(benchmark::State& state) {
  route(state, "KSR.hdr.append('X-Route: bench\\r\\n')");
}
BENCHMARK(HeaderAppended);

void SanityCheck(benchmark::State& state) {
  route(state, "if KSR.sanity.sanity_check(17895, 7) < 0 then error('malformed') end");
}
BENCHMARK(SanityCheck);

void Exit(benchmark::State& state) {
  route(state, "KSR.x.exit()");
}
BENCHMARK(Exit);

}  // namespace
}  // namespace perdure::script

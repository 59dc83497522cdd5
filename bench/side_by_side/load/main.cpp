// perdure_bench_load: calls through a proxy at a fixed rate; prints what came of them as JSON. bench/README.md says how it measures.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "generator.hpp"

namespace {

using namespace perdure::bench;

nlohmann::json microseconds(const Histogram& histogram) {
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"count", histogram.count()},          {"p50", us(histogram.quantile(0.5))},    {"p90", us(histogram.quantile(0.9))},
          {"p99", us(histogram.quantile(0.99))}, {"p999", us(histogram.quantile(0.999))}, {"max", us(histogram.max())}};
}

nlohmann::json json_of(const GeneratorReport& report) {
  nlohmann::json refused = nlohmann::json::object();
  for (const auto& [status, count] : report.refused) refused[std::to_string(status)] = count;
  return {{"attempted", report.attempted},
          {"good", report.good},
          {"failed", report.failed},
          {"reached", report.reached},
          {"acknowledged", report.acknowledged},
          {"unexpected", report.unexpected},
          {"refused", refused},
          {"invite_retransmissions", report.invite_retransmissions},
          {"calls_retransmitted", report.calls_retransmitted},
          {"other_retransmissions", report.other_retransmissions},
          {"begun", report.begun},
          {"invite_bytes", report.invite_bytes},
          {"messages_sent", report.sent},
          {"messages_received", report.received},
          {"connections_closed", report.connections_closed},
          {"security", report.security},
          {"gap_max_ms", static_cast<double>(report.gap_max_ns) / 1e6},
          {"late_max_ms", static_cast<double>(report.late_max_ns) / 1e6},
          {"generator_busy", report.busy_share},
          {"latency_us",
           {{"invite", microseconds(report.invite)},
            {"ringing", microseconds(report.ringing)},
            {"ok", microseconds(report.ok)},
            {"bye", microseconds(report.bye)}}},
          {"first_response_us", microseconds(report.first_response)},
          {"post_dial_delay_us", microseconds(report.post_dial_delay)}};
}

volatile std::sig_atomic_t stopped = 0;

// What a driver waits for.
void say(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  GeneratorOptions options;
  CLI::App app{"SIP callers and callees around a proxy, calls at a fixed rate"};
  const std::map<std::string, Transport> transports{{"udp", Transport::Udp}, {"tcp", Transport::Tcp}, {"tls", Transport::Tls}};
  unsigned ports = 4, connections = 100;
  app.add_option("--transport", options.transport, "udp, tcp or tls")->transform(CLI::Transformer(transports));
  app.add_option("--proxy", options.proxy_port, "port of the proxy on 127.0.0.1")->required();
  app.add_option("--first-port", options.first_port, "udp: first of the ports of callers; those of callees follow")
      ->check(CLI::Range(10000, 65000));
  app.add_option("--ports", ports, "udp: how many ports callers have, and callees")->check(CLI::Range(1, 64));
  app.add_option("--connections", connections,
                 "tcp, tls: how many connections callers have, and callees; all are opened before the first call")
      ->check(CLI::Range(1, 10000));
  app.add_option("--rate", options.rate, "calls per second")->check(CLI::PositiveNumber);
  app.add_option("--warmup", options.warmup_s, "seconds of calls that are not counted");
  app.add_option("--seconds", options.seconds, "seconds of calls that are counted");
  app.add_option("--grace", options.grace_s, "seconds to wait for the end of the last calls");
  app.add_option("--ring", options.ring_ms, "ms from 180 to 200");
  app.add_option("--hold", options.hold_ms, "ms from ACK to BYE");
  app.add_option("--cancel", options.cancel_percent, "percentage of calls that are cancelled while they ring")->check(CLI::Range(0, 100));
  app.add_option("--idle-sleep", options.idle_sleep_us, "us to sleep when there is nothing to do, for a core that is shared; 0: never");
  app.add_option("--open", options.open, "open so many calls that ring until SIGTERM, instead");
  CLI11_PARSE(app, argc, argv);
  options.lines = options.transport == Transport::Udp ? ports : connections;
  if (options.transport == Transport::Udp && options.first_port == 0) fail("--first-port is missing");
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without asking for none

  Generator generator(options);
  generator.run([](bool begins) { say(begins ? "measuring" : "measured"); });
  if (options.open != 0) {
    std::signal(SIGTERM, [](int) { stopped = 1; });
    say("holding");
    while (stopped == 0) generator.hold(10'000'000);
  }
  say(json_of(generator.report()).dump());
  return 0;
}

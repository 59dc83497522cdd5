// perdure_load: plays callers and gateways against a proxy and judges every call.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "faulty_proxy.hpp"
#include "world.hpp"

namespace {

using namespace load;

struct Report {
  std::map<std::string, std::size_t> failures, kinds;
  std::size_t failed_calls = 0;
  std::vector<std::string> examples;
};

Report report_of(const World& world) {
  Report report;
  for (const auto& type : failure_types) report.failures[type] = 0;
  for (const auto& call : world.calls()) {
    ++report.kinds[kind_names[static_cast<std::size_t>(call.kind)]];
    auto found = world.judge(call);
    if (found.empty()) continue;
    ++report.failed_calls;
    std::set<std::string> distinct(found.begin(), found.end());
    for (const auto& one : distinct) ++report.failures[one];
    if (report.examples.size() >= 20) continue;
    std::string text = fmt::format("{} {} {}:", call.id, kind_names[static_cast<std::size_t>(call.kind)], fmt::join(distinct, ", "));
    for (const auto& line : call.ladder) text += "\n    " + line;
    report.examples.push_back(std::move(text));
  }
  return report;
}

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

int run_load(const Options& options, const std::string& json_path) {
  Network network;
  World world(network, options);
  world.run();
  const auto report = report_of(world);
  fmt::print("{:32} {:>8}\n", "calls", world.calls().size());
  for (const auto& [kind, count] : report.kinds) fmt::print("  {:30} {:>8}\n", kind, count);
  for (const auto& type : failure_types) fmt::print("{:32} {:>8}\n", type, report.failures.at(type));
  fmt::print("{:32} {:>8}\n", "failed calls", report.failed_calls);
  fmt::print("{:32} {:>8}\n", "retransmissions", world.retransmissions());
  fmt::print("{:32} {:>8}\n", "longest wait for an answer, ms", world.longest_wait().count());
  const auto delays = world.post_dial_delays_ms();
  fmt::print("{:32} {:>8.1f} {:>8.1f} {:>8.1f}\n", "post-dial delay p50 p99 max, ms", percentile(delays, 0.5), percentile(delays, 0.99),
             percentile(delays, 1));
  for (const auto& example : report.examples) fmt::print("\n{}\n", example);
  if (!json_path.empty()) {
    const nlohmann::json json = {
        {"calls", world.calls().size()},
        {"kinds", report.kinds},
        {"failures", report.failures},
        {"failed_calls", report.failed_calls},
        {"retransmissions", world.retransmissions()},
        {"longest_wait_ms", world.longest_wait().count()},
        {"post_dial_delay_ms", {{"p50", percentile(delays, 0.5)}, {"p99", percentile(delays, 0.99)}, {"max", percentile(delays, 1)}}}};
    std::ofstream(json_path) << json.dump(2) << '\n';
  }
  return report.failed_calls == 0 ? 0 : 1;
}

// Each fault must be called by its name, and a proxy without fault must pass.
int run_selftest() {
  int wrong = 0;
  for (const auto& [fault, name, failure] : faults) {
    Network network;
    std::vector<std::uint16_t> gateways;
    {  // free ports: taken and given back
      Network probe;
      for (int i = 0; i < 2; ++i) gateways.push_back(probe.port(probe.open(0, [](std::string_view, std::uint16_t) {})));
    }
    FaultyProxy proxy(network, gateways, fault);
    Options options;
    options.proxy_port = proxy.port();
    options.gateway_ports = gateways;
    options.calls = 40;
    options.rate = 400;
    options.mix = {50, 40, 10, 0};
    options.ring_least = milliseconds(40);
    options.ring_most = milliseconds(80);
    options.hold = milliseconds(40);
    options.back_to_back = fault == Fault::Overtake;
    options.grace = milliseconds(1500);
    World world(network, options);
    world.run();
    const auto report = report_of(world);
    const bool right = fault == Fault::None ? report.failed_calls == 0 : report.failures.count(failure) && report.failures.at(failure) > 0;
    fmt::print("{:36} {:>4} failed calls, \"{}\": {}\n", name, report.failed_calls, failure, right ? "noticed" : "NOT NOTICED");
    if (!right) {
      ++wrong;
      for (const auto& example : report.examples) fmt::print("{}\n", example);
    }
  }
  fmt::print("{} faults, {} not noticed\n", std::size(faults) - 1, wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Plays callers and gateways against a proxy and judges every call."};
  Options options;
  long ring_least = 300, ring_most = 1500, hold = 400, grace = 40000;
  std::vector<int> mix = {50, 30, 10, 10};
  std::string json;
  bool selftest = false;
  app.add_flag("--selftest", selftest, "see that each kind of failure is noticed");
  app.add_option("--proxy", options.proxy_port, "port of the proxy on 127.0.0.1");
  app.add_option("--gateways", options.gateway_ports, "ports to listen on as gateways")->delimiter(',');
  app.add_option("--calls", options.calls);
  app.add_option("--rate", options.rate, "calls per second");
  app.add_option("--callers", options.callers, "sockets of callers");
  app.add_option("--mix", mix, "percent answered, cancelled, busy, failover")->delimiter(',')->expected(4);
  app.add_option("--ring-least", ring_least, "ms");
  app.add_option("--ring-most", ring_most, "ms");
  app.add_option("--hold", hold, "ms from answer to BYE");
  app.add_option("--grace", grace, "ms after the last start until the verdict");
  app.add_flag("--back-to-back", options.back_to_back, "180 and 200 within the same millisecond");
  app.add_flag("--cancels-only", options.cancels_only, "judge CANCEL and ACK only");
  app.add_option("--json", json, "file for the report");
  CLI11_PARSE(app, argc, argv);
  if (selftest) return run_selftest();
  std::copy(mix.begin(), mix.end(), options.mix.begin());
  options.ring_least = milliseconds(ring_least);
  options.ring_most = milliseconds(ring_most);
  options.hold = milliseconds(hold);
  options.grace = milliseconds(grace);
  return run_load(options, json);
}

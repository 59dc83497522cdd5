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
  std::size_t failed_calls = 0, refused = 0;
  std::map<std::string, std::vector<std::string>> examples;  // at most `examples_per_failure` of each
};
constexpr const char* retransmitted = "retransmitted";  // no failure, but examples are of use
constexpr std::size_t examples_per_failure = 20, examples_shown = 20;

std::string story(const Call& call, std::string_view what) {
  return fmt::format("{} {} {}:\n    {}", call.id, kind_names[static_cast<std::size_t>(call.kind)], what, fmt::join(call.ladder, "\n    "));
}

Report report_of(const World& world) {
  Report report;
  for (const auto& type : failure_types) report.failures[type] = 0;
  for (const auto& call : world.calls()) {
    ++report.kinds[kind_names[static_cast<std::size_t>(call.kind)]];
    const auto found = world.judge(call);
    std::set<std::string> distinct(found.begin(), found.end());
    if (!distinct.empty()) ++report.failed_calls;
    if (world.is_refused(call)) ++report.refused;
    for (const auto& one : distinct) ++report.failures[one];
    if (call.retransmitted) distinct.insert(retransmitted);
    for (const auto& one : distinct)
      if (auto& examples = report.examples[one]; examples.size() < examples_per_failure)
        examples.push_back(story(call, fmt::format("{}", fmt::join(distinct, ", "))));
  }
  return report;
}

// A call that failed in several ways is shown once.
void print_examples(const Report& report) {
  std::set<std::string> shown;
  for (const auto& [failure, examples] : report.examples) {
    if (failure == retransmitted) continue;
    for (const auto& example : examples)
      if (shown.size() < examples_shown && shown.insert(example).second) fmt::print("\n{}\n", example);
  }
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
  if (options.refusals) fmt::print("{:32} {:>8}\n", "refused calls", report.refused);
  fmt::print("{:32} {:>8}\n", "retransmissions", world.retransmissions());
  fmt::print("{:32} {:>8}\n", "longest wait for an answer, ms", world.longest_wait().count());
  const auto delays = world.post_dial_delays_ms();
  fmt::print("{:32} {:>8.1f} {:>8.1f} {:>8.1f}\n", "post-dial delay p50 p99 max, ms", percentile(delays, 0.5), percentile(delays, 0.99),
             percentile(delays, 1));
  print_examples(report);
  if (!json_path.empty()) {
    const nlohmann::json json = {
        {"calls", world.calls().size()},
        {"kinds", report.kinds},
        {"failures", report.failures},
        {"examples", report.examples},
        {"failed_calls", report.failed_calls},
        {"refused_calls", report.refused},
        {"retransmissions", world.retransmissions()},
        {"longest_wait_ms", world.longest_wait().count()},
        {"post_dial_delay_ms", {{"p50", percentile(delays, 0.5)}, {"p99", percentile(delays, 0.99)}, {"max", percentile(delays, 1)}}}};
    std::ofstream(json_path) << json.dump(2) << '\n';
  }
  return report.failed_calls == 0 ? 0 : 1;
}

Options selftest_options(Fault fault, std::uint16_t proxy, std::vector<std::uint16_t> gateways) {
  Options options;
  options.proxy_port = proxy;
  options.gateway_ports = std::move(gateways);
  options.calls = 40;
  options.rate = 400;
  options.mix = {40, 30, 15, 15};
  options.ring_least = milliseconds(40);
  options.ring_most = milliseconds(80);
  options.hold = milliseconds(40);
  options.back_to_back = fault == Fault::Overtake;
  options.grace = milliseconds(1500);
  return options;
}

// A fault must raise its counter, and no other than those that follow from it; a proxy without fault raises none.
bool noticed(const FaultName& fault) {
  Network network;
  std::vector<std::uint16_t> gateways;
  {  // free ports: taken and given back
    Network probe;
    for (int i = 0; i < 2; ++i) gateways.push_back(probe.port(probe.open(0, [](std::string_view, std::uint16_t) {})));
  }
  const FaultyProxy proxy(network, gateways, fault.fault);
  World world(network, selftest_options(fault.fault, proxy.port(), gateways));
  world.run();
  const auto report = report_of(world);
  bool right = fault.failure.empty() || report.failures.at(fault.failure) > 0;
  std::string counters;
  for (const auto& [failure, count] : report.failures) {
    if (count == 0) continue;
    counters += fmt::format("{}{} {}", counters.empty() ? "" : ", ", count, failure);
    right = right && (failure == fault.failure || std::ranges::count(fault.besides, failure) > 0);
  }
  fmt::print("{:34} {:14} {}\n", fault.name, right ? "noticed" : "NOT AS IT IS", counters);
  if (!right) print_examples(report);
  return right;
}

int run_selftest() {
  const auto wrong = std::ranges::count_if(faults(), [](const FaultName& fault) { return !noticed(fault); });
  std::set<std::string> provoked;
  for (const auto& fault : faults()) provoked.insert(fault.failure);
  const auto unprovoked = std::ranges::count_if(failure_types, [&](const std::string& type) { return !provoked.contains(type); });
  fmt::print("{} faults, {} not noticed as what they are; {} kinds of failure not provoked\n", faults().size() - 1, wrong, unprovoked);
  return wrong == 0 && unprovoked == 0 ? 0 : 1;
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
  app.add_flag("--refusals", options.refusals, "a call that is answered with 503 and reaches no gateway is no failure");
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

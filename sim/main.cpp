// perdure_sim: runs worlds by their seeds. docs/simulator.md says what is simulated and checked.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "sim/world.hpp"

namespace {

using namespace perdure::sim;

std::string command(const WorldOptions& options) {
  return fmt::format("./dev sim --seed {} --calls {}{}", options.seed, options.calls, options.script ? " --script" : "");
}

void show(const WorldOptions& options, const WorldReport& report) {
  fmt::print("seed {}: {} violations; replay: {}\n", options.seed, report.violations.size(), command(options));
  for (std::size_t i = 0; i < report.violations.size() && i < 10; ++i)
    fmt::print("  [{}] {} {}\n", report.violations[i].checker, report.violations[i].call_id, report.violations[i].text);
  if (!report.ladder.empty()) fmt::print("{}\n", report.ladder);
}

// Every canary must be caught by its checker, and without one nothing may be.
int run_canaries(WorldOptions options) {
  int failed = 0;
  for (const auto& kind : canary_kinds()) {
    options.canary = kind.canary;
    const auto report = run_world(options);
    const bool caught = kind.canary == Canary::None
                            ? report.violations.empty()
                            : std::ranges::any_of(report.violations, [&](const Violation& one) { return one.checker == kind.checker; });
    fmt::print("{:<20} {}\n", kind.name, caught ? "as it must be" : "NOT NOTICED by " + std::string(kind.checker));
    failed += !caught;
  }
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  WorldOptions options;
  std::uint64_t seeds = 1;
  unsigned jobs = 2;
  bool canaries = false;
  std::string seed_file;
  CLI::App app{"Calls through the proxy on a simulated network with faults"};
  app.add_option("--seed", options.seed, "the first seed; the same seed gives the same run");
  app.add_option("--seeds", seeds, "how many seeds, from the first on");
  app.add_option("--calls", options.calls, "calls of each seed");
  app.add_option("--jobs", jobs, "seeds at a time")->check(CLI::Range(1, 64));
  app.add_flag("--script", options.script, "route by a script in every seed, not just in every tenth");
  app.add_flag("--canaries", canaries, "put bugs in on purpose: each must be noticed");
  app.add_option("--seed-file", seed_file, "a file of seeds that failed once, instead");
  CLI11_PARSE(app, argc, argv);
  if (canaries) return run_canaries(options);

  std::vector<std::uint64_t> list;
  if (seed_file.empty()) {
    for (std::uint64_t i = 0; i < seeds; ++i) list.push_back(options.seed + i);
  } else {
    std::ifstream file(seed_file);
    for (std::string line; std::getline(file, line);)
      if (std::uint64_t seed = 0; std::istringstream(line) >> seed) list.push_back(seed);
  }
  const auto begun = std::chrono::steady_clock::now();
  std::atomic<std::size_t> next{0};
  std::mutex printing;
  WorldReport sum;
  std::size_t failed = 0;
  const auto work = [&] {
    for (std::size_t i = next.fetch_add(1); i < list.size(); i = next.fetch_add(1)) {
      WorldOptions one = options;
      one.seed = list[i];
      const auto report = run_world(one);
      const std::scoped_lock lock(printing);
      if (!report.violations.empty()) {
        ++failed;
        show(one, report);
      }
      sum.calls += report.calls;
      sum.answered += report.answered;
      sum.cancelled += report.cancelled;
      sum.crashes += report.crashes;
      sum.restarts += report.restarts;
      sum.upgrades += report.upgrades;
      sum.refused += report.refused;
      sum.misbehaving += report.misbehaving;
      sum.packets += report.packets;
      sum.lost += report.lost;
      sum.digest ^= report.digest;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < jobs; ++i) threads.emplace_back(work);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  fmt::print(
      "{} seeds, {} calls ({} answered, {} cancelled, {} by callers that misbehave, {} refused by a full store), {} crashes, {} restarts, "
      "{} "
      "upgrades, {} datagrams, {} of them lost; {:.0f} s; digest {:016x}\n",
      list.size(), sum.calls, sum.answered, sum.cancelled, sum.misbehaving, sum.refused, sum.crashes, sum.restarts, sum.upgrades,
      sum.packets, sum.lost, seconds.count(), sum.digest);
  fmt::print("{} passed, {} failed\n", list.size() - failed, failed);
  return failed ? 1 : 0;
}

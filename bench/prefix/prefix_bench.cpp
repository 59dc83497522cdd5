// The longest prefix of a number among many, and what they take.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "prefix/tree.hpp"

namespace perdure::prefix {
namespace {

std::string digits(Random& random, std::size_t least, std::size_t most) {
  std::string text;
  for (std::size_t i = least + random.below(most - least + 1); i > 0; --i) text += static_cast<char>('0' + random.below(10));
  return text;
}

// Prefixes of 4 to 9 digits with 200 values, as a list of rates has them.
Tree tree_of(std::size_t count) {
  Random random(1);
  std::string text;
  std::vector<std::string> prefixes;
  while (prefixes.size() < count) {
    for (std::size_t missing = count - prefixes.size(); missing > 0; --missing) prefixes.push_back(digits(random, 4, 9));
    std::ranges::sort(prefixes);
    prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  }
  for (const auto& one : prefixes) text += one + " carrier-" + std::to_string(random.below(200)) + "\n";
  return std::move(*Tree::parse(text, {.name = "t", .file = {}}, "t"));
}

void longest(benchmark::State& state) {
  const Tree tree = tree_of(static_cast<std::size_t>(state.range(0)));
  Random random(2);
  std::vector<std::string> numbers;
  for (int i = 0; i < 4096; ++i) numbers.push_back(digits(random, 11, 13));
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(tree.prefixes().longest(numbers[i++ % numbers.size()]));
  state.counters["bytes_per_prefix"] = static_cast<double>(tree.memory_bytes()) / static_cast<double>(state.range(0));
}
BENCHMARK(longest)->Arg(1'000)->Arg(30'000)->Arg(300'000)->Arg(3'000'000);

void load(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(tree_of(static_cast<std::size_t>(state.range(0))));
}
BENCHMARK(load)->Arg(300'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace perdure::prefix

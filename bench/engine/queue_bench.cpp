// The hand-over of a datagram from the worker that read it to the worker that owns its call.
#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <thread>

#include "engine/worker.hpp"

namespace perdure::engine {
namespace {

void pin(pthread_t thread, unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(thread, sizeof set, &set);
}

// In one thread: the instructions alone.
void PushAndPop(benchmark::State& state) {
  const auto queue = std::make_unique<HandOver>();
  for (auto _ : state) {
    if (!queue->push({})) state.SkipWithError("full");
    benchmark::DoNotOptimize(queue->pop());
  }
}
BENCHMARK(PushAndPop);

// To a thread on another core and back: two hand-overs with the way of the cache lines between the cores.
void ThereAndBack(benchmark::State& state) {
  if (std::thread::hardware_concurrency() < 2) return state.SkipWithError("needs two cores");
  const auto there = std::make_unique<HandOver>(), back = std::make_unique<HandOver>();
  std::atomic<bool> end{false};
  cpu_set_t before;
  pthread_getaffinity_np(pthread_self(), sizeof before, &before);
  std::thread other([&] {
    while (!end.load(std::memory_order_relaxed))
      if (const auto slot = there->pop())
        while (!back->push(*slot)) {
        }
  });
  pin(pthread_self(), 0);
  pin(other.native_handle(), 1);
  for (auto _ : state) {
    if (!there->push({})) state.SkipWithError("full");
    while (!back->pop()) {
    }
  }
  end = true;
  other.join();
  pthread_setaffinity_np(pthread_self(), sizeof before, &before);
}
BENCHMARK(ThereAndBack)->UseRealTime();

}  // namespace
}  // namespace perdure::engine

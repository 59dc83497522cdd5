#include "edge/connections/connections.hpp"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <utility>

namespace perdure::edge {
namespace {

constexpr Duration turn_max = 250ms;

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

Connections::Connections(ConnectionOptions options, RingRegion& rings, std::uint32_t generation)
    : hub_(std::move(options), rings, generation) {}

Connections::~Connections() {
  stop({});
}

void Connections::start() {
  raise_descriptor_limit();
  thread_ = std::thread([this] { run(); });
}

void Connections::run() {
  (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);  // ns; by default a sleep takes 50 us longer than asked for
  (void)pthread_setname_np(pthread_self(), "connections");
  while (!ending_.load(std::memory_order_acquire) && !leaving_.load(std::memory_order_acquire)) {
    hub_.turn(has_posted_.load(std::memory_order_acquire) ? Duration{} : turn_max);
    run_posted();
  }
  if (leaving_.load(std::memory_order_acquire)) return;
  hub_.end();
  while (!hub_.has_ended() && std::chrono::steady_clock::now() < end_at_) hub_.turn(10ms);
  run_posted();
}

void Connections::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void(Hub&)>> posted;
  {
    const std::scoped_lock lock(mutex_);
    posted.swap(posted_);
    has_posted_.store(false, std::memory_order_release);
  }
  for (const auto& f : posted) f(hub_);
}

void Connections::post(std::function<void(Hub&)> f) {
  if (!thread_.joinable()) return f(hub_);
  {
    const std::scoped_lock lock(mutex_);
    posted_.push_back(std::move(f));
    has_posted_.store(true, std::memory_order_release);
  }
  hub_.interrupt();
}

HandedConnections Connections::give_away(Relay& relay) {
  if (thread_.joinable()) {
    leaving_.store(true, std::memory_order_release);
    hub_.interrupt();
    thread_.join();
    leaving_.store(false, std::memory_order_release);
  }
  run_posted();
  return hub_.give_away(relay);
}

void Connections::take(HandedConnections handed) {
  hub_.take(std::move(handed));
  start();
}

void Connections::stop(Duration longest) {
  if (!thread_.joinable()) return;
  end_at_ = std::chrono::steady_clock::now() + longest;
  ending_.store(true, std::memory_order_release);
  hub_.interrupt();
  thread_.join();
}

}  // namespace perdure::edge

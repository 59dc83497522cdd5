#include "engine/worker.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstddef>

#include "base/assert.hpp"
#include "engine/clock.hpp"

namespace perdure::engine {
namespace {

constexpr Duration tick_interval = 50ms, heartbeat_interval = 5ms;
constexpr int longest_wait_ms = 50;  // so that the watchdog sees a worker tick
constexpr int full_wait_ms = 1;      // while every receive slot waits for another worker
constexpr std::uint32_t wake_event = UINT32_MAX, ring_event = UINT32_MAX - 1;

using CounterWords = std::array<std::uint64_t, sizeof(EngineCounters) / sizeof(std::uint64_t)>;
static_assert(std::tuple_size_v<CounterWords> <= metrics::engine_words_max);

// What is true now, not since the beginning.
bool is_gauge(std::size_t word) {
  return word == offsetof(EngineCounters, open_transactions) / sizeof(std::uint64_t) ||
         word == offsetof(EngineCounters, waiting) / sizeof(std::uint64_t);
}

}  // namespace

Worker::Worker(Engine& engine, std::uint32_t index, const proxy::Stores& stores)
    : engine_(engine),
      index_(index),
      count_(engine.options_.workers),
      region_(*engine.options_.region),
      mark_(region_.mark(index)),
      own_block_(engine.options_.metrics ? nullptr : std::make_unique<metrics::WorkerBlock>()),
      block_(own_block_ ? *own_block_ : engine.options_.metrics->worker(index)),
      measures_(block_),
      runner_(std::make_unique<TimedRunner>(engine.options_.make_runner(index), block_)),
      proxy_(std::make_unique<proxy::Proxy>(engine.options_.proxy, stores, index, count_, *runner_, Random(engine.options_.seed + index))) {
  proxy_->set_record_mark(&mark_.record);
  proxy_->set_observer(measures_);
  for (std::size_t i = 0; i < before_.size(); ++i)
    if (!is_gauge(i)) before_[i] = block_.engine[i].get();
  runner_->set_mailbox(*this);
  proxy_->set_mailbox(*this);
  proxy_->set_neighbours([this](std::uint32_t worker, std::function<void(proxy::Proxy&, Time, proxy::Outputs&)> order) {
    engine_.workers_[worker]->post(std::move(order));
  });
  for (std::uint32_t i = 0; i < count_; ++i) queues_.push_back(std::make_unique<HandOver>());
  for (std::size_t i = index; i < engine.options_.sockets.size(); i += count_) sockets_.push_back(engine.options_.sockets[i]);
  readable_.resize(sockets_.size());
  notify_.resize(count_);
  done_.reserve(edge::slots_per_worker * std::size_t{count_});
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  PERDURE_ASSERT(epoll_ >= 0 && event_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = wake_event;
  (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event);
  if (engine.options_.rings) {
    rings_.emplace(*engine.options_.rings, index);
    event.data.u32 = ring_event;
    (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, rings_->event(), &event);
  }
  if (engine.trace_) trace_.emplace(engine.trace_->ring(index), engine.options_.proxy.sockets);
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    if (sockets_[i] < 0) continue;
    event.data.u32 = i;
    (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, sockets_[i], &event);
  }
}

Worker::~Worker() {
  request_stop();
  join();
  close(epoll_);
  close(event_);
}

void Worker::attach(Time now) {
  now_ = now;
  again_ = true;
  if (rings_) old_messages_end_ = rings_->published();
  proxy_->attach(now, outputs_);
  if (engine_.options_.on_worker_attached) engine_.options_.on_worker_attached(index_, now, *proxy_, outputs_);
  finish_batch();
}

void Worker::trace_start(std::uint64_t id, std::string_view why) {
  if (trace_) trace_->started(id, why);
}

void Worker::redeliver(edge::SlotId slot) {
  redelivered_.push_back(slot);
}

void Worker::start(std::uint64_t first_sequence) {
  sequence_ = first_sequence;
  for (std::uint32_t batch = 0; batch < edge::batches_per_worker; ++batch) region_.adopt(index_, batch);
  tick();
  publish();
  thread_ = std::thread([this] { run(); });
}

void Worker::post(std::function<void(proxy::Proxy&, Time, proxy::Outputs&)> f) {
  {
    const std::scoped_lock lock(mailbox_mutex_);
    mailbox_.push_back(std::move(f));
    mail_.store(true, std::memory_order_release);
  }
  wake();
}

void Worker::wake() {
  const std::uint64_t one = 1;
  (void)!write(event_, &one, sizeof one);
}

void Worker::request_stop() {
  stop_.store(true, std::memory_order_release);
  wake();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::tick() {
  mark_.tick_us.store(static_cast<std::uint64_t>(monotonic_us()), std::memory_order_relaxed);
}

void Worker::run() {
  (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);  // ns; by default a sleep takes 50 us longer than asked for
  (void)pthread_setname_np(pthread_self(), fmt::format("worker-{}", index_).c_str());
  process_redelivered();
  while (!stop_.load(std::memory_order_acquire)) turn();
  // What the edge has handed over by now; the next engine finds the rest.
  for (std::uint64_t end = rings_ ? rings_->published() : 0; rings_ && rings_->cursor() < end && take_message();) finish_batch();
  // Nobody reads any more when the last one is here; what they have read for each other before that is done to the end.
  engine_.reading_.fetch_sub(1, std::memory_order_acq_rel);
  for (bool last = false; !last;) {
    last = engine_.reading_.load(std::memory_order_acquire) == 0;
    if (!last) (void)wait_for_event(full_wait_ms);
    tick();
    now_ = engine_.now();
    received_ns_ = monotonic_ns();
    take_over();
    finish_batch();
  }
  publish();
  mark_.tick_us.store(0, std::memory_order_relaxed);
}

// One at a time, so that nobody is blamed together with another. In this thread, so that the watchdog sees it when one hangs the engine.
void Worker::process_redelivered() {
  for (const auto slot : redelivered_) {
    tick();
    now_ = engine_.now();
    received_ns_ = monotonic_ns();
    process(slot);
    finish_batch();
  }
  redelivered_ = {};
  while (rings_ && rings_->cursor() < old_messages_end_) {
    tick();
    now_ = engine_.now();
    received_ns_ = monotonic_ns();
    if (!take_message()) break;
    finish_batch();
  }
  again_ = false;
}

// Waits for the eventfd only.
bool Worker::wait_for_event(int wait_ms) {
  pollfd waiting{event_, POLLIN, 0};
  return poll(&waiting, 1, wait_ms) > 0;
}

bool Worker::has_work() const {
  if (mail_.load(std::memory_order_acquire) || stop_.load(std::memory_order_acquire)) return true;
  for (const auto& queue : queues_)
    if (!queue->empty()) return true;
  return rings_ && !rings_->empty();
}

int Worker::wait_ms() {
  const Time next = std::min(proxy_->next_deadline(), next_tick_);
  const Time now = engine_.now();
  if (next <= now) return 0;
  return static_cast<int>(std::min<std::int64_t>((next - now + 999us) / 1ms, longest_wait_ms));
}

// To be woken costs several times what a datagram costs. When they come closer together than `gather`, they are let gather so long: a
// worker turns at most once in that time, and less often wakes for one datagram (docs/decisions/0006). Returns at once unless the last
// datagrams came soon after those before. What is handed over meanwhile waits, too; messages of connections do not, they have gathered at
// the edge while it read.
void Worker::gather() {
  if (!std::exchange(gathering_, false)) return;
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(turn_begin_ + engine_.options_.gather - engine_.now());
  if (left <= 0ns) return;
  const timespec pause{0, left.count()};
  if (!rings_) return (void)nanosleep(&pause, nullptr);
  rings_->set_sleeping(true);
  pollfd waiting{rings_->event(), POLLIN, 0};
  if (rings_->empty()) (void)ppoll(&waiting, 1, &pause, nullptr);
  rings_->set_sleeping(false);
}

void Worker::turn() {
  tick();
  gather();
  const Time waiting_since = engine_.now();
  wait();
  now_ = turn_begin_ = engine_.now();
  received_ns_ = monotonic_ns();
  const std::uint64_t before = local_.datagrams_received + local_.ring_received;
  ++local_.turns;
  take_over();
  for (std::uint16_t socket = 0; socket < sockets_.size(); ++socket)
    if (std::exchange(readable_[socket], std::uint8_t{0})) receive(socket);
  if (rings_) receive_messages();
  const std::uint64_t received = local_.datagrams_received + local_.ring_received - before;
  gathering_ = received > 0 && received < edge::batch_size && now_ - waiting_since < engine_.options_.gather;
  proxy_->on_tick(now_, outputs_);
  if (now_ >= next_tick_) {
    next_tick_ = now_ + tick_interval;
    if (engine_.options_.on_worker_tick) engine_.options_.on_worker_tick(index_, now_, *proxy_, outputs_);
  }
  if (mail_.load(std::memory_order_acquire)) run_mailbox();
  finish_batch();
  if (index_ == 0 && now_ >= next_heartbeat_) {
    next_heartbeat_ = now_ + heartbeat_interval;
    engine_.surviving().heartbeat(now_, wall_us());
  }
  publish();
}

// Until something can be read, is handed over or is due; notes which sockets can be read.
void Worker::wait() {
  int milliseconds = wait_ms();
  if (milliseconds > 0) {
    // Whoever hands over changes `sleeping_` after its push; we look at the queues after changing it. Read-modify-writes only: the later of
    // the two sees what the other did before.
    (void)sleeping_.exchange(true, std::memory_order_acq_rel);
    if (rings_) rings_->set_sleeping(true);
    if (has_work()) milliseconds = 0;
  }
  if (std::exchange(full_, false)) {
    // The sockets are readable, and there is no slot to read into: epoll would return at once, again and again.
    (void)wait_for_event(std::min(milliseconds, full_wait_ms));
    milliseconds = 0;
  }
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
  (void)sleeping_.exchange(false, std::memory_order_acq_rel);
  if (rings_) rings_->set_sleeping(false);
  for (int i = 0; i < count; ++i) {
    const std::uint32_t source = events[static_cast<std::size_t>(i)].data.u32;
    if (source < ring_event) {
      readable_[source] = 1;
      continue;
    }
    std::uint64_t ignored = 0;
    (void)!read(source == wake_event ? event_ : rings_->event(), &ignored, sizeof ignored);
  }
}

void Worker::run_mailbox() {
  std::vector<std::function<void(proxy::Proxy&, Time, proxy::Outputs&)>> mail;
  {
    const std::scoped_lock lock(mailbox_mutex_);
    mail.swap(mailbox_);
    mail_.store(false, std::memory_order_release);
  }
  for (auto& f : mail) f(*proxy_, now_, outputs_);
}

void Worker::publish() {
  local_.proxy = proxy_->counters();
  local_.open_transactions = proxy_->open_transactions();
  local_.waiting = proxy_->waiting();
  const auto words = std::bit_cast<CounterWords>(local_);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (const auto value = before_[i] + words[i]; block_.engine[i].get() != value) block_.engine[i].set(value);
}

EngineCounters Worker::counters() const {
  CounterWords words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = block_.engine[i].get() - before_[i];
  return std::bit_cast<EngineCounters>(words);
}

void Worker::set_gateways(std::shared_ptr<const metrics::Gateways> gateways) {
  post([this, gateways = std::move(gateways)](proxy::Proxy&, Time, proxy::Outputs&) { measures_.set_gateways(gateways); });
}

}  // namespace perdure::engine

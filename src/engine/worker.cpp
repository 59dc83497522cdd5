#include "engine/worker.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>

#include "base/assert.hpp"

namespace perdure::engine {
namespace {

constexpr Duration tick_interval = 50ms, heartbeat_interval = 5ms;
constexpr int longest_wait_ms = 50;  // so that the watchdog sees a worker tick
constexpr std::uint32_t wake_event = UINT32_MAX;

std::uint64_t monotonic_us() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Worker::Worker(Engine& engine, std::uint32_t index, const proxy::Stores& stores)
    : engine_(engine),
      index_(index),
      count_(engine.options_.workers),
      region_(*engine.options_.region),
      mark_(region_.mark(index)),
      runner_(engine.options_.make_runner(index)),
      proxy_(std::make_unique<proxy::Proxy>(engine.options_.proxy, stores, index, count_, *runner_, Random(engine.options_.seed + index))) {
  proxy_->set_record_mark(&mark_.record);
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
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
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
  proxy_->attach(now, outputs_);
  finish_batch();
}

void Worker::redeliver(edge::SlotId slot, Time now) {
  now_ = now;
  process(slot);
  finish_batch();
}

void Worker::start(std::uint64_t first_sequence) {
  sequence_ = first_sequence;
  for (std::uint32_t batch = 0; batch < edge::batches_per_worker; ++batch) region_.adopt(index_, batch);
  mark_.tick_us.store(monotonic_us(), std::memory_order_relaxed);
  publish();
  thread_ = std::thread([this] { run(); });
}

void Worker::post(std::function<void(proxy::Proxy&)> f) {
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

void Worker::run() {
  while (!stop_.load(std::memory_order_acquire)) turn();
  mark_.tick_us.store(0, std::memory_order_relaxed);
}

bool Worker::has_work() const {
  if (mail_.load(std::memory_order_acquire) || stop_.load(std::memory_order_acquire)) return true;
  for (const auto& queue : queues_)
    if (!queue->empty()) return true;
  return false;
}

int Worker::wait_ms() {
  const Time next = std::min(proxy_->next_deadline(), next_tick_);
  const Time now = engine_.now();
  if (next <= now) return 0;
  return static_cast<int>(std::min<std::int64_t>((next - now + 999us) / 1ms, longest_wait_ms));
}

void Worker::turn() {
  mark_.tick_us.store(monotonic_us(), std::memory_order_relaxed);
  int wait = wait_ms();
  if (wait > 0) {
    // Whoever hands over looks at `sleeping_` after its push; we look at the queues after setting it. One of the two sees the other.
    sleeping_.store(true, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (has_work()) wait = 0;
  }
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
  sleeping_.store(false, std::memory_order_relaxed);
  now_ = engine_.now();
  ++local_.turns;
  for (int i = 0; i < count; ++i) {
    if (events[static_cast<std::size_t>(i)].data.u32 == wake_event) {
      std::uint64_t ignored = 0;
      (void)!read(event_, &ignored, sizeof ignored);
    } else {
      readable_[events[static_cast<std::size_t>(i)].data.u32] = 1;
    }
  }
  take_over();
  for (std::uint16_t socket = 0; socket < sockets_.size(); ++socket)
    if (std::exchange(readable_[socket], std::uint8_t{0})) (void)receive(socket);
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

// Reads one batch of a socket. What belongs to another worker goes to its queue; it finishes the slot.
bool Worker::receive(std::uint16_t socket) {
  std::uint32_t batch = next_batch_;
  for (std::uint32_t step = 0; !region_.is_free(index_, batch); ++step) {
    if (step == edge::batches_per_worker) return false;  // the others are behind: the kernel keeps the rest
    batch = (batch + 1) % edge::batches_per_worker;
  }
  next_batch_ = (batch + 1) % edge::batches_per_worker;
  region_.prepare(index_, batch, socket, sequence_);
  sequence_ += edge::batch_size;
  const int count = recvmmsg(sockets_[socket], region_.headers(index_, batch), edge::batch_size, MSG_DONTWAIT, nullptr);
  if (count <= 0) return false;
  local_.datagrams_received += static_cast<std::uint64_t>(count);
  const std::uint32_t partitions = engine_.partition_count();
  for (int i = 0; i < count; ++i) {
    const edge::SlotId slot{index_, batch * edge::batch_size + static_cast<std::uint32_t>(i)};
    const std::uint32_t owner = count_ == 1 ? 0 : proxy::partition_of(region_.bytes(slot), partitions) % count_;
    if (owner == index_) {
      process(slot);
    } else if (region_.length(slot) != 0) {
      const bool pushed = engine_.workers_[owner]->queue_from(index_).push(slot);
      PERDURE_ASSERT(pushed);
      notify_[owner] = 1;
      ++local_.handed_over;
    }
  }
  for (std::uint32_t owner = 0; owner < count_; ++owner) {
    if (!std::exchange(notify_[owner], std::uint8_t{0})) continue;
    Worker& other = *engine_.workers_[owner];
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (other.sleeping_.exchange(false, std::memory_order_seq_cst)) other.wake();
  }
  return count == static_cast<int>(edge::batch_size);
}

void Worker::take_over() {
  for (const auto& queue : queues_)
    while (const auto slot = queue->pop()) process(*slot);
}

void Worker::process(edge::SlotId slot) {
  const std::string_view bytes = region_.bytes(slot);
  if (bytes.empty()) return;
  mark_.slot_worker.store(slot.worker, std::memory_order_relaxed);
  mark_.slot.store(slot.slot + 1, std::memory_order_relaxed);
  proxy_->on_received({bytes, region_.source(slot), region_.info(slot).socket, 0}, now_, outputs_);
  mark_.slot.store(0, std::memory_order_relaxed);
  done_.push_back(slot);
}

// Everything of the batch is committed: it leaves, and only then the slots are finished. Whoever dies in between does it again.
void Worker::finish_batch() {
  if (!outputs_.empty()) {
    for (std::uint16_t socket = 0; socket < sockets_.size(); ++socket) {
      sending_.clear();
      for (const auto& send : outputs_.sends())
        if (send.socket == socket) sending_.push_back({send.bytes, send.destination});
      if (sending_.empty()) continue;
      const auto counts = net::send_datagrams(sockets_[socket], sending_);
      local_.datagrams_sent += counts.sent;
      local_.send_errors += counts.failed;
    }
    outputs_.clear();
  }
  proxy_->outputs_sent();
  for (const auto slot : done_) region_.finish(slot);
  done_.clear();
}

void Worker::run_mailbox() {
  std::vector<std::function<void(proxy::Proxy&)>> mail;
  {
    const std::scoped_lock lock(mailbox_mutex_);
    mail.swap(mailbox_);
    mail_.store(false, std::memory_order_release);
  }
  for (auto& f : mail) f(*proxy_);
}

void Worker::publish() {
  local_.proxy = proxy_->counters();
  local_.open_transactions = proxy_->open_transactions();
  const auto words = std::bit_cast<std::array<std::uint64_t, sizeof(EngineCounters) / sizeof(std::uint64_t)>>(local_);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (published_[i].load(std::memory_order_relaxed) != words[i]) published_[i].store(words[i], std::memory_order_relaxed);
}

EngineCounters Worker::counters() const {
  std::array<std::uint64_t, sizeof(EngineCounters) / sizeof(std::uint64_t)> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = published_[i].load(std::memory_order_relaxed);
  return std::bit_cast<EngineCounters>(words);
}

}  // namespace perdure::engine

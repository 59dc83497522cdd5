#include "net/sql_pool.hpp"

#include <utility>

#include "net/sql_session.hpp"

namespace perdure::net {
namespace {

constexpr Duration connect_again_first = 100ms, connect_again_last = 5s;
// A server that has not ended a statement by itself so long after its timeout has stopped; its connection is given up.
constexpr Duration patience = 2s;

}  // namespace

struct SqlPool::Job {
  SqlQuery query;
  ServiceTime begun;
  Done done;  // empty: answered
  std::atomic<bool> cancelled{false};
  std::multimap<ServiceTime, JobPointer>::iterator deadline;
  std::list<JobPointer>::iterator place;  // if it is queued
  bool queued = false;
};

// Its own thread's, but for what says otherwise.
struct SqlPool::Slot {
  std::unique_ptr<SqlSession> session;
  ServiceTime next_attempt{};  // with the lock
  Duration again_after = connect_again_first;
  std::string why;
  // With the lock, for interrupting: what runs now.
  JobPointer job;
  SqlSession* running = nullptr;
  ServiceTime overdue{};
};

Result<std::unique_ptr<SqlPool>> SqlPool::create(SqlOptions options) {
  auto target = SqlTarget::parse(options);
  if (!target) return std::unexpected(target.error());
  options.connections = std::max<std::uint32_t>(options.connections, 1);
  return std::unique_ptr<SqlPool>(new SqlPool(std::move(options), std::move(*target)));
}

SqlPool::SqlPool(SqlOptions options, SqlTarget target) : options_(std::move(options)), target_(std::move(target)) {
  for (unsigned i = 0; i < options_.connections; ++i) slots_.push_back(std::make_unique<Slot>());
  for (const auto& slot : slots_) threads_.emplace_back([this, &slot = *slot] { serve(slot); });
  threads_.emplace_back([this] { keep_deadlines(); });
}

SqlPool::~SqlPool() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    while (!deadlines_.empty()) fail_later(JobPointer(deadlines_.begin()->second), "the server is stopping");
    for (const auto& slot : slots_)
      if (slot->running) slot->running->interrupt();
  }
  has_work_.notify_all();
  has_deadline_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void SqlPool::query(SqlQuery query, Duration timeout, Done done) {
  const std::scoped_lock lock(mutex_);
  ++counters_.requests;
  if (stopping_ || queue_.size() >= options_.queue_max) {
    ++counters_.overloads;
    ++counters_.errors;
    failures_.push_back({std::move(done), {stopping_ ? "the server is stopping" : "too many queries wait for the database"}});
    has_deadline_.notify_one();
    return;
  }
  auto job = std::make_shared<Job>();
  job->query = std::move(query);
  job->begun = service_now();
  job->done = std::move(done);
  job->deadline = deadlines_.emplace(service_deadline(timeout), job);
  job->place = queue_.insert(queue_.end(), job);
  job->queued = true;
  if (job->deadline == deadlines_.begin()) has_deadline_.notify_one();
  // A thread that waits for its next attempt to connect may be the one that is woken, and leave it.
  if (connected_ == slots_.size())
    has_work_.notify_one();
  else
    has_work_.notify_all();
}

ServiceCounters SqlPool::counters() const {
  const std::scoped_lock lock(mutex_);
  ServiceCounters counters = counters_;
  counters.waiting = queue_.size();
  for (const auto& slot : slots_) counters.in_flight += slot->job != nullptr;
  return counters;
}

SqlPool::Done SqlPool::take(const JobPointer& job) {
  if (!job->done) return {};
  deadlines_.erase(job->deadline);
  if (std::exchange(job->queued, false)) queue_.erase(job->place);
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(service_now() - job->begun);
  counters_.latency_us += static_cast<std::uint64_t>(latency.count());
  return std::exchange(job->done, {});
}

void SqlPool::fail_later(const JobPointer& job, std::string message) {
  job->cancelled.store(true);
  ++counters_.errors;
  failures_.push_back({take(job), {std::move(message)}});
}

void SqlPool::finish(const JobPointer& job, Result<SqlRows> result) {
  Done done;
  {
    const std::scoped_lock lock(mutex_);
    done = take(job);
    if (done && !result) ++counters_.errors;
  }
  if (done) done(std::move(result));
}

void SqlPool::put_back(const JobPointer& job) {
  const std::scoped_lock lock(mutex_);
  if (!job->done) return;
  job->place = queue_.insert(queue_.begin(), job);
  job->queued = true;
  has_work_.notify_all();
}

void SqlPool::expire(ServiceTime now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    ++counters_.timeouts;
    fail_later(JobPointer(deadlines_.begin()->second), "the database did not answer in time");
  }
  for (const auto& slot : slots_) {
    if (!slot->running || slot->overdue > now) continue;
    slot->running->interrupt();
    slot->overdue = ServiceTime::max();
  }
}

ServiceTime SqlPool::next_look() const {
  ServiceTime next = deadlines_.empty() ? ServiceTime::max() : deadlines_.begin()->first;
  for (const auto& slot : slots_)
    if (slot->running) next = std::min(next, slot->overdue);
  return next;
}

void SqlPool::keep_deadlines() {
  std::unique_lock lock(mutex_);
  while (true) {
    expire(service_now());
    if (!failures_.empty()) {
      auto failures = std::exchange(failures_, {});
      lock.unlock();
      for (auto& failure : failures) failure.done(std::unexpected(std::move(failure.error)));
      failures.clear();
      lock.lock();
      continue;
    }
    if (stopping_) return;
    const auto next = next_look();
    if (next == ServiceTime::max())
      has_deadline_.wait(lock);
    else
      has_deadline_.wait_until(lock, next);
  }
}

Result<> SqlPool::connect(Slot& slot) {
  if (slot.session && slot.session->usable()) return {};
  disconnect(slot);
  if (service_now() < slot.next_attempt) return fail("the database is not reachable: " + slot.why);
  auto opened = SqlSession::open(options_, target_);
  const std::scoped_lock lock(mutex_);
  if (!opened) {
    slot.why = std::move(opened.error().message);
    slot.next_attempt = service_now() + slot.again_after;
    slot.again_after = std::min(2 * slot.again_after, connect_again_last);
    return fail("the database is not reachable: " + slot.why);
  }
  slot.session = std::move(*opened);
  slot.next_attempt = {};
  slot.again_after = connect_again_first;
  ++connected_;
  ++counters_.connects;
  return {};
}

void SqlPool::disconnect(Slot& slot) {
  if (!slot.session) return;
  slot.session.reset();
  const std::scoped_lock lock(mutex_);
  --connected_;
  has_work_.notify_all();  // who waits for an attempt has no other to leave the queries to, perhaps
}

void SqlPool::work(Slot& slot, const JobPointer& job) {
  if (auto connected = connect(slot); !connected) {
    bool others = false;
    {
      const std::scoped_lock lock(mutex_);
      others = connected_ > 0 && !stopping_;
    }
    if (others) return put_back(job);  // the server has not as many connections as we would like; the others work
    return finish(job, std::unexpected(connected.error()));
  }
  {
    const std::scoped_lock lock(mutex_);
    if (!job->done || job->deadline->first <= service_now()) return;  // answered by the thread that keeps the deadlines, or soon
    slot.running = slot.session.get();
    slot.overdue = service_now() + options_.statement_timeout + patience;
    has_deadline_.notify_one();
  }
  auto result = slot.session->run(job->query, job->cancelled);
  {
    const std::scoped_lock lock(mutex_);
    slot.running = nullptr;
  }
  finish(job, std::move(result));
}

void SqlPool::serve(Slot& slot) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool resting = connected_ > 0 && service_now() < slot.next_attempt;
    if (queue_.empty()) {
      has_work_.wait(lock);
    } else if (resting) {
      has_work_.wait_until(lock, slot.next_attempt);
    } else {
      slot.job = std::move(queue_.front());
      queue_.pop_front();
      slot.job->queued = false;
      lock.unlock();
      work(slot, slot.job);
      lock.lock();
      slot.job.reset();
    }
  }
}

}  // namespace perdure::net

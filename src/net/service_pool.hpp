#pragma once
// Connections to a service, each with a thread of its own, and the requests that wait for them. Databases and Redis are such services.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "net/service_counters.hpp"

namespace perdure::net {

// One connection, for one thread. Only interrupt() may come from another.
template <class Query, class Answer>
class ServiceSession {
 public:
  virtual ~ServiceSession() = default;
  // Blocks until the request ends: by itself, by the longest time of the pool's options, or because another thread has set `cancelled` and
  // called interrupt().
  [[nodiscard]] virtual Result<Answer> run(const Query& query, const std::atomic<bool>& cancelled) = 0;
  // False: only another session helps. Asks the network if it must.
  [[nodiscard]] virtual bool usable() = 0;
  // Wakes a request that runs, so that it sees that it is cancelled; the session may be unusable then. Any thread, never blocks.
  virtual void interrupt() = 0;
};

// Each connection has a thread and one request at a time; one more thread keeps the deadlines. Nothing blocks a caller: neither a slow
// service nor its name server.
template <class Query, class Answer>
class ServicePool {
 public:
  using Session = ServiceSession<Query, Answer>;
  // Called exactly once for each request, always in a thread of the pool: with the answer, or with an error at the deadline, at once when
  // too many wait or the service is not reachable, and when the pool ends. It should be short: it holds up a connection. The
  // pool must not be destroyed in it; asking again is fine.
  using Done = std::function<void(Result<Answer>)>;

  struct Options {
    std::string name;               // in errors: "the database"
    std::uint32_t connections = 4;  // at least one
    std::uint32_t queue_max = 10'000;
    Duration longest{};                                           // no request holds its connection for longer, whatever became of it
    std::function<Result<std::unique_ptr<Session>>()> connect{};  // any thread of the pool; blocks up to some seconds
  };

  // Does not connect yet: a service that is away is an error of each request, at once. Each connection tries again after 100 ms, and after
  // twice as long for each failure, up to 5 s.
  explicit ServicePool(Options options) : options_(std::move(options)) {
    for (unsigned i = 0; i < std::max(options_.connections, 1U); ++i) slots_.push_back(std::make_unique<Slot>());
    for (const auto& slot : slots_) threads_.emplace_back([this, &slot = *slot] { serve(slot); });
    threads_.emplace_back([this] { keep_deadlines(); });
  }
  // Every request ends with an error now, and those in progress are interrupted. Waits for the threads: for one that connects up to 5 s,
  // for one that cannot be interrupted up to `longest`.
  ~ServicePool() {
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
  ServicePool(const ServicePool&) = delete;
  ServicePool& operator=(const ServicePool&) = delete;

  // Any thread. `timeout` begins now. A request that has not begun at its end never will; one that has may be done or not.
  void query(Query query, Duration timeout, Done done) {
    const std::scoped_lock lock(mutex_);
    ++counters_.requests;
    if (stopping_ || queue_.size() >= options_.queue_max) {
      ++counters_.overloads;
      ++counters_.errors;
      failures_.push_back({std::move(done), {stopping_ ? "the server is stopping" : "too many requests wait for " + options_.name}});
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

  // Any thread.
  [[nodiscard]] ServiceCounters counters() const {
    const std::scoped_lock lock(mutex_);
    ServiceCounters counters = counters_;
    counters.waiting = queue_.size();
    for (const auto& slot : slots_) counters.in_flight += slot->job && slot->job->done;  // an answer is counted before it is given
    return counters;
  }

 private:
  static constexpr Duration connect_again_first = 100ms, connect_again_last = 5s;
  // A service that has not ended a request by itself so long after its longest time has stopped; its connection is given up.
  static constexpr Duration patience = 2s;

  struct Job;
  using JobPointer = std::shared_ptr<Job>;
  struct Job {
    Query query;
    ServiceTime begun;
    Done done;  // empty: answered
    std::atomic<bool> cancelled{false};
    typename std::multimap<ServiceTime, JobPointer>::iterator deadline;
    typename std::list<JobPointer>::iterator place;  // if it is queued
    bool queued = false;
  };
  // Its own thread's, but for what says otherwise.
  struct Slot {
    std::unique_ptr<Session> session;
    ServiceTime next_attempt{};  // with the lock
    Duration again_after = connect_again_first;
    std::string why;
    // With the lock, for interrupting: what runs now.
    JobPointer job;
    Session* running = nullptr;
    ServiceTime overdue{};
  };
  struct Failure {
    Done done;
    Error error;
  };

  // ---- with the lock ----

  [[nodiscard]] Done take(const JobPointer& job) {
    if (!job->done) return {};
    deadlines_.erase(job->deadline);
    if (std::exchange(job->queued, false)) queue_.erase(job->place);
    const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(service_now() - job->begun);
    counters_.latency_us += static_cast<std::uint64_t>(latency.count());
    return std::exchange(job->done, {});
  }
  void fail_later(const JobPointer& job, std::string message) {
    job->cancelled.store(true);
    ++counters_.errors;
    failures_.push_back({take(job), {std::move(message)}});
  }
  void expire(ServiceTime now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      ++counters_.timeouts;
      fail_later(JobPointer(deadlines_.begin()->second), options_.name + " did not answer in time");
    }
    for (const auto& slot : slots_) {
      if (!slot->running || slot->overdue > now) continue;
      slot->running->interrupt();
      slot->overdue = ServiceTime::max();
    }
  }
  [[nodiscard]] ServiceTime next_look() const {
    ServiceTime next = deadlines_.empty() ? ServiceTime::max() : deadlines_.begin()->first;
    for (const auto& slot : slots_)
      if (slot->running) next = std::min(next, slot->overdue);
    return next;
  }

  // ---- the thread that keeps the deadlines ----

  void keep_deadlines() {
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

  // ---- the thread of a connection ----

  [[nodiscard]] Result<> not_reachable(const Slot& slot) const { return fail(options_.name + " is not reachable: " + slot.why); }

  [[nodiscard]] Result<> connect(Slot& slot) {
    if (slot.session && slot.session->usable()) return {};
    disconnect(slot);
    if (service_now() < slot.next_attempt) return not_reachable(slot);
    auto opened = options_.connect();
    const std::scoped_lock lock(mutex_);
    if (!opened) {
      slot.why = std::move(opened.error().message);
      slot.next_attempt = service_now() + slot.again_after;
      slot.again_after = std::min(2 * slot.again_after, connect_again_last);
      return not_reachable(slot);
    }
    slot.session = std::move(*opened);
    slot.next_attempt = {};
    slot.again_after = connect_again_first;
    ++connected_;
    ++counters_.connects;
    return {};
  }
  void disconnect(Slot& slot) {
    if (!slot.session) return;
    slot.session.reset();
    const std::scoped_lock lock(mutex_);
    --connected_;
    has_work_.notify_all();  // who waits for an attempt has no other to leave the requests to, perhaps
  }
  void finish(const JobPointer& job, Result<Answer> result) {
    Done done;
    {
      const std::scoped_lock lock(mutex_);
      done = take(job);
      if (done && !result) ++counters_.errors;
    }
    if (done) done(std::move(result));
  }
  void put_back(const JobPointer& job) {
    const std::scoped_lock lock(mutex_);
    if (!job->done) return;
    job->place = queue_.insert(queue_.begin(), job);
    job->queued = true;
    has_work_.notify_all();
  }
  void work(Slot& slot, const JobPointer& job) {
    if (auto connected = connect(slot); !connected) {
      bool others = false;
      {
        const std::scoped_lock lock(mutex_);
        others = connected_ > 0 && !stopping_;
      }
      if (others) return put_back(job);  // the service has not as many connections as we would like; the others work
      return finish(job, std::unexpected(connected.error()));
    }
    {
      const std::scoped_lock lock(mutex_);
      if (!job->done || job->deadline->first <= service_now()) return;  // answered by the thread that keeps the deadlines, or soon
      slot.running = slot.session.get();
      slot.overdue = service_now() + options_.longest + patience;
      has_deadline_.notify_one();
    }
    auto result = slot.session->run(job->query, job->cancelled);
    {
      const std::scoped_lock lock(mutex_);
      slot.running = nullptr;
    }
    finish(job, std::move(result));
  }
  void serve(Slot& slot) {
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

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable has_work_, has_deadline_;
  std::list<JobPointer> queue_;
  std::multimap<ServiceTime, JobPointer> deadlines_;  // of all that are not answered
  std::vector<Failure> failures_;                     // to be told by the thread that keeps the deadlines
  std::vector<std::unique_ptr<Slot>> slots_;
  std::size_t connected_ = 0;  // slots with a session
  bool stopping_ = false;
  ServiceCounters counters_;
  std::vector<std::thread> threads_;
};

}  // namespace perdure::net

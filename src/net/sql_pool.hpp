#pragma once
// Queries to a database, in threads of its own: SQLite, PostgreSQL or MySQL.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "net/service_counters.hpp"
#include "net/sql_types.hpp"

namespace perdure::net {

class SqlSession;

// Each connection has a thread and one query at a time; one more thread keeps the deadlines. Nothing blocks a caller: neither a slow
// database nor its name server.
class SqlPool {
 public:
  // Called exactly once for each query, always in a thread of the pool: with the result, or with an error at the deadline, at once when
  // too many wait or the database is not reachable, and when the pool ends. It should be short: it holds up a connection. The
  // pool must not be destroyed in it; asking for another query is fine.
  using Done = std::function<void(Result<SqlRows>)>;

  // Does not connect yet: a database that is away is an error of each query, at once. Each connection tries again after 100 ms, and after
  // twice as long for each failure, up to 5 s.
  [[nodiscard]] static Result<std::unique_ptr<SqlPool>> create(SqlOptions options);
  // Every query ends with an error now, and those in progress are interrupted. Waits for the threads: for one that connects up
  // to 5 s, for a statement of MySQL up to its timeout.
  ~SqlPool();
  SqlPool(const SqlPool&) = delete;
  SqlPool& operator=(const SqlPool&) = delete;

  // Any thread. `timeout` begins now. A query that has not begun at its end never will; one that has may be done or not: SQLite interrupts
  // it then, PostgreSQL and MySQL end it by the statement timeout.
  void query(SqlQuery query, Duration timeout, Done done);
  void query(std::string text, Duration timeout, Done done) { query(SqlQuery{.text = std::move(text)}, timeout, std::move(done)); }

  // Any thread.
  [[nodiscard]] ServiceCounters counters() const;

 private:
  struct Job;
  using JobPointer = std::shared_ptr<Job>;
  struct Slot;
  struct Failure {
    Done done;
    Error error;
  };

  SqlPool(SqlOptions options, SqlTarget target);
  void serve(Slot& slot);
  void work(Slot& slot, const JobPointer& job);
  [[nodiscard]] Result<> connect(Slot& slot);
  void disconnect(Slot& slot);
  void finish(const JobPointer& job, Result<SqlRows> result);
  void put_back(const JobPointer& job);
  void keep_deadlines();
  // These are called with the lock.
  [[nodiscard]] Done take(const JobPointer& job);
  void fail_later(const JobPointer& job, std::string message);
  void expire(ServiceTime now);
  [[nodiscard]] ServiceTime next_look() const;

  const SqlOptions options_;
  const SqlTarget target_;
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

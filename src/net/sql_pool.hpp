#pragma once
// Queries to a database, in threads of its own: SQLite, PostgreSQL or MySQL by SOCI.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::net {

// Null, a number or text. Dates are text, "2026-11-23 12:00:00".
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;

struct SqlRows {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  std::int64_t affected = 0;  // by INSERT, UPDATE, DELETE; -1: the database does not say
};

struct SqlOptions {
  // sqlite:///absolute/path, postgres://user:password@host:port/database, mysql://…; reserved characters of user and password as %XX.
  std::string url;
  std::uint32_t connections = 4;      // each with its thread
  std::uint32_t queue_max = 10'000;   // queries that wait for a connection
  Duration statement_timeout = 5s;    // told to the database where it can end a statement by itself (PostgreSQL, MySQL)
  std::size_t rows_max = 10'000;      // of one result; more is an error
  std::size_t bytes_max = 16U << 20;  // of one result
};

// What SOCI wants to know: the name of its backend and its connection string. The error says what is wrong with the URL.
struct SqlTarget {
  std::string backend, text;
  [[nodiscard]] static Result<SqlTarget> parse(const SqlOptions& options);
};

class SqlPool {
 public:
  // Called once for each query, in a thread of the pool or, when the queue is full, in the caller's.
  using Done = std::function<void(Result<SqlRows>)>;

  // Does not connect yet: a database that is away is an error of each query, and is asked again, each connection once a second at most.
  [[nodiscard]] static Result<std::unique_ptr<SqlPool>> create(SqlOptions options);
  // Queries that have not begun end with an error; those in progress end first.
  ~SqlPool();
  SqlPool(const SqlPool&) = delete;
  SqlPool& operator=(const SqlPool&) = delete;

  // Any thread, never blocks. A query that has not begun `timeout` after this is not begun any more.
  void query(std::string text, Duration timeout, Done done);

  struct Counters {
    std::uint64_t queries = 0, errors = 0, refused = 0 /* the queue was full */, late = 0 /* not begun in time */, connects = 0;
    std::uint64_t busy_us = 0;  // time in the database, of all connections
    std::size_t waiting = 0;    // in the queue now
  };
  [[nodiscard]] Counters counters() const;

 private:
  struct Job {
    std::string text;
    std::chrono::steady_clock::time_point deadline;
    Done done;
  };
  class Connection;
  SqlPool(SqlOptions options, SqlTarget target);
  void serve();

  const SqlOptions options_;
  const SqlTarget target_;
  mutable std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  Counters counters_;
  std::vector<std::thread> threads_;
};

}  // namespace perdure::net

#pragma once
// One connection to a database, for one thread. Only interrupt() may come from another.
#include <atomic>
#include <memory>

#include "net/service_counters.hpp"
#include "net/sql_types.hpp"

namespace perdure::net {

class SqlSession {
 public:
  virtual ~SqlSession() = default;

  // Connects; blocks up to some seconds.
  [[nodiscard]] static Result<std::unique_ptr<SqlSession>> open(const SqlOptions& options, const SqlTarget& target);

  // Blocks until the statement ends: by itself, by the timeout of the options, or because another thread has set `cancelled` and called
  // interrupt().
  [[nodiscard]] virtual Result<SqlRows> run(const SqlQuery& query, const std::atomic<bool>& cancelled) = 0;
  // False: only another session helps. Asks the network if it must.
  [[nodiscard]] virtual bool usable() = 0;
  // Wakes a statement that runs, so that it sees that it is cancelled; the session may be unusable then. Any thread, never blocks.
  virtual void interrupt() = 0;
};

[[nodiscard]] Result<std::unique_ptr<SqlSession>> open_sqlite_session(const SqlOptions& options, const SqlTarget& target);
[[nodiscard]] Result<std::unique_ptr<SqlSession>> open_soci_session(const SqlOptions& options, const SqlTarget& target);

}  // namespace perdure::net

#pragma once
// Queries to a database, in threads of its own: SQLite, PostgreSQL or MySQL.
#include <memory>
#include <string>
#include <utility>

#include "net/service_pool.hpp"
#include "net/sql_types.hpp"

namespace perdure::net {

// At the deadline of a query that runs, SQLite interrupts it; PostgreSQL and MySQL end it by the statement timeout.
class SqlPool final : public ServicePool<SqlQuery, SqlRows> {
 public:
  // Does not connect yet.
  [[nodiscard]] static Result<std::unique_ptr<SqlPool>> create(SqlOptions options);

  using ServicePool::query;
  void query(std::string text, Duration timeout, Done done) { query(SqlQuery{.text = std::move(text)}, timeout, std::move(done)); }

 private:
  using ServicePool::ServicePool;
};

}  // namespace perdure::net

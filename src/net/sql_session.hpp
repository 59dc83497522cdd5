#pragma once
// One connection to a database.
#include <memory>

#include "net/service_pool.hpp"
#include "net/sql_types.hpp"

namespace perdure::net {

// Its queries end by the statement timeout of the options, too.
using SqlSession = ServiceSession<SqlQuery, SqlRows>;

// Connects; blocks up to some seconds. The session refers to `options`.
[[nodiscard]] Result<std::unique_ptr<SqlSession>> open_sql_session(const SqlOptions& options, const SqlTarget& target);
[[nodiscard]] Result<std::unique_ptr<SqlSession>> open_sqlite_session(const SqlOptions& options, const SqlTarget& target);
[[nodiscard]] Result<std::unique_ptr<SqlSession>> open_soci_session(const SqlOptions& options, const SqlTarget& target);

}  // namespace perdure::net

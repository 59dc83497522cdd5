#include "net/sql_pool.hpp"

#include "net/sql_session.hpp"

namespace perdure::net {

Result<std::unique_ptr<SqlPool>> SqlPool::create(SqlOptions options) {
  auto target = SqlTarget::parse(options);
  if (!target) return std::unexpected(target.error());
  Options pool{
      .name = "the database", .connections = options.connections, .queue_max = options.queue_max, .longest = options.statement_timeout};
  // Sessions refer to the options, and so does nothing else: they live as long as this function object.
  pool.connect = [options = std::make_shared<const SqlOptions>(std::move(options)), target = std::move(*target)] {
    return open_sql_session(*options, target);
  };
  return std::unique_ptr<SqlPool>(new SqlPool(std::move(pool)));
}

}  // namespace perdure::net

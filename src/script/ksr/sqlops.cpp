// KSR.sqlops: queries; the callback waits, its worker does not.
#include <fmt/format.h>

#include <bit>

#include "base/logging.hpp"
#include "net/sql_pool.hpp"
#include "script/sql_results.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using Rows = std::shared_ptr<const net::SqlRows>;
// What is done with a result in the worker's thread; returns what the function returns.
using Use = int (*)(Call& call, const std::string& name, const Rows& rows);

constexpr int with_rows = 1, without_rows = 2, failed = -1;

int keep(Call& call, const std::string& name, const Rows& rows) {
  call.run.results.set(name, rows);
  return rows->rows.empty() ? without_rows : with_rows;
}

Value value_of(const net::SqlValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return Value::of(*number);
  if (const auto* real = std::get_if<double>(&value)) return Value::of(std::string_view(fmt::format("{}", *real)));
  if (const auto* text = std::get_if<std::string>(&value)) return Value::of(std::string_view(*text));
  return Value::of(std::string_view{});
}

// $xavp(name[0]) is the first row.
int keep_as_xavp(Call& call, const std::string& name, const Rows& rows) {
  auto& variables = call.run.variables();
  call.run.changed();
  variables.remove_xavps(Tree::Xavp, name);
  for (std::size_t i = rows->rows.size(); i-- > 0;) {
    Xavp one;
    one.name = name;
    for (std::size_t column = 0; column < rows->columns.size(); ++column)
      if (!std::holds_alternative<std::monostate>(rows->rows[i][column]))
        one.fields.emplace_back(rows->columns[column], value_of(rows->rows[i][column]));
    if (!variables.push_xavp(std::move(one))) return call.fail("the result is too large for a variable");
  }
  return rows->rows.empty() ? without_rows : with_rows;
}

int query(Call& call, Use use) {
  const Database* database = call.vm.database(call.text(0));
  if (!database) return call.fail("there is no database " + std::string(call.text(0)));
  return call.wait(database->timeout, [&](const Waker& waker) {
    const auto done = [waker, use, name = std::string(call.text(2)), database = std::string(call.text(0))](Result<net::SqlRows> result) {
      if (!result) {
        waker([error = result.error().message, database](Call& woken) {
          // A database that is away must not fill the disk.
          if (std::has_single_bit(++woken.vm.failed_queries))
            log::warning("database {}: failed query {}: {}", database, woken.vm.failed_queries, error);
          return failed;
        });
        return;
      }
      waker([rows = std::make_shared<const net::SqlRows>(std::move(*result)), use, name](Call& woken) { return use(woken, name, rows); });
    };
    database->pool->query(std::string(call.text(1)), database->timeout, done);
  });
}

// Nobody waits for it.
int query_async(Call& call) {
  const Database* database = call.vm.database(call.text(0));
  if (!database) return call.fail("there is no database " + std::string(call.text(0)));
  database->pool->query(std::string(call.text(1)), database->timeout,
                        [name = std::string(call.text(0))](const Result<net::SqlRows>& result) {
                          if (!result) log::warning("database {}: {}", name, result.error().message);
                        });
  return 1;
}

const Function table[] = {
    {"sqlops", "sql_query", "string database, string query, string result", Returns::Integer, routes::waiting,
     "Asks a database and waits. 1: there are rows, `$dbr(result=>[row,column])`; 2: there are none; -1: an error, or no answer in time.",
     "The result belongs to this run of the callback.", [](Call& call) { return query(call, keep); }},
    {"sqlops", "sql_xquery", "string database, string query, string xavp", Returns::Integer, routes::waiting,
     "The same, with the rows as XAVPs: `$xavp(name[row]=>column)`. Columns that are null are not there.", "",
     [](Call& call) { return query(call, keep_as_xavp); }},
    {"sqlops", "sql_query_async", "string database, string query", Returns::Integer, routes::any,
     "Gives a statement to a database and goes on at once. An error is logged.", "", query_async},
    {"sqlops", "sql_result_free", "string result", Returns::Nothing, routes::any, "Forgets a result; the end of the callback does it, too.",
     "",
     [](Call& call) {
       call.run.results.remove(call.text(0));
       return 1;
     }},
    {"sqlops", "sql_is_null", "string result, int row, int column", Returns::Integer, routes::any,
     "1: that value is null, or there is no such value; -1: it is not.", "",
     [](Call& call) {
       const auto* value = call.run.results.value(call.text(0), call.number(1), call.number(2));
       return !value || std::holds_alternative<std::monostate>(*value) ? 1 : -1;
     }},
    {"sqlops", "sql_num_rows", "string result", Returns::Integer, routes::any, "The number of rows, -1 if there is no such result.", "",
     [](Call& call) {
       const auto* rows = call.run.results.find(call.text(0));
       return rows ? static_cast<int>(rows->rows.size()) : -1;
     }},
    {"sqlops", "sql_num_columns", "string result", Returns::Integer, routes::any,
     "The number of columns, -1 if there is no such result, 0 if it has no rows.", "",
     [](Call& call) {
       const auto* rows = call.run.results.find(call.text(0));
       return rows ? static_cast<int>(rows->columns.size()) : -1;
     }},
};

}  // namespace

std::span<const Function> sqlops_functions() {
  return table;
}

}  // namespace perdure::script

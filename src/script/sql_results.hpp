#pragma once
// Databases, and the results of queries that one run of a callback has asked for.
#include <cstdint>
#include <string_view>
#include <utility>

#include "net/sql_pool.hpp"
#include "script/named_results.hpp"

namespace perdure::script {

// A database as scripts know it. The pool outlives the script.
struct Database {
  net::SqlPool* pool = nullptr;
  Duration timeout = 5s;  // for one query, waiting for a connection included
};

class SqlResults : public NamedResults<net::SqlRows> {
 public:
  // Null if there is no such value.
  [[nodiscard]] const net::SqlValue* value(std::string_view name, std::int64_t row, std::int64_t column) const {
    const auto* rows = find(name);
    if (!rows || row < 0 || column < 0 || std::cmp_greater_equal(row, rows->rows.size()) ||
        std::cmp_greater_equal(column, rows->columns.size()))
      return nullptr;
    return &rows->rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
  }
};

}  // namespace perdure::script

#pragma once
// The results of queries that one run of a callback has asked for, by name.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/sql_pool.hpp"

namespace perdure::script {

// A database as scripts know it. The pool outlives the script.
struct Database {
  net::SqlPool* pool = nullptr;
  Duration timeout = 5s;  // for one query, waiting for a connection included
};

class SqlResults {
 public:
  void set(std::string_view name, std::shared_ptr<const net::SqlRows> rows) {
    remove(name);
    results_.emplace_back(name, std::move(rows));
  }
  void remove(std::string_view name) {
    std::erase_if(results_, [&](const auto& one) { return one.first == name; });
  }
  void clear() { results_.clear(); }
  // Null if there is no such result.
  [[nodiscard]] const net::SqlRows* find(std::string_view name) const {
    for (const auto& [known, rows] : results_)
      if (known == name) return rows.get();
    return nullptr;
  }
  // Null if there is no such value.
  [[nodiscard]] const net::SqlValue* value(std::string_view name, std::int64_t row, std::int64_t column) const {
    const auto* rows = find(name);
    if (!rows || row < 0 || column < 0 || std::cmp_greater_equal(row, rows->rows.size()) ||
        std::cmp_greater_equal(column, rows->columns.size()))
      return nullptr;
    return &rows->rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
  }

 private:
  std::vector<std::pair<std::string, std::shared_ptr<const net::SqlRows>>> results_;  // a handful
};

}  // namespace perdure::script

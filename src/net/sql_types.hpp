#pragma once
// What goes into a database and what comes out of it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::net {

// Null, a number or text. Dates are text, "2026-11-23 12:00:00". Decimals of PostgreSQL and MySQL come as real numbers.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;

// What it counts for in a result: its text and the variant around it.
[[nodiscard]] inline std::size_t size_of(const SqlValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return sizeof value + (text ? text->size() : 0);
}

struct SqlRows {
  std::vector<std::string> columns;  // of PostgreSQL and MySQL only if there are rows
  std::vector<std::vector<SqlValue>> rows;
  std::int64_t affected = 0;  // by INSERT, UPDATE, DELETE; -1: the database does not say
};

struct SqlQuery {
  std::string text;
  // For the placeholders of the text, :1 :2 …, in the order in which they stand there, each once. They never become a part of the text.
  std::vector<SqlValue> parameters = {};
};

struct SqlOptions {
  // sqlite:///absolute/path, postgres://user:password@host:port/database, mysql://…; reserved characters of user and password as %XX.
  std::string url;
  std::uint32_t connections = 4;      // each with its thread; at least one
  std::uint32_t queue_max = 10'000;   // queries that wait for a connection
  Duration statement_timeout = 5s;    // no statement holds its connection for longer, whatever became of its query
  std::size_t rows_max = 10'000;      // of one result; more is an error
  std::size_t bytes_max = 16U << 20;  // of one result; the client libraries of PostgreSQL and MySQL have read it all when this is checked
};

// Where a database is: the backend and its connection string. The error says what is wrong with the URL, without its password.
struct SqlTarget {
  std::string backend;  // sqlite3, postgresql, mysql
  std::string text;     // of sqlite3 the path of the file
  [[nodiscard]] static Result<SqlTarget> parse(const SqlOptions& options);
};

}  // namespace perdure::net

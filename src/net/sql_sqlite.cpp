// SQLite by its own interface: SOCI cuts integers to 32 bits and knows types of columns only, while here each value has one.
#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>

#include "net/sql_session.hpp"

namespace perdure::net {
namespace {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct EndStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, EndStatement>;

constexpr int instructions_between_looks = 10'000;  // well under a millisecond

int bind(sqlite3_stmt* statement, int index, const SqlValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *number);
  if (const auto* real = std::get_if<double>(&value)) return sqlite3_bind_double(statement, index, *real);
  if (const auto* text = std::get_if<std::string>(&value))
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);  // outlives the statement
  return sqlite3_bind_null(statement, index);
}

SqlValue value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    default: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return std::string(bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
}

class SqliteSession final : public SqlSession {
 public:
  SqliteSession(const SqlOptions& options, Database database) : options_(options), database_(std::move(database)) {
    sqlite3_progress_handler(database_.get(), instructions_between_looks, look, this);
    sqlite3_limit(database_.get(), SQLITE_LIMIT_LENGTH, static_cast<int>(std::min<std::size_t>(options.bytes_max, 1U << 30)));
    sqlite3_busy_handler(database_.get(), wait_for_lock, this);
  }

  // The error of a database that is none (no file, no rights, another format).
  [[nodiscard]] Result<> prepare() {
    const std::atomic<bool> never{false};
    // What readers and a writer need to work side by side. A database that cannot have it (read-only) works as it is.
    if (auto done = run({.text = "PRAGMA journal_mode = WAL"}, never); !done && sqlite3_errcode(database_.get()) != SQLITE_READONLY)
      return std::unexpected(done.error());
    if (auto done = run({.text = "PRAGMA synchronous = NORMAL"}, never); !done) return std::unexpected(done.error());
    return {};
  }

  Result<SqlRows> run(const SqlQuery& query, const std::atomic<bool>& cancelled) override {
    cancelled_ = &cancelled;
    end_ = service_deadline(options_.statement_timeout);
    sqlite3_stmt* compiled = nullptr;
    if (sqlite3_prepare_v2(database_.get(), query.text.data(), static_cast<int>(query.text.size()), &compiled, nullptr) != SQLITE_OK)
      return fail(sqlite3_errmsg(database_.get()));
    const Statement statement(compiled);
    if (!statement) return SqlRows{};  // nothing but blanks and comments
    const auto wanted = static_cast<std::size_t>(sqlite3_bind_parameter_count(compiled));
    if (wanted != query.parameters.size()) return fail(fmt::format("{} parameters for {} placeholders", query.parameters.size(), wanted));
    for (std::size_t i = 0; i < wanted; ++i)
      if (bind(compiled, static_cast<int>(i) + 1, query.parameters[i]) != SQLITE_OK) return fail(sqlite3_errmsg(database_.get()));
    return read(compiled);
  }

  // A file has no connection that could be lost.
  bool usable() override { return true; }
  void interrupt() override {}  // looks often enough

 private:
  [[nodiscard]] bool must_end() const { return cancelled_->load(std::memory_order_relaxed) || service_now() > end_; }
  static int look(void* self) { return static_cast<SqliteSession*>(self)->must_end() ? 1 : 0; }
  // Another connection writes. Sleeping is what SQLite itself does; this thread has nothing else to do.
  static int wait_for_lock(void* self, int) {
    if (static_cast<SqliteSession*>(self)->must_end()) return 0;
    sqlite3_sleep(1);
    return 1;
  }

  Result<SqlRows> read(sqlite3_stmt* statement) {
    SqlRows result;
    const int columns = sqlite3_column_count(statement);
    for (int i = 0; i < columns; ++i) result.columns.emplace_back(sqlite3_column_name(statement, i));
    const std::int64_t before = sqlite3_total_changes64(database_.get());
    std::size_t bytes = 0;
    while (true) {
      const int step = sqlite3_step(statement);
      if (step == SQLITE_DONE) break;
      // A lock that another connection has not given up in time is the same to whoever waits.
      if (step == SQLITE_INTERRUPT || (step == SQLITE_BUSY && must_end())) return fail("the statement took too long");
      if (step != SQLITE_ROW) return fail(sqlite3_errmsg(database_.get()));
      if (result.rows.size() == options_.rows_max) return fail("the result is too large");
      auto& row = result.rows.emplace_back();
      for (int i = 0; i < columns; ++i) {
        const auto& value = row.emplace_back(value_of(statement, i));
        bytes += size_of(value);
        if (bytes > options_.bytes_max) return fail("the result is too large");
      }
    }
    if (sqlite3_total_changes64(database_.get()) != before) result.affected = sqlite3_changes64(database_.get());
    return result;
  }

  const SqlOptions& options_;
  const Database database_;
  ServiceTime end_{};
  const std::atomic<bool>* cancelled_ = nullptr;  // of the statement that runs
};

}  // namespace

Result<std::unique_ptr<SqlSession>> open_sqlite_session(const SqlOptions& options, const SqlTarget& target) {
  sqlite3* opened = nullptr;
  // Each session has one thread, so its own locks are not needed.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(target.text.c_str(), &opened, flags, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return fail(opened ? sqlite3_errmsg(opened) : "out of memory");
  auto session = std::make_unique<SqliteSession>(options, std::move(database));
  if (auto ready = session->prepare(); !ready) return std::unexpected(ready.error());
  return session;
}

}  // namespace perdure::net

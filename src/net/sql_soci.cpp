// PostgreSQL and MySQL by SOCI.
#include <dlfcn.h>
#include <fmt/format.h>
#include <poll.h>
#include <soci/soci.h>
// Its header says where the connection of libpq is.
#include <soci/postgresql/soci-postgresql.h>
#include <sys/socket.h>

#include <list>
#include <mutex>

#include "net/sql_session.hpp"

namespace perdure::net {
namespace {

constexpr auto trusted_for = std::chrono::seconds(2);  // after its last answer a connection to MySQL is asked whether it is alive

std::string date_text(const std::tm& date) {
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min,
                     date.tm_sec);
}

SqlValue value_of(const soci::row& row, std::size_t index) {
  if (row.get_indicator(index) == soci::i_null) return {};
  switch (row.get_properties(index).get_data_type()) {
    case soci::dt_double:
      return row.get<double>(index);
    case soci::dt_integer:
      return std::int64_t{row.get<int>(index)};
    case soci::dt_long_long:
      return static_cast<std::int64_t>(row.get<long long>(index));
    case soci::dt_unsigned_long_long:
      return static_cast<std::int64_t>(row.get<unsigned long long>(index));
    case soci::dt_date:
      return date_text(row.get<std::tm>(index));
    default:
      return row.get<std::string>(index);
  }
}

// The socket of libpq. SOCI loads that library when it is needed, so this program is not linked with it; -1: not found.
int socket_of(soci::session& session) {
  void* library = dlopen("libpq.so.5", RTLD_NOLOAD | RTLD_LAZY);
  if (!library) return -1;
  const auto ask = reinterpret_cast<decltype(&PQsocket)>(dlsym(library, "PQsocket"));
  const int socket = ask ? ask(static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_) : -1;
  dlclose(library);  // SOCI's own reference keeps it
  return socket;
}

// The parameters of one statement where SOCI can point to them.
class Parameters {
 public:
  Parameters(soci::statement& statement, const std::vector<SqlValue>& values) {
    for (const auto& value : values) {
      auto& one = places_.emplace_back();
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        one.number = *number;
        statement.exchange(soci::use(one.number, one.indicator));
      } else if (const auto* real = std::get_if<double>(&value)) {
        one.real = *real;
        statement.exchange(soci::use(one.real, one.indicator));
      } else {
        const auto* text = std::get_if<std::string>(&value);
        if (text) one.text = *text;
        if (!text) one.indicator = soci::i_null;
        statement.exchange(soci::use(one.text, one.indicator));
      }
    }
  }

 private:
  struct Place {
    long long number = 0;
    double real = 0;
    std::string text;
    soci::indicator indicator = soci::i_ok;
  };
  std::list<Place> places_;
};

class SociSession final : public SqlSession {
 public:
  // Throws what SOCI throws.
  SociSession(const SqlOptions& options, const SqlTarget& target)
      : options_(options), postgres_(target.backend == "postgresql"), session_(target.backend, target.text) {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(options_.statement_timeout).count();
    if (postgres_) {
      socket_ = socket_of(session_);
      session_ << fmt::format("SET statement_timeout = {}", milliseconds);
      return;
    }
    try {
      session_ << fmt::format("SET SESSION max_execution_time = {}", milliseconds);
    } catch (const soci::soci_error&) {  // MariaDB calls it otherwise
      session_ << fmt::format("SET SESSION max_statement_time = {:.3f}", static_cast<double>(milliseconds) / 1000);
    }
  }
  ~SociSession() override {
    const std::scoped_lock lock(mutex_);
    socket_ = -1;  // closed with session_ after this
  }

  Result<SqlRows> run(const SqlQuery& query, const std::atomic<bool>& cancelled) override {
    if (cancelled.load()) return fail("the query was cancelled");
    try {
      auto result = read(query);
      answered_ = service_now();
      return result;
    } catch (const soci::soci_error& error) {
      failed_ = true;
      return fail(error.get_error_message());  // what() has the parameters in it, which are not for logs
    } catch (const std::exception& error) {
      failed_ = true;
      return fail(error.what());
    }
  }

  bool usable() override {
    try {
      if (postgres_ && socket_ >= 0) {
        // An idle server says nothing: whatever there is to read is its end.
        pollfd look{.fd = socket_, .events = POLLIN | POLLRDHUP, .revents = 0};
        if (::poll(&look, 1, 0) != 0) return false;
        return !std::exchange(failed_, false) || session_.is_connected();
      }
      if (!std::exchange(failed_, false) && service_now() - answered_ < trusted_for) return true;
      return session_.is_connected();
    } catch (const std::exception&) {
      return false;
    }
  }

  void interrupt() override {
    const std::scoped_lock lock(mutex_);
    if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);  // the thread that reads from it sees the end of the connection
  }

 private:
  Result<SqlRows> read(const SqlQuery& query) {
    SqlRows result;
    soci::row row;
    soci::statement statement(session_);
    const Parameters parameters(statement, query.parameters);
    statement.exchange(soci::into(row));
    statement.alloc();
    statement.prepare(query.text, soci::details::st_one_time_query);
    statement.define_and_bind();
    std::size_t bytes = 0;
    for (bool more = statement.execute(true); more; more = statement.fetch()) {
      if (row.size() == 0) break;
      if (result.columns.empty())
        for (std::size_t i = 0; i < row.size(); ++i) result.columns.push_back(row.get_properties(i).get_name());
      if (result.rows.size() == options_.rows_max) return fail("the result is too large");
      auto& values = result.rows.emplace_back();
      for (std::size_t i = 0; i < row.size(); ++i) bytes += size_of(values.emplace_back(value_of(row, i)));
      if (bytes > options_.bytes_max) return fail("the result is too large");
    }
    result.affected = statement.get_affected_rows();
    return result;
  }

  const SqlOptions& options_;
  const bool postgres_;
  std::mutex mutex_;  // guards socket_ against interrupt()
  int socket_ = -1;
  soci::session session_;
  bool failed_ = false;
  ServiceTime answered_ = service_now();
};

}  // namespace

Result<std::unique_ptr<SqlSession>> open_soci_session(const SqlOptions& options, const SqlTarget& target) {
  try {
    return std::make_unique<SociSession>(options, target);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

Result<std::unique_ptr<SqlSession>> open_sql_session(const SqlOptions& options, const SqlTarget& target) {
  return target.backend == "sqlite3" ? open_sqlite_session(options, target) : open_soci_session(options, target);
}

}  // namespace perdure::net

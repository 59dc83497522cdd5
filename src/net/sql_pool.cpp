#include "net/sql_pool.hpp"

#include <fmt/format.h>
#include <soci/soci.h>

#include <charconv>
#include <optional>
#include <utility>

namespace perdure::net {
namespace {

using std::chrono::steady_clock;

constexpr auto connect_again_after = std::chrono::seconds(1);

// %XX as in RFC 3986; nullopt if it is none.
std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size() || std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr != text.data() + i + 3)
      return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

// What neither connection string can be broken by.
bool is_plain(std::string_view text) {
  return text.find_first_of(std::string_view("'\"\\ \t\r\n\0", 8)) == std::string_view::npos;
}

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

std::size_t size_of(const SqlValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? text->size() + sizeof value : sizeof value;
}

}  // namespace

Result<SqlTarget> SqlTarget::parse(const SqlOptions& options) {
  const std::string_view url = options.url;
  const auto bad = [](std::string_view why) { return fail(fmt::format("the URL of the database {}", why)); };
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return bad("is none: it begins with sqlite://, postgres:// or mysql://");
  const std::string_view scheme = url.substr(0, colon);
  std::string_view rest = url.substr(colon + 3);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.statement_timeout).count();
  if (scheme == "sqlite") {
    if (!rest.starts_with('/') || !is_plain(rest)) return bad("needs the absolute path of a file, without quotes and blanks");
    return SqlTarget{"sqlite3", fmt::format("dbname={} timeout={}", rest, seconds)};
  }
  const bool postgres = scheme == "postgres" || scheme == "postgresql";
  if (!postgres && scheme != "mysql") return bad("begins with sqlite://, postgres:// or mysql://");
  std::string user, password, port;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = rest.substr(0, at);
    const std::size_t split = who.find(':');
    const auto name = unescape(who.substr(0, split));
    const auto secret = unescape(split == std::string_view::npos ? std::string_view{} : who.substr(split + 1));
    if (!name || !secret) return bad("has a % without two digits");
    user = *name;
    password = *secret;
    rest.remove_prefix(at + 1);
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return bad("names no database");
  const std::string_view database = rest.substr(slash + 1);
  std::string_view host = rest.substr(0, slash);
  if (const std::size_t split = host.rfind(':'); split != std::string_view::npos && !host.ends_with(']')) {
    port = host.substr(split + 1);
    host = host.substr(0, split);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  for (const std::string_view part : {std::string_view(user), std::string_view(password), std::string_view(port), host, database})
    if (!is_plain(part)) return bad("has quotes, backslashes or blanks in it");
  if (host.empty()) host = "localhost";
  SqlTarget target{postgres ? "postgresql" : "mysql", fmt::format("host={} dbname={}", host, database)};
  if (!port.empty()) target.text += " port=" + port;
  if (!user.empty()) target.text += " user=" + user;
  if (!password.empty()) target.text += fmt::format(" password='{}'", password);
  if (postgres) target.text += " connect_timeout=5";
  return target;
}

// One thread's session; made when it is needed, thrown away when it is broken.
class SqlPool::Connection {
 public:
  explicit Connection(const SqlOptions& options, const SqlTarget& target) : options_(options), target_(target) {}

  // True: it has connected now.
  [[nodiscard]] Result<bool> open() {
    if (session_) return false;
    if (steady_clock::now() < next_attempt_) return fail("the database is not reachable: " + why_);
    try {
      session_.emplace(target_.backend, target_.text);
      configure();
      return true;
    } catch (const std::exception& error) {
      session_.reset();
      why_ = error.what();
      next_attempt_ = steady_clock::now() + connect_again_after;
      return fail("the database is not reachable: " + why_);
    }
  }

  [[nodiscard]] Result<SqlRows> run(const std::string& text) {
    try {
      return read(text);
    } catch (const std::exception& error) {
      const std::string what = error.what();
      bool alive = false;
      try {
        alive = session_->is_connected();
      } catch (const std::exception&) {
      }
      if (!alive) session_.reset();
      return fail(what);
    }
  }

 private:
  void configure() {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(options_.statement_timeout).count();
    if (target_.backend == "postgresql") *session_ << fmt::format("SET statement_timeout = {}", milliseconds);
    if (target_.backend == "sqlite3") *session_ << "PRAGMA journal_mode = WAL";
    if (target_.backend != "mysql") return;
    try {
      *session_ << fmt::format("SET SESSION max_execution_time = {}", milliseconds);
    } catch (const soci::soci_error&) {  // MariaDB calls it otherwise
      *session_ << fmt::format("SET SESSION max_statement_time = {:.3f}", static_cast<double>(milliseconds) / 1000);
    }
  }

  Result<SqlRows> read(const std::string& text) {
    SqlRows result;
    soci::row row;
    soci::statement statement(*session_);
    statement.exchange(soci::into(row));
    statement.alloc();
    statement.prepare(text);
    statement.define_and_bind();
    std::size_t bytes = 0;
    for (bool more = statement.execute(true); more; more = statement.fetch()) {
      if (row.size() == 0) break;
      if (result.columns.empty())
        for (std::size_t i = 0; i < row.size(); ++i) result.columns.push_back(row.get_properties(i).get_name());
      auto& values = result.rows.emplace_back();
      for (std::size_t i = 0; i < row.size(); ++i) bytes += size_of(values.emplace_back(value_of(row, i)));
      if (result.rows.size() > options_.rows_max || bytes > options_.bytes_max) return fail("the result is too large");
    }
    result.affected = statement.get_affected_rows();
    return result;
  }

  const SqlOptions& options_;
  const SqlTarget& target_;
  std::optional<soci::session> session_;
  steady_clock::time_point next_attempt_{};
  std::string why_;
};

Result<std::unique_ptr<SqlPool>> SqlPool::create(SqlOptions options) {
  auto target = SqlTarget::parse(options);
  if (!target) return std::unexpected(target.error());
  return std::unique_ptr<SqlPool>(new SqlPool(std::move(options), std::move(*target)));
}

SqlPool::SqlPool(SqlOptions options, SqlTarget target) : options_(std::move(options)), target_(std::move(target)) {
  for (unsigned i = 0; i < options_.connections; ++i) threads_.emplace_back([this] { serve(); });
}

SqlPool::~SqlPool() {
  std::deque<Job> left;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    left.swap(queue_);
  }
  has_work_.notify_all();
  for (auto& job : left) job.done(fail("the server is stopping"));
  for (auto& thread : threads_) thread.join();
}

void SqlPool::query(std::string text, Duration timeout, Done done) {
  {
    const std::scoped_lock lock(mutex_);
    ++counters_.queries;
    if (!stopping_ && queue_.size() < options_.queue_max) {
      queue_.push_back({std::move(text), steady_clock::now() + timeout, std::move(done)});
      has_work_.notify_one();
      return;
    }
    ++counters_.refused;
    ++counters_.errors;
  }
  done(fail("too many queries wait for the database"));
}

SqlPool::Counters SqlPool::counters() const {
  const std::scoped_lock lock(mutex_);
  Counters counters = counters_;
  counters.waiting = queue_.size();
  return counters;
}

void SqlPool::serve() {
  Connection connection(options_, target_);
  std::unique_lock lock(mutex_);
  while (true) {
    has_work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const auto begun = steady_clock::now();
    bool late = begun > job.deadline, connected = false;
    Result<SqlRows> result = fail("the database was busy for too long");
    if (!late) {
      const auto opened = connection.open();
      connected = opened && *opened;
      result = opened ? connection.run(job.text) : Result<SqlRows>(std::unexpected(opened.error()));
    }
    const auto busy = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count();
    lock.lock();
    counters_.busy_us += static_cast<std::uint64_t>(busy);
    counters_.connects += connected;
    counters_.late += late;
    counters_.errors += !result;
    lock.unlock();
    // Counted before: whoever has the answer may ask for the counters.
    job.done(std::move(result));
    job = {};
    lock.lock();
  }
}

}  // namespace perdure::net

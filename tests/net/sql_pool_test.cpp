#include "net/sql_pool.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

namespace perdure::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Sql : public testing::Test {
 protected:
  Sql() {
    char name[] = "/tmp/perdure-sql-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    options.url = "sqlite://" + folder_ + "/test.db";
  }
  ~Sql() override { std::filesystem::remove_all(folder_); }

  void start() {
    auto created = SqlPool::create(options);
    ASSERT_TRUE(created) << created.error().message;
    pool = std::move(*created);
  }
  std::future<Result<SqlRows>> begin(std::string text, Duration timeout = 20s) {
    auto promise = std::make_shared<std::promise<Result<SqlRows>>>();
    pool->query(std::move(text), timeout, [promise](Result<SqlRows> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  Result<SqlRows> run(std::string text) { return begin(std::move(text)).get(); }
  void fill() {
    ASSERT_TRUE(run("CREATE TABLE t (a INTEGER, b TEXT, c REAL)"));
    ASSERT_TRUE(run("INSERT INTO t VALUES (1, 'one', 1.5), (2, NULL, NULL), (9007199254740993, 'x:y', -0.25)"));
  }

  std::string folder_;
  SqlOptions options;
  std::unique_ptr<SqlPool> pool;
};

TEST_F(Sql, GivesRowsWithTheirTypes) {
  start();
  fill();
  const auto result = run("SELECT a, b, c FROM t ORDER BY a");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->columns, ElementsAre("a", "b", "c"));
  ASSERT_EQ(result->rows.size(), 3U);
  EXPECT_THAT(result->rows[0], ElementsAre(SqlValue(std::int64_t{1}), SqlValue("one"), SqlValue(1.5)));
  EXPECT_THAT(result->rows[1], ElementsAre(SqlValue(std::int64_t{2}), SqlValue(), SqlValue()));
  EXPECT_THAT(result->rows[2], ElementsAre(SqlValue(std::int64_t{9007199254740993}), SqlValue("x:y"), SqlValue(-0.25)));
  EXPECT_TRUE(run("SELECT a FROM t WHERE a = 77")->rows.empty());
}

TEST_F(Sql, CountsWhatAStatementChanges) {
  start();
  fill();
  EXPECT_EQ(run("UPDATE t SET b = 'new' WHERE a < 3")->affected, 2);
  EXPECT_EQ(run("DELETE FROM t")->affected, 3);
}

TEST_F(Sql, AnErrorIsThatOfOneQuery) {
  start();
  fill();
  const auto wrong = run("SELECT nothing FROM t");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("nothing"));
  EXPECT_TRUE(run("SELECT a FROM t"));
  EXPECT_EQ(pool->counters().errors, 1U);
}

TEST_F(Sql, ResultsAreBounded) {
  options.rows_max = 100;
  start();
  const std::string count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ";
  EXPECT_EQ(run(count + "100) SELECT i FROM n")->rows.size(), 100U);
  EXPECT_EQ(run(count + "101) SELECT i FROM n").error().message, "the result is too large");
  EXPECT_TRUE(run("SELECT 1")) << "the connection is as before";
}

TEST_F(Sql, QueueIsBoundedAndNothingBlocks) {
  options.connections = 1;
  options.queue_max = 10;
  start();
  // Holds the connection until the test says so.
  std::promise<void> hold, held;
  pool->query("SELECT 1", 20s, [&](const Result<SqlRows>&) {
    held.set_value();
    hold.get_future().wait();
  });
  held.get_future().wait();
  std::vector<std::future<Result<SqlRows>>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(begin("SELECT 2"));
  EXPECT_EQ(begin("SELECT 3").get().error().message, "too many requests wait for the database");
  EXPECT_EQ(pool->counters().overloads, 1U);
  EXPECT_EQ(pool->counters().waiting, 10U);
  hold.set_value();
  for (auto& one : waiting) EXPECT_TRUE(one.get());
}

TEST_F(Sql, AQueryThatIsTooLateDoesNotBegin) {
  options.connections = 1;
  start();
  std::promise<void> hold, held;
  pool->query("CREATE TABLE t (a)", 20s, [&](const Result<SqlRows>&) {
    held.set_value();
    hold.get_future().wait();
  });
  held.get_future().wait();
  auto late = begin("INSERT INTO t VALUES (1)", Duration(0));
  hold.set_value();
  EXPECT_EQ(late.get().error().message, "the database did not answer in time");
  EXPECT_TRUE(run("SELECT a FROM t")->rows.empty());
}

// Counts for minutes if it is let.
const char* const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

TEST_F(Sql, TheDeadlineEndsAStatement) {
  options.connections = 1;
  start();
  EXPECT_EQ(begin(endless, 50ms).get().error().message, "the database did not answer in time");
  EXPECT_TRUE(run("SELECT 1")) << "the connection is free again";
  EXPECT_EQ(pool->counters().timeouts, 1U);
}

TEST_F(Sql, TheStatementTimeoutEndsAStatement) {
  options.statement_timeout = 50ms;
  start();
  EXPECT_EQ(begin(endless, 20s).get().error().message, "the statement took too long");
  EXPECT_EQ(pool->counters().timeouts, 0U);
}

TEST_F(Sql, DestructionInterruptsWhatRuns) {
  options.connections = 2;
  options.statement_timeout = Duration(1h);
  start();
  std::vector<std::future<Result<SqlRows>>> all;
  for (int i = 0; i < 10; ++i) all.push_back(begin(endless, Duration(1h)));
  while (pool->counters().in_flight < 2) std::this_thread::yield();
  pool.reset();
  for (auto& one : all) EXPECT_EQ(one.get().error().message, "the server is stopping");
}

TEST_F(Sql, ParametersAreNotPartOfTheText) {
  start();
  fill();
  const auto ask = [&](SqlQuery query) {
    std::promise<Result<SqlRows>> promise;
    pool->query(std::move(query), 20s, [&](Result<SqlRows> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  };
  const std::string evil = "'; DROP TABLE t; --";
  ASSERT_TRUE(ask({"INSERT INTO t VALUES (:1, :2, :3)", {std::int64_t{7}, evil, 0.5}}));
  ASSERT_TRUE(ask({"INSERT INTO t VALUES (:1, :2, :3)", {std::int64_t{8}, SqlValue{}, SqlValue{}}}));
  EXPECT_EQ(ask({"SELECT a FROM t WHERE b = :1", {evil}})->rows, (std::vector<std::vector<SqlValue>>{{std::int64_t{7}}}));
  EXPECT_THAT(ask({"SELECT b, c FROM t WHERE a = :1", {std::int64_t{8}}})->rows[0], ElementsAre(SqlValue{}, SqlValue{}));
  EXPECT_EQ(ask({"SELECT :1", {}}).error().message, "0 parameters for 1 placeholders");
  EXPECT_FALSE(ask({"SELECT 1", {evil}}));
}

TEST_F(Sql, AWriterDoesNotStopReaders) {
  options.connections = 4;
  start();
  fill();
  EXPECT_EQ(run("PRAGMA journal_mode")->rows[0][0], SqlValue("wal"));
  std::vector<std::future<Result<SqlRows>>> all;
  for (int i = 0; i < 200; ++i) all.push_back(begin(i % 2 ? "UPDATE t SET c = c + 1" : "SELECT count(*) FROM t"));
  for (auto& one : all) {
    const auto result = one.get();
    EXPECT_TRUE(result) << result.error().message;
  }
  EXPECT_EQ(run("SELECT c FROM t WHERE a = 1")->rows[0][0], SqlValue(101.5));
}

TEST_F(Sql, ValuesAndBytesAreBounded) {
  options.bytes_max = 1000;
  start();
  EXPECT_FALSE(run("SELECT hex(zeroblob(501))"));
  EXPECT_TRUE(run("SELECT hex(zeroblob(400))"));
  EXPECT_EQ(run("SELECT hex(zeroblob(300)), hex(zeroblob(300))").error().message, "the result is too large");
}

TEST_F(Sql, CallbacksComeInThreadsOfThePool) {
  options.connections = 1;
  options.queue_max = 0;
  start();
  std::promise<std::thread::id> where;
  pool->query("SELECT 1", 20s, [&](const Result<SqlRows>& result) {
    EXPECT_EQ(result.error().message, "too many requests wait for the database");
    where.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
}

TEST_F(Sql, EveryQueryIsAnsweredWhenThePoolEnds) {
  start();
  std::vector<std::future<Result<SqlRows>>> all;
  for (int i = 0; i < 2000; ++i) all.push_back(begin("SELECT 1"));
  pool.reset();
  for (auto& one : all) (void)one.get();
}

TEST_F(Sql, ADatabaseThatIsAwayIsAnErrorOfTheQuery) {
  options.url = "sqlite:///nowhere/at/all.db";
  start();
  EXPECT_THAT(run("SELECT 1").error().message, HasSubstr("the database is not reachable: "));
  options.url = "postgres://user:secret@127.0.0.1:1/calls";
  start();
  const auto result = run("SELECT 1");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::Not(HasSubstr("secret")));
}

TEST(SqlTarget, ReadsUrls) {
  const auto text = [](std::string url) {
    SqlOptions options;
    options.url = std::move(url);
    const auto target = SqlTarget::parse(options);
    return target ? target->backend + ": " + target->text : target.error().message;
  };
  const std::string keepalive = " connect_timeout=5 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000";
  EXPECT_EQ(text("sqlite:///var/lib/perdure/p.db"), "sqlite3: /var/lib/perdure/p.db");
  EXPECT_EQ(text("postgres://kamailio:pa%40ss@db.example.org:5433/sip"),
            "postgresql: host=db.example.org dbname=sip port=5433 user=kamailio password='pa@ss'" + keepalive);
  EXPECT_EQ(text("mysql://root@[::1]:3306/sip"),
            "mysql: host=::1 dbname=sip port=3306 user=root connect_timeout=5 read_timeout=6 write_timeout=6");
  EXPECT_EQ(text("postgres:///sip"), "postgresql: host=localhost dbname=sip" + keepalive);
  EXPECT_EQ(text("oracle://x/y"), "the URL of the database begins with sqlite://, postgres:// or mysql://");
  EXPECT_EQ(text("sip.db"), "the URL of the database is none: it begins with sqlite://, postgres:// or mysql://");
  EXPECT_EQ(text("sqlite://relative.db"), "the URL of the database needs the absolute path of a file, without quotes and blanks");
  EXPECT_EQ(text("mysql://u:p%27@h/db"), "the URL of the database has quotes, backslashes or blanks in it");
  EXPECT_EQ(text("mysql://u:p%2@h/db"), "the URL of the database has a % without two digits");
  EXPECT_EQ(text("mysql://host"), "the URL of the database names no database");
}

}  // namespace
}  // namespace perdure::net

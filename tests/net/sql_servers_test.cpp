// The pool with real servers: types, deadlines, a server that dies, stops and comes back.
#include <gmock/gmock.h>

#include <future>

#include "net/servers.hpp"
#include "net/sql_pool.hpp"

namespace perdure::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Answer = std::future<Result<SqlRows>>;

// One server for all tests of its kind.
template <class Server>
class SqlServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server = std::make_unique<Server>();
    server->start();
  }
  static void TearDownTestSuite() { server.reset(); }

  void start() {
    options.url = server->url();
    auto created = SqlPool::create(options);
    ASSERT_TRUE(created) << created.error().message;
    pool = std::move(*created);
  }
  Answer begin(SqlQuery query, Duration timeout = 60s) {
    auto promise = std::make_shared<std::promise<Result<SqlRows>>>();
    pool->query(std::move(query), timeout, [promise](Result<SqlRows> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  Result<SqlRows> run(SqlQuery query) { return begin(std::move(query)).get(); }
  [[nodiscard]] static std::string wait_for(double seconds) {
    if constexpr (std::is_same_v<Server, Postgres>)
      return "SELECT pg_sleep(" + std::to_string(seconds) + ")::text";
    else
      return "SELECT sleep(" + std::to_string(seconds) + ")";
  }

  static inline std::unique_ptr<Server> server;
  SqlOptions options;
  std::unique_ptr<SqlPool> pool;
};

using Servers = testing::Types<Postgres, MariaDb>;
TYPED_TEST_SUITE(SqlServer, Servers);

TYPED_TEST(SqlServer, GivesRowsAndTakesParameters) {
  this->start();
  ASSERT_TRUE(this->run({"DROP TABLE IF EXISTS t"}));
  const auto made = this->run({"CREATE TABLE t (a BIGINT, b VARCHAR(50), c DOUBLE PRECISION, d TIMESTAMP NULL)"});
  ASSERT_TRUE(made) << made.error().message;
  const std::string evil = "it's \"x\" \\ :y";
  const auto written = this->run({"INSERT INTO t VALUES (:1, :2, :3, '2026-11-23 12:00:00')", {std::int64_t{9007199254740993}, evil, 0.5}});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->affected, 1);
  const auto result = this->run({"SELECT a, b, c, d, CAST(NULL AS CHAR(1)) AS e FROM t WHERE b = :1", {evil}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->columns, ElementsAre("a", "b", "c", "d", "e"));
  ASSERT_EQ(result->rows.size(), 1U);
  EXPECT_THAT(result->rows[0], ElementsAre(SqlValue(std::int64_t{9007199254740993}), SqlValue(evil), SqlValue(0.5),
                                           SqlValue("2026-11-23 12:00:00"), SqlValue{}));
  const auto wrong = this->run({"SELECT nothing FROM t WHERE b = :1", {"a secret"}});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, testing::AllOf(HasSubstr("nothing"), testing::Not(HasSubstr("a secret"))));
  EXPECT_TRUE(this->run({"SELECT a FROM t"}));
}

TYPED_TEST(SqlServer, ADeadlineIsKeptAndTheStatementEnds) {
  this->options.connections = 1;
  this->options.statement_timeout = 1s;
  this->start();
  ASSERT_TRUE(this->run({"SELECT 1"}));
  const auto begun = service_now();
  EXPECT_EQ(this->begin({this->wait_for(30)}, 100ms).get().error().message, "the database did not answer in time");
  EXPECT_LT(service_now() - begun, 1s);
  EXPECT_TRUE(this->run({"SELECT 1"}));
  EXPECT_LT(service_now() - begun, 15s) << "the server has ended the statement";
}

TYPED_TEST(SqlServer, ManyQueriesAtOnce) {
  this->options.connections = 8;
  this->start();
  std::vector<Answer> all;
  for (int i = 0; i < 2000; ++i) all.push_back(this->begin({this->wait_for(0.02)}));
  for (auto& one : all) {
    const auto result = one.get();
    EXPECT_TRUE(result) << result.error().message;
  }
  EXPECT_EQ(this->pool->counters().connects, 8U);
  EXPECT_EQ(this->pool->counters().waiting, 0U);
}

TYPED_TEST(SqlServer, AServerThatDiesAndComesBack) {
  this->start();
  std::vector<Answer> all;
  for (int i = 0; i < 4; ++i) all.push_back(this->begin({this->wait_for(30)}));
  ASSERT_TRUE(eventually([&] { return this->pool->counters().connects == 4; }));
  this->server->kill();
  for (auto& one : all) EXPECT_FALSE(one.get());
  EXPECT_FALSE(this->run({"SELECT 1"}));
  this->server->start();
  EXPECT_TRUE(eventually([&] { return this->run({"SELECT 1"}).has_value(); }));
}

TYPED_TEST(SqlServer, DestructionWithQueriesOutstanding) {
  this->options.connections = 2;
  this->options.statement_timeout = 2s;
  this->start();
  ASSERT_TRUE(this->run({"SELECT 1"}));
  std::vector<Answer> all;
  for (int i = 0; i < 20; ++i) all.push_back(this->begin({this->wait_for(30)}));
  ASSERT_TRUE(eventually([&] { return this->pool->counters().in_flight == 2; }));
  this->pool.reset();
  for (auto& one : all) EXPECT_FALSE(one.get());
}

}  // namespace
}  // namespace perdure::net

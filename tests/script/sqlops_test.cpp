// KSR.sqlops with a real SQLite: the callback waits for an answer.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class SqlOps : public testing::Test {
 protected:
  SqlOps() {
    char name[] = "/tmp/perdure-sqlops-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    net::SqlOptions options;
    options.url = "sqlite://" + folder_ + "/test.db";
    options.connections = 1;
    pool = std::move(*net::SqlPool::create(options));
  }
  ~SqlOps() override {
    pool.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Bench> bench(const std::string& script) {
    return std::make_unique<Bench>([&](ScriptOptions& options) {
      options.text = script;
      options.databases["db"] = {.pool = pool.get(), .timeout = 2s};
    });
  }
  // What `header` of the request that is relayed says when the script has done `body`.
  std::string header(const std::string& body, int answers = 1) {
    const auto one = bench(
        "function ksr_request_route()\n"
        "KSR.sqlops.sql_query('db', \"SELECT 1 AS a, 'two' AS b, NULL AS c, 2.5 AS d UNION ALL SELECT 3, 'four', 'x', 0.25 ORDER BY a\", "
        "'ra')\n"
        "local function put(v) KSR.hdr.append('X-Test: ' .. tostring(v)) end\n" +
        body + "\nKSR.tm.t_relay() end");
    EXPECT_EQ(first(one->receive(Request{}), "INVITE "), nullptr);
    std::vector<Sent> sent;
    for (int i = 0; i < answers; ++i) sent = one->deliver();
    const auto* invite = first(sent, "INVITE ");
    if (!invite) return one->runner().counters().last_error;
    return invite->header("X-Test");
  }

  std::string folder_;
  std::unique_ptr<net::SqlPool> pool;
};

TEST_F(SqlOps, ResultsAreVariables) {
  EXPECT_EQ(header("put(KSR.pv.get('$dbr(ra=>[0,0])') .. KSR.pv.get('$dbr(ra=>[1,1])') .. KSR.pv.get('$dbr(ra=>[1,3])'))"), "1four0.25");
  EXPECT_EQ(header("put(KSR.pv.get('$dbr(ra=>rows)') .. ' ' .. KSR.pv.get('$dbr(ra=>cols)') .. ' ' .. KSR.pv.get('$dbr(ra=>colname[1])'))"),
            "2 4 b");
  EXPECT_EQ(header("KSR.pv.seti('$var(i)', 1) put(KSR.pv.get('$dbr(ra=>[$var(i),0])'))"), "3");
  EXPECT_EQ(header("put(KSR.pv.get('$dbr(ra=>[0,2])'))"), "nil");
  for (const char* nothing : {"ra=>[2,0]", "ra=>[0,4]", "ra=>[-1,0]", "ra=>[x,0]", "ra=>what", "no=>[0,0]", "ra=>colname[9]", "ra"})
    EXPECT_EQ(header(std::string("put(KSR.pv.get('$dbr(") + nothing + ")'))"), "nil") << nothing;
  EXPECT_EQ(header("put(KSR.sqlops.sql_is_null('ra', 0, 2) .. ' ' .. KSR.sqlops.sql_is_null('ra', 0, 1))"), "1 -1");
  EXPECT_EQ(header("put(KSR.sqlops.sql_num_rows('ra') .. ' ' .. KSR.sqlops.sql_num_columns('ra') .. ' ' .. KSR.sqlops.sql_num_rows('x'))"),
            "2 4 -1");
  EXPECT_EQ(header("KSR.sqlops.sql_result_free('ra') put(KSR.pv.get('$dbr(ra=>[0,0])'))"), "nil");
}

TEST_F(SqlOps, RowsAreXavps) {
  EXPECT_EQ(header("KSR.sqlops.sql_xquery('db', \"SELECT 1 AS n, NULL AS m UNION ALL SELECT 2, 'last' ORDER BY n\", 'x')\n"
                   "put(KSR.pv.get('$xavp(x[0]=>n)') .. tostring(KSR.pv.get('$xavp(x[0]=>m)')) .. KSR.pv.get('$xavp(x[1]=>n)') .. "
                   "KSR.pv.get('$xavp(x[1]=>m)'))",
                   2),
            "1nil2last");
}

TEST_F(SqlOps, ReturnsWhatBecameOfTheQuery) {
  EXPECT_EQ(header("put(KSR.sqlops.sql_query('db', 'SELECT 1 WHERE 1 = 0', 'rb'))", 2), "2");
  EXPECT_EQ(header("put(KSR.sqlops.sql_query('db', 'SELECT 1', 'rb'))", 2), "1");
  EXPECT_EQ(header("put(KSR.sqlops.sql_query('db', 'NO SQL', 'rb'))", 2), "-1");
  EXPECT_EQ(header("put(KSR.sqlops.sql_query('other', 'SELECT 1', 'rb'))"),
            "default.lua:4: KSR.sqlops.sql_query: there is no database other");
}

TEST_F(SqlOps, ManyWaitAndEachGetsItsOwnAnswer) {
  const auto one = bench(
      "function ksr_request_route()\n"
      "KSR.sqlops.sql_query('db', \"SELECT '\" .. KSR.pv.get('$ci') .. \"'\", 'ra')\n"
      "KSR.hdr.append('X-Test: ' .. KSR.pv.get('$dbr(ra=>[0,0])') .. ' ' .. KSR.pv.get('$ci'))\n"
      "KSR.tm.t_relay() end");
  constexpr int count = 200;
  for (int i = 0; i < count; ++i) {
    Request request;
    request.call_id = "call-" + std::to_string(i);
    request.branch += std::to_string(i);
    one->receive(request);
  }
  for (int i = 0; i < count; ++i) {
    const auto sent = one->deliver();
    const auto* invite = first(sent, "INVITE ");
    ASSERT_TRUE(invite);
    const std::string call_id = invite->header("Call-ID");
    EXPECT_EQ(invite->header("X-Test"), call_id + " " + call_id);
  }
  EXPECT_EQ(one->proxy().waiting(), 0U);
}

TEST_F(SqlOps, AnAnswerAfterTheDeadlineIsNotUsed) {
  const auto one = bench(
      "function ksr_request_route()\n"
      "KSR.hdr.append('X-Test: ' .. KSR.sqlops.sql_query('db', 'SELECT 1', 'ra') .. tostring(KSR.pv.get('$dbr(ra=>[0,0])')))\n"
      "KSR.tm.t_relay() end");
  one->receive(Request{});
  const auto sent = one->advance(2100ms);  // simulated time: the answer waits in the mailbox
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->header("X-Test"), "-1nil");
  EXPECT_THAT(one->deliver(), IsEmpty());
}

TEST_F(SqlOps, IsNotThereWithoutADatabase) {
  Bench without("function ksr_request_route() KSR.sl.send_reply(KSR.sqlops and 200 or 404, 'x') end");
  EXPECT_TRUE(first(without.receive(Request{}), "SIP/2.0 404 "));
}

}  // namespace
}  // namespace perdure::script

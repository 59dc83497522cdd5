// Commands with a real Redis server: replies, deadlines, a server that dies, stops and comes back.
#include "net/redis_pool.hpp"

#include <gmock/gmock.h>

#include <future>

#include "net/servers.hpp"

namespace perdure::net {
namespace {

using testing::HasSubstr;
using Answer = std::future<Result<RedisReply>>;
using Type = RedisReply::Type;

class RedisTest : public testing::Test {
 protected:
  void start() {
    if (options.url.empty()) {
      server.start();
      options.url = server.url();
    }
    auto created = RedisPool::create(options);
    ASSERT_TRUE(created) << created.error().message;
    pool = std::move(*created);
  }
  Answer begin(std::vector<std::string> words, Duration timeout = 20s) {
    auto promise = std::make_shared<std::promise<Result<RedisReply>>>();
    pool->query({std::move(words)}, timeout, [promise](Result<RedisReply> reply) { promise->set_value(std::move(reply)); });
    return promise->get_future();
  }
  Result<RedisReply> run(std::vector<std::string> words) { return begin(std::move(words)).get(); }

  Redis server;
  RedisOptions options;
  std::unique_ptr<RedisPool> pool;
};

TEST_F(RedisTest, GivesRepliesOfEachType) {
  start();
  EXPECT_EQ(run({"SET", "key", std::string("a b\0\r\n%s", 8)})->text, "OK");
  EXPECT_EQ(run({"SET", "key", "x"})->type, Type::Status);
  EXPECT_EQ(run({"SET", "bytes", std::string("a b\0\r\n%s", 8)})->text, "OK");
  const auto text = run({"GET", "bytes"});
  EXPECT_EQ(text->type, Type::String);
  EXPECT_EQ(text->text, std::string("a b\0\r\n%s", 8));
  EXPECT_EQ(run({"GET", "nothing"})->type, Type::Nil);
  const auto number = run({"INCRBY", "n", "9007199254740993"});
  EXPECT_EQ(number->type, Type::Integer);
  EXPECT_EQ(number->integer, 9007199254740993);
  ASSERT_TRUE(run({"RPUSH", "list", "one", "two"}));
  const auto list = run({"EVAL", "return {1, 'two', {'three'}}", "0"});
  ASSERT_EQ(list->type, Type::Array);
  ASSERT_EQ(list->elements.size(), 3U);
  EXPECT_EQ(list->elements[0].integer, 1);
  EXPECT_EQ(list->elements[1].text, "two");
  EXPECT_EQ(list->elements[2].elements.at(0).text, "three");
  const auto error = run({"NOSUCH"});
  EXPECT_EQ(error->type, Type::Error);
  EXPECT_THAT(error->text, HasSubstr("unknown command"));
  EXPECT_EQ(pool->counters().errors, 0U);
  EXPECT_EQ(pool->counters().requests, 9U);
}

TEST_F(RedisTest, LogsInAndSelectsTheDatabase) {
  Redis known("plain");
  known.start();
  options.url = known.url() + "/3";
  options.connections = 1;
  start();
  ASSERT_TRUE(run({"SET", "here", "1"}));
  EXPECT_EQ(run({"SELECT", "0"})->text, "OK");
  EXPECT_EQ(run({"GET", "here"})->type, Type::Nil);
  options.url = "redis://:wrong@" + known.url().substr(known.url().find('@') + 1);
  start();
  EXPECT_THAT(run({"PING"}).error().message, HasSubstr("Redis is not reachable: WRONGPASS"));
}

TEST_F(RedisTest, AnswersAtTheDeadlineWhenTheServerHasStopped) {
  options.connections = 1;
  options.timeout = 300ms;
  start();
  ASSERT_TRUE(run({"PING"}));
  server.process.signal(SIGSTOP);
  const auto begun = service_now();
  auto first = begin({"SET", "late", "1"}, 100ms), second = begin({"GET", "late"}, 100ms);
  EXPECT_EQ(first.get().error().message, "Redis did not answer in time");
  EXPECT_EQ(second.get().error().message, "Redis did not answer in time");
  EXPECT_LT(service_now() - begun, 5s);
  EXPECT_EQ(pool->counters().timeouts, 2U);
  EXPECT_EQ(run({"GET", "late"}).error().message, "the command took too long");
  server.process.signal(SIGCONT);
  // The connection that waits for the old answer is given up: nobody gets the answer of another.
  ASSERT_TRUE(eventually([&] {
    const auto pong = run({"ECHO", "now"});
    if (pong) {
      EXPECT_EQ(pong->text, "now");
    }
    return pong.has_value();
  }));
  EXPECT_GE(pool->counters().connects, 2U);
}

TEST_F(RedisTest, ComesBackWithItsServer) {
  start();
  ASSERT_TRUE(run({"PING"}));
  server.kill();
  EXPECT_THAT(run({"PING"}).error().message, HasSubstr("Redis is not reachable"));
  EXPECT_THAT(run({"PING"}).error().message, HasSubstr("Redis is not reachable"));
  server.start();
  EXPECT_TRUE(eventually([&] { return run({"PING"}).has_value(); }));
}

TEST_F(RedisTest, RefusesWhatIsTooMuch) {
  options.bytes_max = 100'000;
  options.queue_max = 1;
  options.connections = 1;
  start();
  ASSERT_TRUE(run({"SET", "large", std::string(200'000, 'x')}));
  EXPECT_EQ(run({"GET", "large"}).error().message, "the reply is too large");
  EXPECT_EQ(run({"STRLEN", "large"})->integer, 200'000);
  auto running = begin({"BLPOP", "never", "1"});
  ASSERT_TRUE(eventually([&] { return pool->counters().in_flight == 1; }));
  auto waiting = begin({"PING"});
  EXPECT_EQ(begin({"PING"}).get().error().message, "too many requests wait for Redis");
  EXPECT_EQ(pool->counters().overloads, 1U);
  (void)running.get();
  EXPECT_TRUE(waiting.get());
}

TEST_F(RedisTest, EndsWithAnErrorForAllThatWait) {
  options.connections = 1;
  start();
  ASSERT_TRUE(run({"PING"}));
  auto running = begin({"BLPOP", "never", "30"}), waiting = begin({"PING"});
  pool.reset();
  EXPECT_EQ(running.get().error().message, "the server is stopping");
  EXPECT_EQ(waiting.get().error().message, "the server is stopping");
}

TEST(RedisUrl, SaysWhereTheServerIs) {
  const auto parsed = RedisTarget::parse("redis://user:p%40ss%2F@[::1]:7000/12");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->host, "::1");
  EXPECT_EQ(parsed->port, 7000);
  EXPECT_EQ(parsed->user, "user");
  EXPECT_EQ(parsed->password, "p@ss/");
  EXPECT_EQ(parsed->database, 12U);
  EXPECT_EQ(RedisTarget::parse("redis://host")->port, 6379);
  EXPECT_EQ(RedisTarget::parse("unix:///run/redis.sock")->path, "/run/redis.sock");
  for (const char* bad : {"", "host", "http://host", "redis://", "redis://:6379", "redis://host:x", "redis://host:0", "redis://host/x",
                          "redis://only@host", "redis://:%4@host", "unix://relative"})
    EXPECT_FALSE(RedisTarget::parse(bad)) << bad;
  EXPECT_THAT(RedisTarget::parse("redis://:secret@").error().message, testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace perdure::net

// KSR.ndb_redis, KSR.http_client, KSR.http_async_client with real servers: the callback waits for an answer. KSR.jansson.
#include <gmock/gmock.h>

#include "bench.hpp"
#include "net/servers.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;

// What `header` of the request that is relayed says when the script has done `body`, which waits `answers` times.
class Services : public testing::Test {
 protected:
  std::string header(const std::string& body, int answers = 1) {
    Bench one([&](ScriptOptions& options) {
      offer(options);
      options.text =
          "local function put(v) KSR.hdr.append('X-Test: ' .. tostring(v)) end\nlocal get = KSR.pv.get\nfunction ksr_request_route()\n" +
          body +
          "\nKSR.tm.t_relay() end\nfunction later()\n put(tostring(get('$http_ok')) .. ' ' .. tostring(get('$http_rs')) .. ' ' .. "
          "(tostring(get('$http_rb')):gsub('\\n', '/')) .. ' ' .. tostring(get('$http_err')))\n KSR.tm.t_relay() end";
    });
    std::vector<Sent> sent = one.receive(Request{});
    if (answers > 0) {
      EXPECT_EQ(first(sent, "INVITE "), nullptr);
    }
    for (int i = 0; i < answers; ++i) sent = one.deliver();
    const auto* invite = first(sent, "INVITE ");
    if (!invite) return one.runner().counters().last_error;
    return invite->header("X-Test");
  }
  virtual void offer(ScriptOptions& options) { (void)options; }
};

class NdbRedis : public Services {
 protected:
  static void SetUpTestSuite() {
    server = std::make_unique<net::Redis>();
    server->start();
    net::RedisOptions options;
    options.url = server->url();
    options.connections = 1;
    pool = std::move(*net::RedisPool::create(options));
  }
  static void TearDownTestSuite() {
    pool.reset();
    server.reset();
  }
  void offer(ScriptOptions& options) override { options.redis["srv"] = {.pool = pool.get(), .timeout = 10s}; }

  static inline std::unique_ptr<net::Redis> server;
  static inline std::unique_ptr<net::RedisPool> pool;
};

TEST_F(NdbRedis, RepliesAreVariables) {
  EXPECT_EQ(header("KSR.ndb_redis.redis_cmd('srv', 'SET key 100%%', 'r')\n"
                   "put(get('$redis(r=>type)') .. get('$redis(r=>info)') .. tostring(get('$redis(r=>value)')))"),
            "5OKnil");
  EXPECT_EQ(header("put(KSR.ndb_redis.redis_cmd('srv', 'GET key', 'r') .. ' ' .. get('$redis(r=>value)'))"), "1 100%");
  EXPECT_EQ(
      header("put(KSR.ndb_redis.redis_cmd('srv', 'GET none', 'r') .. ' ' .. get('$redis(r=>type)') .. tostring(get('$redis(r=>value)')))"),
      "1 4nil");
  EXPECT_EQ(header("KSR.ndb_redis.redis_cmd('srv', 'INCR n', 'r') put(get('$redis(r=>value)') + 1)"), "2");
  EXPECT_EQ(
      header("KSR.ndb_redis.redis_cmd('srv', 'RPUSH list one two', 'a')\nKSR.ndb_redis.redis_cmd('srv', 'LRANGE list 0 -1', 'b')\n"
             "KSR.pv.seti('$var(i)', 1)\n"
             "put(get('$redis(a=>value)') .. get('$redis(b=>size)') .. get('$redis(b=>value[0])') .. get('$redis(b=>value[$var(i)])') .. "
             "get('$redis(b=>type[1])') .. tostring(get('$redis(b=>value[2])')) .. tostring(get('$redis(b=>value)')))",
             2),
      "22onetwo1nilnil");
  for (const char* nothing : {"x=>value", "r=>what", "r=>value[0]", "r=>size", "r", "r=>value[x]", "r=>value[-1]"})
    EXPECT_EQ(header(std::string("KSR.ndb_redis.redis_cmd('srv', 'PING', 'r') put(get('$redis(") + nothing + ")'))"), "nil") << nothing;
}

TEST_F(NdbRedis, ParametersAreWholeWords) {
  EXPECT_EQ(
      header(
          "KSR.ndb_redis.redis_cmd_p2('srv', 'SET p:%s  %s', 'a', 'x y %s', 'r')\nKSR.ndb_redis.redis_cmd_p1('srv', 'GET p:%s', 'a', 'r')\n"
          "put(get('$redis(r=>value)'))",
          2),
      "x y %s");
  EXPECT_EQ(
      header(
          "KSR.ndb_redis.redis_cmd_p3('srv', 'EVAL %s 1 %s %s', 'return KEYS[1] .. ARGV[1]', 'k', 'v', 'r') put(get('$redis(r=>value)'))"),
      "kv");
  EXPECT_THAT(header("KSR.ndb_redis.redis_cmd('srv', 'GET %s', 'r')", 0), HasSubstr("the command has more %s than there are parameters"));
  EXPECT_THAT(header("KSR.ndb_redis.redis_cmd('srv', ' ', 'r')", 0), HasSubstr("the command is empty"));
}

TEST_F(NdbRedis, SaysWhatWentWrong) {
  EXPECT_EQ(header("put(KSR.ndb_redis.redis_cmd('srv', 'NOSUCH', 'r') .. get('$redis(r=>type)') .. get('$redis(r=>info)'))"),
            "-16ERR unknown command 'NOSUCH', with args beginning with: ");
  EXPECT_THAT(header("KSR.ndb_redis.redis_cmd('other', 'PING', 'r')", 0), HasSubstr("there is no Redis server other"));
  EXPECT_EQ(header("KSR.ndb_redis.redis_cmd('srv', 'PING', 'r') put(KSR.ndb_redis.redis_free('r') .. KSR.ndb_redis.redis_free('r') .. "
                   "tostring(get('$redis(r=>info)')))"),
            "1-1nil");
}

class HttpModules : public Services {
 protected:
  void offer(ScriptOptions& options) override {
    service.client = &client;
    service.timeout = 10s;
    service.connections["api"] = {.url = server.url("/base"),
                                  .user = "me",
                                  .password = "secret",
                                  .content_type = "text/x",
                                  .ca_file = {},
                                  .client_certificate = {},
                                  .client_key = {},
                                  .timeout = 10s};
    options.http = &service;
  }
  static std::string answer(const std::string& request) {
    if (request.starts_with("GET /lines")) return net::HttpServer::response(200, "one\ntwo\n");
    if (request.starts_with("GET /bad")) return net::HttpServer::response(503, "away");
    if (request.starts_with("GET /missing")) return net::HttpServer::response(404, "not here", "X-Why: gone\r\n");
    if (request.starts_with("GET /nothing")) return {};
    // Who has a password shows it only when it is asked for.
    if (request.find(" /base") != std::string::npos && request.find("Authorization: ") == std::string::npos)
      return net::HttpServer::response(401, "who are you", "WWW-Authenticate: Basic realm=\"api\"\r\n");
    // The first line, headers that start with X or name what was sent, and the body.
    std::string seen = request.substr(0, request.find(" HTTP"));
    for (const char* name : {"X-A: ", "X-B: ", "Content-Type: ", "Authorization: "})
      if (const auto at = request.find(std::string("\r\n") + name); at != std::string::npos)
        seen += "|" + request.substr(at + 2, request.find("\r\n", at + 2) - at - 2);
    return net::HttpServer::response(200, seen + "|" + request.substr(request.find("\r\n\r\n") + 4));
  }

  net::HttpServer server{answer};
  net::HttpClient client{{}};
  HttpService service;
};

TEST_F(HttpModules, GivesTheStatusAndTheFirstLine) {
  EXPECT_EQ(header("local code = KSR.http_client.query('" + server.url("/lines") + "', '$var(r)') put(code .. ' ' .. get('$var(r)'))"),
            "200 one");
  EXPECT_EQ(header("local code = KSR.http_client.query('" + server.url("/bad") + "', '$var(r)') put(code .. ' ' .. get('$var(r)'))"),
            "503 ");
  EXPECT_EQ(header("local code = KSR.http_client.query('" + server.url("/missing") + "', '$avp(r)') put(code .. ' ' .. get('$avp(r)'))"),
            "404 not here");
  EXPECT_EQ(header("local code = KSR.http_client.query('" + server.url("/nothing") +
                   "', '$var(r)') put(code .. ' ' .. get('$curlerror(52)') .. get('$var(r)'))"),
            "52 Server returned nothing (no headers, no data)");
  service.first_line_only = false;
  EXPECT_EQ(header("KSR.http_client.query('" + server.url("/lines") + "', '$var(r)') put(string.len(get('$var(r)')))"), "8");
}

TEST_F(HttpModules, SendsBodiesAndHeaders) {
  EXPECT_EQ(header("KSR.http_client.query_post('" + server.url("/p") + "', 'data', '$var(r)') put(get('$var(r)'))"),
            "POST /p|Content-Type: application/x-www-form-urlencoded|data");
  EXPECT_EQ(header("KSR.http_client.query_post_hdrs('" + server.url("/p") +
                   "', '{}', 'X-A: 1\\r\\nX-B: 2\\r\\n\\r\\n', '$var(r)') put(get('$var(r)'))"),
            "POST /p|X-A: 1|X-B: 2|Content-Type: application/x-www-form-urlencoded|{}");
  EXPECT_EQ(header("KSR.http_client.get_hdrs('" + server.url("/g") + "', '', 'X-A: 1', '$var(r)') put(get('$var(r)'))"), "GET /g|X-A: 1|");
}

TEST_F(HttpModules, KnowsServersByName) {
  EXPECT_EQ(header("put(KSR.http_client.curl_connect('api', 'x/y', '$var(r)') .. get('$var(r)'))"),
            "200GET /base/x/y|Authorization: Basic bWU6c2VjcmV0|");
  EXPECT_EQ(header("KSR.http_client.curl_connect_post('api', '/z', 'a/b', 'text', '$var(r)') put(get('$var(r)'))"),
            "POST /base/z|Content-Type: a/b|Authorization: Basic bWU6c2VjcmV0|text");
  EXPECT_THAT(header("KSR.http_client.curl_connect('none', '/', '$var(r)')", 0), HasSubstr("there is no HTTP connection none"));
  EXPECT_THAT(header("KSR.http_client.query('http://x/', '$ci')", 0), HasSubstr("\"$ci\" cannot be set"));
  EXPECT_THAT(header("KSR.http_client.query('http://x/', '$nothing')", 0), HasSubstr("$nothing"));
}

TEST_F(HttpModules, GoesOnInTheFunctionWhenTheResponseIsThere) {
  EXPECT_EQ(header("KSR.http_async_client.query('" + server.url("/lines") + "', 'later') put('never')"), "1 200 one/two/ nil");
  EXPECT_EQ(header("KSR.http_async_client.query('" + server.url("/missing") + "', 'later')"), "1 404 not here nil");
  EXPECT_EQ(header("KSR.http_async_client.query('" + server.url("/nothing") + "', 'later')"),
            "0 nil nil Server returned nothing (no headers, no data)");
  EXPECT_EQ(
      header("KSR.pv.sets('$http_req(method)', 'PUT') KSR.pv.sets('$http_req(hdr)', 'X-A: 1') KSR.pv.sets('$http_req(hdr)', 'X-B: 2')\n"
             "KSR.pv.sets('$http_req(body)', 'b') KSR.pv.seti('$http_req(timeout)', 5000)\n"
             "KSR.http_async_client.query('" +
             server.url("/q") + "', 'later')"),
      "1 200 PUT /q|X-A: 1|X-B: 2|Content-Type: application/x-www-form-urlencoded|b nil");
  EXPECT_THAT(header("KSR.http_async_client.query('http://x/', 'nowhere')", 0), HasSubstr("there is no function nowhere"));
  EXPECT_THAT(header("KSR.pv.sets('$http_req(hdr)', 'X: 1\\r\\nY: 2')", 0), HasSubstr("an HTTP header is one line"));
}

TEST_F(HttpModules, ASuspendOfZeroGoesOnAtOnce) {
  EXPECT_EQ(header("KSR.pv.seti('$http_req(suspend)', 0) put(KSR.http_async_client.query('" + server.url("/lines") + "', 'later'))", 0),
            "1");
  EXPECT_TRUE(net::eventually([&] { return client.counters().requests == 1 && client.counters().latency_us > 0; }));
}

using Jansson = Services;

TEST_F(Jansson, FindsValuesByTheirPaths) {
  const std::string document =
      R"('{"s":"t\\u00e9xt","n":5,"big":12345678901,"r":2.50,"t":true,"f":false,"z":null,"o":{"a":[1,[2,"x"]]},"a.b":1}')";
  const auto got = [&](const std::string& path) {
    return header("local d = " + document + "\nlocal code = KSR.jansson.get('" + path +
                      "', d, '$var(v)') put(code .. ' ' .. tostring(get('$var(v)')))",
                  0);
  };
  EXPECT_EQ(got("s"), "1 t\xc3\xa9xt");
  EXPECT_EQ(got("n"), "1 5");
  EXPECT_EQ(got("big"), "1 12345678901");
  EXPECT_EQ(got("r"), "1 2.5");
  EXPECT_EQ(got("t"), "1 1");
  EXPECT_EQ(got("f"), "1 0");
  EXPECT_EQ(got("o"), R"(1 {"a":[1,[2,"x"]]})");
  EXPECT_EQ(got("o.a[1][1]"), "1 x");
  EXPECT_EQ(got("o.a[0]"), "1 1");
  for (const char* nothing : {"x", "o.a[2]", "o.a[-1]", "o.a[x]", "o.a[0", "o[0]", "n.x", "[0]"})
    EXPECT_THAT(got(nothing), testing::StartsWith("-1 ")) << nothing;
  EXPECT_EQ(header("put(KSR.jansson.get('a', 'no json', '$var(v)'))", 0), "-1");
  EXPECT_EQ(header("put(KSR.jansson.get('a', '{\"a\":1,\"a\":2}', '$var(v)'))", 0), "-1");
  EXPECT_EQ(header("put(KSR.jansson.get_field('{\"a\":1}', 'a', '$var(v)') .. get('$var(v)'))", 0), "11");
  EXPECT_EQ(header("put(KSR.jansson.array_size('a', '{\"a\":[1,2,3]}', '$var(v)') .. get('$var(v)') .. KSR.jansson.array_size('b', "
                   "'{\"b\":1}', '$var(v)'))",
                   0),
            "13-1");
}

TEST_F(Jansson, ChangesTheDocumentOfAVariable) {
  EXPECT_EQ(header("local set, append = KSR.jansson.set, KSR.jansson.append\n"
                   "set('string', 'a.b', 'text', '$var(d)') set('int', 'n', '-7', '$var(d)') set('true', 't', '', '$var(d)')\n"
                   "set('array', 'l', '[1]', '$var(d)') append('real', 'l', '2.5', '$var(d)') set('null', 'l[0]', '', '$var(d)')\n"
                   "append('obj', 'a', '{\"c\":false}', '$var(d)')\n"
                   "put(get('$var(d)'))",
                   0),
            R"({"a":{"b":"text","c":false},"n":-7,"t":true,"l":[null,2.5]})");
  for (const char* bad : {"set('int', 'n', 'x', '$var(d)')", "set('what', 'n', '1', '$var(d)')", "set('int', '', '1', '$var(d)')",
                          "set('int', 'l[0]', '1', '$var(d)')", "set('int', 'a..b', '1', '$var(d)')", "append('int', 'n', '1', '$var(d)')",
                          "set('object', 'o', '[]', '$var(d)')", "set('array', 'o', '{', '$var(d)')"})
    EXPECT_EQ(header(std::string("put(KSR.jansson.") + bad + " .. ' ' .. get('$var(d)'))", 0), "-1 0") << bad;
}

}  // namespace
}  // namespace perdure::script

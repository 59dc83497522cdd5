// Requests to a small server: what goes out, what comes back, deadlines and limits, verification of certificates.
#include "net/http_client.hpp"

#include <gmock/gmock.h>

#include <future>

#include "net/servers.hpp"

namespace perdure::net {
namespace {

using testing::HasSubstr;
using testing::Not;
using Answer = std::future<HttpResponse>;

class Http : public testing::Test {
 protected:
  void start() { client = std::make_unique<HttpClient>(options); }
  Answer begin(HttpRequest request, Duration timeout = 20s) {
    auto promise = std::make_shared<std::promise<HttpResponse>>();
    client->request(std::move(request), timeout, [promise](HttpResponse response) { promise->set_value(std::move(response)); });
    return promise->get_future();
  }
  HttpResponse get(const std::string& url, Duration timeout = 20s) {
    HttpRequest request;
    request.url = url;
    return begin(request, timeout).get();
  }

  HttpOptions options;
  std::unique_ptr<HttpClient> client;
};

TEST_F(Http, SendsWhatItIsToldAndGivesTheResponse) {
  HttpServer server(
      [](const std::string& request) { return HttpServer::response(request.starts_with("GET") ? 404 : 201, request, "X-One: 1\r\n"); });
  start();
  auto response = get(server.url("/a?b=c"));
  EXPECT_EQ(response.error, 0) << response.error_text;
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.head, testing::StartsWith("HTTP/1.1 404 Reason of 404\r\nX-One: 1\r\n"));
  EXPECT_THAT(response.body, testing::StartsWith("GET /a?b=c HTTP/1.1\r\n"));
  EXPECT_THAT(response.body, HasSubstr("User-Agent: perdure\r\n"));

  HttpRequest request;
  request.url = server.url();
  request.body = "some text";
  request.headers = {"X-Mine: yes", "Content-Type: application/json"};
  response = begin(request).get();
  EXPECT_EQ(response.status, 201);
  EXPECT_THAT(response.body, testing::StartsWith("POST / HTTP/1.1\r\n"));
  EXPECT_THAT(response.body, HasSubstr("X-Mine: yes\r\n"));
  EXPECT_THAT(response.body, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(response.body, testing::EndsWith("\r\n\r\nsome text"));
  request.method = "PUT";
  EXPECT_THAT(begin(request).get().body, testing::StartsWith("PUT / HTTP/1.1\r\n"));
  const auto counters = client->counters();
  EXPECT_EQ(counters.requests, 3U);
  EXPECT_EQ(counters.errors, 0U);
  EXPECT_EQ(counters.connects, 3U);
}

TEST_F(Http, AnswersAtTheDeadline) {
  std::promise<void> go;
  HttpServer server([gone = go.get_future().share()](const std::string&) {
    gone.wait();
    return HttpServer::response(200, "late");
  });
  options.connections = 1;
  start();
  const auto begun = service_now();
  HttpRequest request;
  request.url = server.url();
  auto running = begin(request, 100ms), waiting = begin(request, 50ms);
  EXPECT_EQ(waiting.get().error, 28);
  EXPECT_EQ(running.get().error, 28);
  EXPECT_LT(service_now() - begun, 5s);
  EXPECT_EQ(client->counters().timeouts, 2U);
  go.set_value();
  EXPECT_EQ(get(server.url()).body, "late");
}

TEST_F(Http, BoundsWhatIsUnderWayAndWhatWaits) {
  std::promise<void> go;
  HttpServer server([gone = go.get_future().share()](const std::string&) {
    gone.wait();
    return HttpServer::response(200, "yes");
  });
  options.connections = 2;
  options.queue_max = 5;
  start();
  HttpRequest request;
  request.url = server.url();
  std::vector<Answer> answers;
  for (int i = 0; i < 2; ++i) answers.push_back(begin(request));
  ASSERT_TRUE(eventually([&] { return client->counters().in_flight == 2; }));
  for (int i = 0; i < 5; ++i) answers.push_back(begin(request));
  EXPECT_EQ(begin(request).get().error_text, "too many HTTP requests wait");
  EXPECT_EQ(client->counters().overloads, 1U);
  go.set_value();
  for (auto& answer : answers) EXPECT_EQ(answer.get().body, "yes");
  EXPECT_LE(server.most(), 2);
}

TEST_F(Http, RefusesAResponseThatIsTooLarge) {
  HttpServer server([](const std::string& request) {
    if (request.starts_with("GET /head")) return HttpServer::response(200, "", "X: " + std::string(5000, 'x') + "\r\n");
    if (request.starts_with("GET /unsaid")) return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(5000, 'x');
    return HttpServer::response(200, std::string(request.starts_with("GET /fits") ? 1000 : 5000, 'x'));
  });
  options.body_max = 1000;
  options.head_max = 2000;
  start();
  EXPECT_EQ(get(server.url("/fits")).body.size(), 1000U);
  for (const char* path : {"/said", "/unsaid", "/head"}) {
    const auto response = get(server.url(path));
    EXPECT_NE(response.error, 0) << path;
    EXPECT_EQ(response.body, "");
  }
}

TEST_F(Http, FollowsRedirectsOnlyIfItMay) {
  HttpServer server([](const std::string& request) {
    return request.starts_with("GET /new") ? HttpServer::response(200, "here") : HttpServer::response(302, "moved", "Location: /new\r\n");
  });
  start();
  EXPECT_EQ(get(server.url("/old")).status, 302);
  options.follow_redirects = true;
  start();
  const auto response = get(server.url("/old"));
  EXPECT_EQ(response.body, "here");
  EXPECT_THAT(response.head, Not(HasSubstr("Location")));
}

TEST_F(Http, SaysWhyThereIsNoResponse) {
  HttpServer silent([](const std::string&) { return std::string(); });
  start();
  EXPECT_EQ(get("http://127.0.0.1:" + std::to_string(free_port())).error, 7);
  EXPECT_EQ(get(silent.url()).error, 52);
  EXPECT_EQ(get("http://").error, 3);
  EXPECT_NE(get("ftp://127.0.0.1/").error, 0);
  EXPECT_NE(get("file:///etc/passwd").error, 0);
  EXPECT_EQ(HttpClient::error_text(7), "Couldn't connect to server");
  EXPECT_EQ(client->counters().errors, 5U);
}

TEST_F(Http, VerifiesCertificates) {
  TemporaryFolder folder;
  Process made;
  made.start({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder.path("key.pem"), "-out",
              folder.path("cert.pem"), "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"},
             folder.path("log"));
  ASSERT_EQ(made.wait(), 0) << "is openssl installed?";
  const int port = free_port();
  Process server;
  server.start({"openssl", "s_server", "-accept", "127.0.0.1:" + std::to_string(port), "-cert", folder.path("cert.pem"), "-key",
                folder.path("key.pem"), "-www"},
               folder.path("server.log"));
  const std::string url = "https://127.0.0.1:" + std::to_string(port) + "/";
  options.ca_file = folder.path("cert.pem");
  start();
  ASSERT_TRUE(eventually([&] { return get(url).status == 200; }));
  EXPECT_EQ(get("https://localhost:" + std::to_string(port) + "/").error, 60) << "the certificate has another name";
  options.ca_file.clear();
  start();
  EXPECT_EQ(get(url).error, 60) << "nobody vouches for it";
}

TEST_F(Http, EndsWithAnErrorForAllThatWait) {
  std::promise<void> go;
  HttpServer server([gone = go.get_future().share()](const std::string&) {
    gone.wait();
    return std::string();
  });
  options.connections = 1;
  start();
  HttpRequest request;
  request.url = server.url();
  auto running = begin(request), waiting = begin(request);
  ASSERT_TRUE(eventually([&] { return client->counters().in_flight == 1; }));
  client.reset();
  EXPECT_NE(running.get().error, 0);
  EXPECT_NE(waiting.get().error, 0);
  go.set_value();
}

}  // namespace
}  // namespace perdure::net

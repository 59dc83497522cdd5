#include "admin/http_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "admin/http_guard.hpp"

namespace perdure::admin {
namespace {

constexpr const char* token = "a-token-of-more-than-16";

// A client of plain sockets, which says what no library would.
class Client {
 public:
  explicit Client(const SocketAddress& address) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_storage native{};
    const auto size = address.to_native(native);
    EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&native), static_cast<socklen_t>(size)), 0);
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void say(const std::string& text) { (void)!::send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Until the server closes, or nothing comes for `patience_ms`.
  std::string hear(int patience_ms = 5000) {
    std::string all;
    char part[65536];
    for (;;) {
      pollfd waiting{socket_, POLLIN, 0};
      if (poll(&waiting, 1, patience_ms) <= 0) return all + "[open]";
      const auto size = recv(socket_, part, sizeof part, 0);
      if (size <= 0) return all;
      all.append(part, static_cast<std::size_t>(size));
      if (all.find("Connection: close") == std::string::npos && all.find("\r\n\r\n") != std::string::npos) patience_ms = 200;
    }
  }

 private:
  int socket_;
};

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/perdure-http-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    write_token(token);
    options_.listen = *SocketAddress::parse("127.0.0.1", 0);
    options_.token_file = folder_ + "/token";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  void write_token(const std::string& text) {
    std::ofstream(folder_ + "/token") << text << "\n";
    chmod((folder_ + "/token").c_str(), 0600);
  }
  void start() {
    server_.emplace(
        options_,
        [](HttpRequest request, std::function<void(HttpAnswer)> reply) {
          reply({.body = request.method + " " + request.path + " " + request.body + " for " + request.caller});
        },
        [](const std::string& path) { return path == "/open"; });
    const auto started = server_->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }
  std::string ask(const std::string& text) {
    Client client(server_->address());
    client.say(text);
    return client.hear();
  }
  static std::string get(const std::string& path, const std::string& headers = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n";
  }
  static std::string bearer(const std::string& text = token) { return "Authorization: Bearer " + text + "\r\n"; }

  std::string folder_;
  HttpOptions options_;
  std::optional<HttpServer> server_;
};

TEST_F(HttpServerTest, WhoHasTheTokenIsAnsweredAndMayAskAgain) {
  start();
  Client client(server_->address());
  for (int i = 0; i < 2; ++i) {
    client.say("POST /rpc?x=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n" + bearer() + "Content-Length: 4\r\n\r\nbody");
    const auto answer = client.hear();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_NE(answer.find("POST /rpc body for http 127.0.0.1:"), std::string::npos) << answer;
  }
  EXPECT_EQ(server_->counters().connections, 1U);
  EXPECT_EQ(server_->counters().requests, 2U);
}

TEST_F(HttpServerTest, NoTokenAndAWrongOneAreRefusedAndTheConnectionEnds) {
  start();
  for (const std::string& header : {std::string(), bearer("a-token-of-more-than-17"), bearer(""), bearer(std::string(token) + "x"),
                                    std::string("Authorization: Basic ") + token + "\r\n"}) {
    const auto answer = ask(get("/metrics", header));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 401")) << answer;
    EXPECT_EQ(answer.find("[open]"), std::string::npos);
  }
  EXPECT_EQ(server_->counters().refused, 5U);
  EXPECT_EQ(server_->counters().requests, 0U);
}

TEST_F(HttpServerTest, SomePathsNeedNone) {
  start();
  EXPECT_TRUE(ask(get("/open", "Connection: close\r\n")).starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AHugeBodyIsRefusedBeforeItIsRead) {
  start();
  const auto post = [](const std::string& headers) { return "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + "\r\n"; };
  EXPECT_TRUE(ask(post("Content-Length: 100000000000\r\n")).starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(ask(post(bearer() + "Content-Length: 2000000\r\n")).starts_with("HTTP/1.1 413"));
  // Without a length it shows on the way.
  const auto chunks = post(bearer() + "Transfer-Encoding: chunked\r\n") + "200000\r\n" + std::string(0x200000, 'x') + "\r\n0\r\n\r\n";
  EXPECT_TRUE(ask(chunks).starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(ask(post(std::string("X: ") + std::string(10'000, 'x') + "\r\n")).starts_with("HTTP/1.1 431"));
  EXPECT_EQ(server_->counters().requests, 0U);
}

TEST_F(HttpServerTest, ASlowClientIsGivenUpHoweverOftenItSaysSomething) {
  options_.header_deadline = 300ms;
  options_.body_deadline = 300ms;
  start();
  const auto began = std::chrono::steady_clock::now();
  Client silent(server_->address()), trickling(server_->address()), stuck(server_->address());
  stuck.say("POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\n" + bearer() + "Content-Length: 10\r\n\r\nx");
  for (int i = 0; i < 20; ++i) {
    trickling.say("G");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(silent.hear(), "");
  EXPECT_EQ(trickling.hear(), "");
  EXPECT_EQ(stuck.hear(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
  EXPECT_EQ(server_->counters().timeouts, 3U);
}

TEST_F(HttpServerTest, ManyConnectionsThatShowNothingMakeRoomForOneThatDoes) {
  options_.connections_max = 4;
  start();
  Client known(server_->address());
  known.say(get("/first", bearer()));
  EXPECT_TRUE(known.hear().starts_with("HTTP/1.1 200"));
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 40; ++i) crowd.push_back(std::make_unique<Client>(server_->address()));
  EXPECT_TRUE(ask(get("/late", bearer())).starts_with("HTTP/1.1 200"));
  known.say(get("/again", bearer()));
  EXPECT_TRUE(known.hear().starts_with("HTTP/1.1 200")) << "who has shown the token keeps the connection";
  EXPECT_LE(server_->counters().open, 4U);
  EXPECT_GE(server_->counters().limited, 37U);
}

TEST_F(HttpServerTest, TooManyRequestsAreTurnedAwayButOthersDoNotUseUpWhatIsForTheToken) {
  options_.requests_per_second = 5;
  start();
  for (int i = 0; i < 20; ++i) (void)ask(get("/metrics"));
  EXPECT_TRUE(ask(get("/metrics", bearer())).starts_with("HTTP/1.1 200"));
  std::string last;
  for (int i = 0; i < 20 && !last.starts_with("HTTP/1.1 429"); ++i) last = ask(get("/metrics", bearer() + "Connection: close\r\n"));
  EXPECT_TRUE(last.starts_with("HTTP/1.1 429")) << last;
}

TEST_F(HttpServerTest, WithoutATokenAPageInABrowserMayNotAsk) {
  options_.token_file.clear();
  start();
  EXPECT_TRUE(ask(get("/metrics")).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ask(get("/metrics", "Origin: https://evil.example\r\n")).starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(ask("GET /metrics HTTP/1.1\r\nHost: evil.example:8090\r\n\r\n").starts_with("HTTP/1.1 403"));
  EXPECT_FALSE(may_be_a_page("", "localhost:8090"));
  EXPECT_FALSE(may_be_a_page("", "[::1]:8090"));
}

TEST_F(HttpServerTest, ATokenIsReadAgainAndABadOneChangesNothing) {
  start();
  write_token("short");
  EXPECT_FALSE(server_->reload().has_value());
  EXPECT_TRUE(ask(get("/", bearer())).starts_with("HTTP/1.1 200"));
  write_token("another-token-of-16");
  ASSERT_TRUE(server_->reload().has_value());
  EXPECT_TRUE(ask(get("/", bearer())).starts_with("HTTP/1.1 401"));
  EXPECT_TRUE(ask(get("/", bearer("another-token-of-16"))).starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ATokenThatEverybodyMayReadIsNone) {
  chmod((folder_ + "/token").c_str(), 0644);
  HttpServer server(
      options_, [](HttpRequest, const std::function<void(HttpAnswer)>&) {}, [](const std::string&) { return false; });
  EXPECT_FALSE(server.start().has_value());
}

TEST_F(HttpServerTest, WhatIsNoHttpIsDropped) {
  start();
  EXPECT_EQ(ask("\x16\x03\x01 this is no HTTP\r\n\r\n"), "");
  EXPECT_EQ(server_->counters().malformed, 1U);
}

TEST_F(HttpServerTest, AClientThatWaitsForContinueGetsIt) {
  start();
  Client client(server_->address());
  client.say("POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\n" + bearer() + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(client.hear(1000).starts_with("HTTP/1.1 100"));
  client.say("body");
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
}

}  // namespace
}  // namespace perdure::admin

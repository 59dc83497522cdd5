// The scripts in docs/script.md do what is said there.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "bench.hpp"
#include "lcr/router.hpp"
#include "limit/pipes.hpp"
#include "permissions/address_list.hpp"
#include "shared/state.hpp"

namespace perdure::script {
namespace {

// The n-th whole script of the page.
std::string example(std::size_t number) {
  std::ostringstream content;
  content << std::ifstream(std::string(PERDURE_SOURCE_DIR) + "/docs/script.md").rdbuf();
  const std::string text = content.str(), begin = "```lua\n";
  std::size_t at = text.find("\n## A script, step by step");
  for (std::size_t i = 0; i <= number; ++i) {
    at = text.find(begin, at);
    if (at == std::string::npos) return {};
    at += begin.size();
  }
  return text.substr(at, text.find("```", at) - at);
}

class Examples : public testing::Test {
 protected:
  Examples() {
    auto list = dispatch::parse_list("1 sip:127.0.0.1:7001\n1 sip:127.0.0.1:7002\n", "dispatcher.list");
    EXPECT_TRUE(list);
    dispatcher.replace(std::move(*list));
    auto addresses = permissions::AddressList::parse("1 127.0.0.1 32 0 acme\n", "address.list");
    EXPECT_TRUE(addresses);
    permissions.replace(std::move(*addresses));
    char name[] = "/tmp/perdure-examples-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    folder = name;
    net::SqlOptions options;
    options.url = "sqlite://" + folder + "/routes.db";
    options.connections = 1;
    database = std::move(*net::SqlPool::create(options));
    for (const char* statement :
         {"CREATE TABLE numbers (number TEXT, uri TEXT)", "INSERT INTO numbers VALUES ('4930', 'sip:127.0.0.1:7030')"}) {
      std::promise<bool> done;
      database->query(statement, 20s, [&](const Result<net::SqlRows>& result) { done.set_value(result.has_value()); });
      EXPECT_TRUE(done.get_future().get());
    }
  }
  ~Examples() override {
    database.reset();
    std::filesystem::remove_all(folder);
  }

  std::unique_ptr<Bench> bench(std::size_t number) {
    return std::make_unique<Bench>([&](ScriptOptions& options) {
      options.text = example(number);
      options.dispatcher = &dispatcher;
      options.shared = &state;
      options.permissions = {&permissions, "account"};
      options.pipes = &pipes;
      options.routing.lcr = &router;
      options.databases["routes"] = {.pool = database.get(), .timeout = 2s};
    });
  }
  // A whole call: INVITE, 200, ACK, BYE, and one that is cancelled.
  static void expect_call(Bench& bench, std::vector<Sent> sent, int port) {
    const auto* invite = first(sent, "INVITE ");
    ASSERT_TRUE(invite) << bench.runner().counters().last_error;
    EXPECT_EQ(invite->to, at(port));
    const Sent copy = *invite;
    const auto answered = bench.answer(copy, 200);
    ASSERT_TRUE(first(answered, "SIP/2.0 200 "));
    Request bye;
    bye.method = "BYE";
    bye.branch = "z9hG4bK-bye";
    bye.to_tag = "to1";
    bye.cseq = 8;
    bye.uri = "sip:bob@127.0.0.1:" + std::to_string(port);
    bye.headers += "Route: " + copy.header("Record-Route") + "\r\n";
    const auto relayed = bench.receive(bye);
    ASSERT_TRUE(first(relayed, "BYE ")) << bench.runner().counters().last_error;
    EXPECT_EQ(first(relayed, "BYE ")->to, at(port));
    EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
  }

  dispatch::Dispatcher dispatcher{dispatch::DispatcherOptions{}};
  shared::State state;
  permissions::Permissions permissions;
  limit::Pipes pipes{{}, 10s};
  lcr::Router router{lcr::Options{}};
  std::string folder;
  std::unique_ptr<net::SqlPool> database;
};

TEST_F(Examples, OneGateway) {
  const auto one = bench(0);
  expect_call(*one, one->receive(Request{}), 5070);
}

TEST_F(Examples, SeveralGateways) {
  const auto several = bench(1);
  auto sent = several->receive(Request{});
  ASSERT_TRUE(first(sent, "INVITE "));
  const Sent invite = *first(sent, "INVITE ");
  sent = several->answer(invite, 503);
  expect_call(*several, sent, invite.to.port == 7001 ? 7002 : 7001);
}

TEST_F(Examples, WhoMayCall) {
  const auto limited = bench(2);
  expect_call(*limited, limited->receive(Request{}), 5070);
  Request stranger;
  stranger.branch = "z9hG4bK-2";
  EXPECT_TRUE(first(limited->receive(stranger.text(), at(6000, "198.51.100.1")), "SIP/2.0 403 "));
}

TEST_F(Examples, AskADatabase) {
  const auto asking = bench(3);
  Request request;
  request.uri = "sip:4930@127.0.0.1:5060";
  EXPECT_FALSE(first(asking->receive(request), "INVITE "));
  expect_call(*asking, asking->deliver(), 7030);
  request.uri = "sip:4931@127.0.0.1:5060";
  request.branch = "z9hG4bK-3";
  asking->receive(request);
  EXPECT_TRUE(first(asking->deliver(), "SIP/2.0 404 "));
  request.uri = "sip:4';DROP@127.0.0.1:5060";
  request.branch = "z9hG4bK-4";
  EXPECT_TRUE(first(asking->receive(request), "SIP/2.0 484 "));
}

TEST_F(Examples, DevicesAreReachedByTheWayTheyCame) {
  const auto noting = bench(5);
  const auto sent = noting->receive(Request{}.text(), at(6123, "127.0.0.9"));
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite) << noting->runner().counters().last_error;
  EXPECT_EQ(invite->header("Contact"), "<sip:alice@127.0.0.1:6000;alias=127.0.0.9~6123~1>");
  const auto answered = noting->answer(*invite, 200, "OK", "Contact: <sip:bob@10.0.0.1>\r\n");
  ASSERT_TRUE(first(answered, "SIP/2.0 200 "));
  EXPECT_EQ(first(answered, "SIP/2.0 200 ")->header("Contact"), "<sip:bob@10.0.0.1;alias=127.0.0.1~5070~1>");
  Request bye;
  bye.method = "BYE";
  bye.branch = "z9hG4bK-bye";
  bye.to_tag = "to1";
  bye.uri = "sip:alice@127.0.0.1:6000;alias=127.0.0.9~6123~1";
  bye.headers += "Route: " + invite->header("Record-Route") + "\r\n";
  const auto relayed = noting->receive(bye.text(), at(5070));
  ASSERT_TRUE(first(relayed, "BYE ")) << noting->runner().counters().last_error;
  EXPECT_EQ(first(relayed, "BYE ")->to, at(6123, "127.0.0.9"));
  EXPECT_EQ(first(relayed, "BYE ")->line(), "BYE sip:alice@127.0.0.1:6000 SIP/2.0");
  EXPECT_EQ(noting->runner().counters().errors, 0U) << noting->runner().counters().last_error;
}

TEST_F(Examples, TheCheapestCarrierThatWorks) {
  auto list =
      lcr::List::parse("gateway 1 cheap sip:127.0.0.1:7001\ngateway 1 good sip:127.0.0.1:7002\nrule 1 49 cheap/1,good/2\n", "lcr.list");
  ASSERT_TRUE(list) << list.error().message;
  router.replace(std::move(*list));
  const auto carriers = bench(6);
  Request request;
  request.uri = "sip:4930@127.0.0.1:5060";
  const auto sent = carriers->receive(request);
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite) << carriers->runner().counters().last_error;
  EXPECT_EQ(invite->to, at(7001));
  expect_call(*carriers, carriers->answer(*invite, 503), 7002);
  request.uri = "sip:31@127.0.0.1:5060";
  request.branch = "z9hG4bK-4";
  EXPECT_TRUE(first(carriers->receive(request), "SIP/2.0 404 "));
}

TEST_F(Examples, ASmallerOffer) {
  const auto smaller = bench(7);
  Request request;
  request.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";
  request.headers += "Content-Type: application/sdp\r\n";
  const auto sent = smaller->receive(request);
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite) << smaller->runner().counters().last_error;
  EXPECT_NE(invite->bytes.find("m=audio 4000 RTP/AVP 8\r\n"), std::string::npos) << invite->bytes;
  request.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
  request.branch = "z9hG4bK-4";
  EXPECT_TRUE(first(smaller->receive(request), "SIP/2.0 488 "));
}

TEST_F(Examples, AnotherScriptNeedsATest) {
  // The script that asks Redis and an HTTP server loads; services_test.cpp holds those functions to servers.
  EXPECT_EQ(bench(4)->runner().counters().errors, 0U);
  EXPECT_NE(example(7), "");
  EXPECT_EQ(example(8), "");
}

}  // namespace
}  // namespace perdure::script

// etc/interconnect: who may call, by which carrier, and what comes after a failure.
#include <gtest/gtest.h>

#include <memory>

#include "bench.hpp"
#include "htable/tables.hpp"
#include "lcr/router.hpp"
#include "limit/pipes.hpp"
#include "limit/sources.hpp"
#include "permissions/address_list.hpp"
#include "shared/state.hpp"

namespace perdure::script {
namespace {

const std::string folder = std::string(PERDURE_SOURCE_DIR) + "/etc/interconnect/";

class Interconnect : public testing::Test {
 protected:
  Interconnect() {
    auto addresses = permissions::AddressList::load(folder + "address.list");
    EXPECT_TRUE(addresses);
    permissions.replace(std::move(*addresses));
    auto carriers = lcr::List::load(folder + "carriers.list");
    EXPECT_TRUE(carriers) << carriers.error().message;
    router.replace(std::move(*carriers));
    EXPECT_TRUE(tables.load(Time{}));
    bench = std::make_unique<Bench>([this](ScriptOptions& options) {
      options.path = folder + "interconnect.lua";
      options.routing.lcr = &router;
      options.tables = &tables;
      options.shared = &state;
      options.permissions = {&permissions, "account"};
      options.sources = &sources;
      options.pipes = &pipes;
    });
  }

  std::vector<Sent> call(const std::string& user, int number = 1) {
    Request request;
    request.uri = "sip:" + user + "@127.0.0.1:5060";
    request.call_id = "call-" + std::to_string(number);
    request.branch = "z9hG4bK-" + std::to_string(number);
    request.headers += "P-Asserted-Identity: <sip:secret@example.org>\r\n";
    return bench->receive(request);
  }
  // The first line of the answer to a call that does not leave.
  std::string refusal(const std::string& user) {
    const auto sent = call(user);
    EXPECT_EQ(first(sent, "INVITE "), nullptr) << user;
    return sent.empty() ? bench->runner().counters().last_error : sent.back().line();
  }

  lcr::Router router{lcr::Options{.inactivate_threshold = 1, .inactive_time = 60s}};
  htable::Tables tables{{{.name = "limits"}}};
  shared::State state;
  permissions::Permissions permissions;
  limit::Sources sources{{.interval = 2s, .requests_max = 30}};
  limit::Pipes pipes{{}, 10s};
  std::unique_ptr<Bench> bench;
};

TEST_F(Interconnect, TheLongestPrefixChoosesTheCarriers) {
  for (const char* user : {"+49301234567", "0049301234567", "49(30)123-45.67"}) {
    const auto sent = call(user, user[1]);
    const auto* invite = first(sent, "INVITE ");
    ASSERT_TRUE(invite) << user << ": " << bench->runner().counters().last_error;
    EXPECT_TRUE(invite->to == at(5071) || invite->to == at(5072)) << user;
    EXPECT_TRUE(invite->is("INVITE sip:49301234567@")) << invite->line();
    EXPECT_EQ(invite->header("X-Account"), "demo");
    EXPECT_EQ(invite->header("P-Asserted-Identity"), "") << "what is none of the carrier's business";
    EXPECT_NE(invite->header("Record-Route"), "");
  }
  const auto sent = call("12125550100", 9);
  ASSERT_TRUE(first(sent, "INVITE "));
  EXPECT_EQ(first(sent, "INVITE ")->to, at(5073));
}

TEST_F(Interconnect, RefusesWhatHasNoRoute) {
  EXPECT_EQ(refusal("3312345678"), "SIP/2.0 404 No Route");
  EXPECT_EQ(refusal("alice"), "SIP/2.0 484 Address Incomplete");
  EXPECT_EQ(refusal("4"), "SIP/2.0 484 Address Incomplete");
}

TEST_F(Interconnect, StrangersAreRefusedAndThenNotAnswered) {
  const auto from = at(6000, "198.51.100.7");
  int answers = 0;
  for (int i = 0; i < 40; ++i) {
    Request request;
    request.call_id = "stranger-" + std::to_string(i);
    request.branch = "z9hG4bK-s" + std::to_string(i);
    const auto sent = bench->receive(request.text(), from);
    answers += first(sent, "SIP/2.0 403 ") != nullptr;
  }
  EXPECT_EQ(answers, 30);
}

TEST_F(Interconnect, AnAccountHasItsLimit) {
  int passed = 0, refused = 0;
  for (int i = 0; i < 120; ++i) {
    const auto sent = call("4930123", i);
    passed += first(sent, "INVITE ") != nullptr;
    refused += first(sent, "SIP/2.0 503 Too Many Calls") != nullptr;
  }
  EXPECT_EQ(passed, 100);
  EXPECT_EQ(refused, 20);
}

TEST_F(Interconnect, AFailureGoesToTheNextGatewayThenToTheNextCarrierAlsoOverRestarts) {
  auto sent = call("4930123");
  std::vector<int> ports;
  std::string last_line;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto* invite = first(sent, "INVITE ");
    ASSERT_TRUE(invite) << "attempt " << attempt << ": " << bench->runner().counters().last_error;
    ports.push_back(invite->to.port);
    last_line = invite->line();
    bench->start();
    const Sent copy = *invite;
    sent = bench->answer(copy, 500 + attempt);
  }
  EXPECT_TRUE((ports == std::vector{5071, 5072, 5073}) || (ports == std::vector{5072, 5071, 5073}));
  EXPECT_EQ(last_line, "INVITE sip:004930123@127.0.0.1:5073 SIP/2.0") << "as the second carrier wants it";
  EXPECT_TRUE(first(sent, "SIP/2.0 502 ")) << "the last one's answer";
}

TEST_F(Interconnect, ASilentGatewayGetsNoFurtherCalls) {
  const auto sent = call("12125550100");
  ASSERT_TRUE(first(sent, "INVITE "));
  const auto failed = bench->advance(40s);
  EXPECT_TRUE(first(failed, "SIP/2.0 408 "));
  EXPECT_TRUE(first(call("12125550101", 2), "SIP/2.0 404 No Route"));
}

TEST_F(Interconnect, AnAnswerOfTheCalleeEndsTheSearch) {
  auto sent = call("4930123");
  ASSERT_TRUE(first(sent, "INVITE "));
  const Sent invite = *first(sent, "INVITE ");
  sent = bench->answer(invite, 486);
  EXPECT_TRUE(first(sent, "SIP/2.0 486 "));
  EXPECT_FALSE(first(sent, "INVITE "));
}

}  // namespace
}  // namespace perdure::script

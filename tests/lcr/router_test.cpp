#include "lcr/router.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

namespace perdure::lcr {
namespace {

class LcrRouter : public testing::Test {
 protected:
  LcrRouter() { load("gateway 1 a sip:192.0.2.1\ngateway 1 b sip:192.0.2.2\ngateway 1 c sip:192.0.2.3\nrule 1 - c\nrule 1 49 a/2,b/1\n"); }
  void load(std::string_view text) {
    auto list = List::parse(text, "lcr.list");
    ASSERT_TRUE(list) << list.error().message;
    router_.replace(std::move(*list));
  }
  std::string order(std::string_view user) {
    const auto list = router_.list();
    std::string names;
    for (const auto position : router_.order(*list, 1, user, {}, {}, now_, random_)) names += list->gateways()[position].name;
    return names;
  }

  Router router_{Options{.inactivate_threshold = 2, .inactive_time = 60s}};
  Random random_{1};
  Time now_{1000s};
};

TEST_F(LcrRouter, OrdersByPrefixThenByPriority) {
  EXPECT_EQ(order("4930"), "bac");
  EXPECT_EQ(order("1"), "c");
}

TEST_F(LcrRouter, LeavesOutWhatIsOutOfWork) {
  EXPECT_TRUE(router_.put_out_of_work(1, "b", now_ + 10s));
  EXPECT_FALSE(router_.put_out_of_work(1, "x", now_ + 10s));
  EXPECT_EQ(order("4930"), "ac");
  EXPECT_EQ(router_.state(router_.list()->gateways()[1], now_).out_until, now_ + 10s);
  now_ += 10s;
  EXPECT_EQ(order("4930"), "bac");
}

TEST_F(LcrRouter, AGatewayOfTheInstanceIsMeantBeforeOneOfAll) {
  load("gateway 0 a sip:192.0.2.9\ngateway 1 a sip:192.0.2.1\ngateway 1 b sip:192.0.2.2\nrule 1 49 a/1,b/2\n");
  EXPECT_TRUE(router_.put_out_of_work(1, "a", now_ + 10s));
  EXPECT_EQ(order("4930"), "b");
  EXPECT_EQ(router_.state(router_.list()->gateways()[0], now_).out_until, Time{});
}

TEST_F(LcrRouter, CountsFailuresUpToTheThreshold) {
  EXPECT_TRUE(router_.count_failure(1, "b", now_));
  EXPECT_EQ(order("4930"), "bac");
  EXPECT_TRUE(router_.count_failure(1, "b", now_));
  EXPECT_EQ(order("4930"), "ac");
  EXPECT_FALSE(router_.count_failure(1, "x", now_));
  now_ += 60s;
  EXPECT_EQ(order("4930"), "bac");
}

// The states of a router that has ended, for the next one.
class LcrStates : public LcrRouter {
 protected:
  LcrStates() { std::filesystem::remove(path_); }
  ~LcrStates() override { std::filesystem::remove(path_); }
  std::unique_ptr<Router> next(std::string_view text = "gateway 1 a sip:192.0.2.1\ngateway 1 b sip:192.0.2.2\nrule 1 49 a/2,b/1\n") {
    auto router = std::make_unique<Router>(Options{.inactivate_threshold = 2, .inactive_time = 60s});
    auto list = List::parse(text, "lcr.list");
    EXPECT_TRUE(list) << list.error().message;
    router->replace(std::move(*list));
    EXPECT_TRUE(router->open_states(path_, now_));
    return router;
  }
  GatewayState state(const Router& router, std::size_t gateway) { return router.state(router.list()->gateways()[gateway], now_); }

  const std::string path_ = testing::TempDir() + "lcr_states_" + std::to_string(::getpid());
};

TEST_F(LcrStates, OutliveTheEngine) {
  {
    const auto router = next();
    EXPECT_TRUE(router->put_out_of_work(1, "b", now_ + 10s));
    EXPECT_TRUE(router->count_failure(1, "a", now_));
  }
  now_ += 4s;
  {
    const auto router = next();
    EXPECT_EQ(state(*router, 1).out_until, now_ + 6s);
    EXPECT_EQ(state(*router, 0).failures, 1U);
    EXPECT_TRUE(router->count_failure(1, "a", now_)) << "the second failure";
    EXPECT_EQ(state(*router, 0).out_until, now_ + 60s);
  }
  now_ += 6s;
  EXPECT_EQ(state(*next(), 1).out_until, Time{}) << "its time is over";
  EXPECT_EQ(state(*next(), 0).out_until, now_ + 54s);
  (void)next("gateway 1 b sip:192.0.2.2\nrule 1 49 b\n");  // a has left the list
  EXPECT_EQ(state(*next(), 0), GatewayState{});
}

TEST_F(LcrStates, AnyBytesAreAttached) {
  (void)next();
  const auto size = std::filesystem::file_size(path_);
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    std::string bytes(size, '\0');
    {
      std::ifstream file(path_, std::ios::binary);
      file.read(bytes.data(), 8);  // the magic number
    }
    for (std::size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<char>(random.next());
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto router = next();
    EXPECT_EQ(state(*router, 0), GatewayState{});
    EXPECT_TRUE(router->put_out_of_work(1, "a", now_ + 10s));
    EXPECT_EQ(state(*next(), 0).out_until, now_ + 10s) << "what made no sense is free";
  }
  std::ofstream(path_) << "another layout";
  EXPECT_EQ(state(*next(), 0), GatewayState{});
}

TEST_F(LcrRouter, AGatewayThatStaysInTheListKeepsItsState) {
  EXPECT_TRUE(router_.put_out_of_work(1, "b", now_ + 10s));
  EXPECT_TRUE(router_.put_out_of_work(1, "a", now_ + 10s));
  load("gateway 1 b sip:192.0.2.7\nrule 1 49 b\n");
  EXPECT_EQ(order("4930"), "");
  load("gateway 1 a sip:192.0.2.1\nrule 1 49 a\n");  // it was not in the list before
  EXPECT_EQ(order("4930"), "a");
}

TEST_F(LcrRouter, WeightsDecideHowOftenAGatewayComesFirst) {
  load("gateway 1 a sip:192.0.2.1\ngateway 1 b sip:192.0.2.2\nrule 1 - a/0/1,b/0/2\n");
  std::map<char, int> first;
  for (int i = 0; i < 10'000; ++i) ++first[order("1").front()];
  // As Kamailio's documentation works out: 1 in 4 for the weight 1.
  EXPECT_NEAR(first['a'], 2500, 200);
}

}  // namespace
}  // namespace perdure::lcr

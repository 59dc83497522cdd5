#include "lcr/router.hpp"

#include <gtest/gtest.h>

#include <map>
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

TEST_F(LcrRouter, CountsFailuresUpToTheThreshold) {
  EXPECT_TRUE(router_.count_failure(1, "b", now_));
  EXPECT_EQ(order("4930"), "bac");
  EXPECT_TRUE(router_.count_failure(1, "b", now_));
  EXPECT_EQ(order("4930"), "ac");
  EXPECT_FALSE(router_.count_failure(1, "x", now_));
  now_ += 60s;
  EXPECT_EQ(order("4930"), "bac");
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

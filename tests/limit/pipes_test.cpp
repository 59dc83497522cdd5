#include "limit/pipes.hpp"

#include <gtest/gtest.h>

namespace perdure::limit {
namespace {

constexpr Time start = Time(1000s);
using Answer = Pipes::Answer;

TEST(Pipes, TailDropLetsTheFirstOfAnIntervalPass) {
  Pipes pipes({{.name = "p", .limit = 2}}, 10s);
  EXPECT_EQ(pipes.check("p", start), Answer::Pass);
  EXPECT_EQ(pipes.check("p", start), Answer::Pass);
  EXPECT_EQ(pipes.check("p", start), Answer::Refuse);
  EXPECT_EQ(pipes.check("p", start + 10s), Answer::Pass);
  EXPECT_EQ(pipes.check("none", start), Answer::Unknown);
  EXPECT_EQ(pipes.refused(), 1U);
}

TEST(Pipes, RedSpreadsWhatPassesOverTheInterval) {
  Pipes pipes({{.name = "p", .algorithm = PipeAlgorithm::Red, .limit = 10}}, 10s);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(pipes.check("p", start), Answer::Pass) << "the first interval knows no rate";
  int passed = 0;
  for (int i = 0; i < 40; ++i) passed += pipes.check("p", start + 10s) == Answer::Pass ? 1 : 0;
  EXPECT_EQ(passed, 8);
  EXPECT_EQ(pipes.check("p", start + 30s), Answer::Pass) << "after a pause";
}

TEST(Pipes, AreMadeByTheirFirstUse) {
  Pipes pipes({{.name = "fixed", .limit = 1}}, 10s);
  EXPECT_FALSE(pipes.is_active("new", start));
  EXPECT_EQ(pipes.check({.name = "new", .limit = 1}, start), Answer::Pass);
  EXPECT_EQ(pipes.check({.name = "new", .limit = 1}, start), Answer::Refuse);
  EXPECT_EQ(pipes.check({.name = "new", .limit = 5}, start), Answer::Pass) << "the limit is the latest";
  EXPECT_TRUE(pipes.is_active("new", start));
  EXPECT_FALSE(pipes.is_active("new", start + 30s));
  EXPECT_EQ(pipes.check({.name = "fixed", .limit = 5}, start), Answer::Pass);
  EXPECT_EQ(pipes.check({.name = "fixed", .limit = 5}, start), Answer::Refuse) << "the configuration stands above";
  EXPECT_TRUE(pipes.set("fixed", PipeAlgorithm::TailDrop, 3));
  EXPECT_EQ(pipes.check("fixed", start), Answer::Pass);
  EXPECT_FALSE(pipes.set("none", PipeAlgorithm::Red, 3));
  EXPECT_EQ(pipes.view(start).size(), 2U);
}

TEST(Pipes, AreBounded) {
  Pipes pipes({}, 10s);
  for (std::size_t i = 0; i < pipes_max; ++i) ASSERT_EQ(pipes.check({.name = std::to_string(i), .limit = 1}, start), Answer::Pass);
  EXPECT_EQ(pipes.check({.name = "more", .limit = 1}, start), Answer::Unknown);
  EXPECT_EQ(pipes.check({.name = "more", .limit = 1}, start + 30s), Answer::Pass) << "unused ones make room";
  EXPECT_EQ(pipes.check({.name = std::string(200, 'x'), .limit = 1}, start), Answer::Unknown);
}

TEST(Pipes, AlgorithmsHaveKamailiosNames) {
  for (const auto algorithm : {PipeAlgorithm::TailDrop, PipeAlgorithm::Red}) EXPECT_EQ(pipe_algorithm_from(name(algorithm)), algorithm);
  EXPECT_EQ(pipe_algorithm_from("red"), PipeAlgorithm::Red);
  EXPECT_EQ(pipe_algorithm_from("NETWORK"), std::nullopt);
}

}  // namespace
}  // namespace perdure::limit

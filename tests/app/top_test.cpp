// `perdure top` without a terminal.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "app/top/screen.hpp"

namespace perdure::app::top {
namespace {

using admin::Json;
using namespace std::chrono_literals;

constexpr std::chrono::steady_clock::time_point start{};

Json call(const char* id, int age_ms, const char* state = "proceeding") {
  return {{"call_id", id},    {"method", "INVITE"},
          {"state", state},   {"request_uri", "sip:bob@example.org"},
          {"from", "a"},      {"to", "b"},
          {"age_ms", age_ms}, {"branches", Json::array({{{"destination", "192.0.2.1:5060"}, {"state", "proceeding"}, {"status", 180}}})}};
}

Answers answers(int requests, int busy) {
  metrics::Distribution latency;
  latency.buckets[metrics::bucket_of(2'000'000)] = static_cast<std::uint64_t>(requests);
  return {.status = {{"version", "1.2.3"},
                     {"pids", {{"engine", 4711}}},
                     {"engine_starts", 3},
                     {"listen", {"udp:127.0.0.1:5060"}},
                     {"last_start", {{"recovered", 17}, {"pause_us", 4200}, {"reason", "killed"}}}},
          .counters = {{"proxy.requests", requests}},
          .responses = {{"INVITE", {{"486", busy}}}},
          .latency = {{"added_latency", {{"buckets", latency.buckets}, {"sum_ns", 1}}}},
          .calls = Json::array({call("young", 100), call("old", 90'000, "trying")}),
          .gateways = {{"RECORDS", {{{"SET", {{"ID", 1}, {"TARGETS", {{{"DEST", {{"URI", "sip:192.0.2.1"}, {"FLAGS", "AX"}}}}}}}}}}}}};
}

Screen screen() {
  Screen made;
  made.take(read(answers(100, 0), start));
  made.take(read(answers(300, 20), start + 2s));
  return made;
}

std::string text(Screen& shown, std::size_t width = 80, std::size_t height = 24) {
  std::string all;
  for (const auto& line : shown.lines(width, height)) all += line.text + "\n";
  return all;
}

TEST(Top, ShowsWhatHappenedBetweenTwoLooks) {
  auto shown = screen();
  const auto all = text(shown);
  for (const char* part : {"requests 100 ", "INVITE 486 10", "added 2.0 ms / 2.0 ms",
                           "engines 3  last one after killed: pause 4.2 ms, recovered 17", "1 proceeding, 1 trying", "engine 4711"})
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
}

TEST(Top, FitsAnyTerminal) {
  auto shown = screen();
  for (const auto& [width, height] : {std::pair(80UL, 24UL), {200UL, 50UL}, {20UL, 5UL}, {1UL, 1UL}}) {
    const auto lines = shown.lines(width, height);
    EXPECT_EQ(lines.size(), height);
    for (const auto& line : lines) EXPECT_LE(line.text.size(), width);
  }
}

TEST(Top, SortsAndFilters) {
  auto shown = screen();
  auto all = text(shown);
  EXPECT_LT(all.find("old "), all.find("young ")) << "the oldest first";
  shown.press(Key::Reverse);
  all = text(shown);
  EXPECT_GT(all.find("old "), all.find("young "));
  shown.press(Key::Filter);
  for (const char c : std::string("youn")) shown.press(Key::None, c);
  shown.press(Key::Enter);
  all = text(shown);
  EXPECT_EQ(all.find("old "), std::string::npos) << all;
  EXPECT_NE(all.find("1 rows"), std::string::npos);
  shown.press(Key::Back);
  EXPECT_NE(text(shown).find("2 rows"), std::string::npos);
}

TEST(Top, EnterOpensTheChosenCallAndItsLadder) {
  auto shown = screen();
  (void)text(shown);
  shown.press(Key::Down);
  (void)text(shown);
  shown.press(Key::Enter);
  EXPECT_EQ(shown.detail(), "young");
  shown.set_ladder("the ladder\n");
  const auto all = text(shown);
  EXPECT_NE(all.find("call young"), std::string::npos) << all;
  EXPECT_NE(all.find("192.0.2.1:5060 proceeding 180"), std::string::npos) << all;
  EXPECT_NE(all.find("the ladder"), std::string::npos) << all;
  shown.press(Key::Back);
  EXPECT_TRUE(shown.detail().empty());
  EXPECT_FALSE(shown.press(Key::Quit));
}

TEST(Top, HasATableOfGatewaysAndOneOfResponses) {
  auto shown = screen();
  shown.press(Key::NextTab);
  EXPECT_NE(text(shown).find("sip:192.0.2.1"), std::string::npos);
  shown.press(Key::NextTab);
  EXPECT_NE(text(shown).find("486"), std::string::npos);
}

TEST(Top, SaysWhenNobodyAnswers) {
  auto shown = screen();
  Snapshot none;
  none.error = "no server at there";
  shown.take(none);
  EXPECT_NE(text(shown).find("no server at there"), std::string::npos);
  shown.take(read(answers(400, 20), start + 9s));
  EXPECT_NE(text(shown).find("perdure 1.2.3"), std::string::npos);
}

TEST(Top, WhatPeersSendDoesNotSteerTheTerminal) {
  EXPECT_EQ(fitted("a\x1b[2Jb\xff\xc2\x9b"
                   "c",
                   80),
            "a?[2Jb??c");
  EXPECT_EQ(fitted("──▶x", 3), "──▶");
}

}  // namespace
}  // namespace perdure::app::top

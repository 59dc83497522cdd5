// Log lines: which are written, and how they look.
#include "base/logging.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace perdure::log {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

template <class F>
std::string written(const Options& options, F&& f) {
  testing::internal::CaptureStderr();
  open("test", options);
  f();
  const std::string text = testing::internal::GetCapturedStderr();
  open("test", {});
  return text;
}

TEST(Logging, TheFolderIsTheComponent) {
  static_assert(component_of("/home/x/src/edge/connections/hub.cpp") == "edge");
  static_assert(component_of("src/proxy/input.cpp") == "proxy");
  static_assert(component_of("/elsewhere/input.cpp") == "other");
}

TEST(Logging, LevelsOfComponentsGoBeforeTheGeneralOne) {
  set_levels(Level::Warning, {{"script", Level::Debug}, {"edge", Level::Error}});
  EXPECT_TRUE(enabled(Level::Debug, "script"));
  EXPECT_FALSE(enabled(Level::Warning, "edge"));
  EXPECT_TRUE(enabled(Level::Warning, "proxy"));
  EXPECT_FALSE(enabled(Level::Notice, "proxy"));
  set_levels(Level::Notice, {});
  EXPECT_FALSE(enabled(Level::Debug, "script"));
}

TEST(Logging, PlainLinesEndWithTheCall) {
  const auto text = written({}, [] {
    const CallScope outer("call-1");
    {
      const CallScope inner("call-2");
      warning("{} is {}", "it", 7);
    }
    warning("again");
  });
  EXPECT_THAT(text, HasSubstr(" warning: it is 7 (Call-ID call-2)\n"));
  EXPECT_THAT(text, HasSubstr(" warning: again (Call-ID call-1)\n"));
  EXPECT_THAT(written({}, [] { warning("done"); }), HasSubstr(" warning: done\n"));
  EXPECT_THAT(written({.level = Level::Error, .components = {}}, [] { warning("not"); }), IsEmpty());
}

TEST(Logging, JsonLinesAreJsonWhateverTheySay) {
  const auto text = written({.components = {}, .style = Style::Json}, [] {
    const CallScope call("a\"b\xff");
    error("line\nbreak \\ \x01");
  });
  EXPECT_THAT(text, HasSubstr(R"("process":"test")"));
  EXPECT_THAT(text, HasSubstr(R"("level":"error","component":"other","message":"line\u000abreak \\ \u0001","call_id":"a\"b\u00ff"})"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
  EXPECT_EQ(text.front(), '{');
}

TEST(Logging, AStormIsCutAndCounted) {
  const auto text = written({.components = {}, .rate = 3}, [] {
    for (int i = 0; i < 100; ++i) warning("storm {}", i);
    warning("another kind");
    for (int i = 0; i < 10; ++i) write(Level::Warning, "script", "of a script");
  });
  EXPECT_LT(std::ranges::count(text, '\n'), 3 * 2 + 1 + 10 + 1) << "a second may have ended in between";
  EXPECT_THAT(text, HasSubstr("another kind"));
}

TEST(Logging, Names) {
  EXPECT_EQ(level_from("warning"), Level::Warning);
  EXPECT_EQ(level_from("loud"), std::nullopt);
  EXPECT_EQ(name(Level::Critical), "critical");
}

}  // namespace
}  // namespace perdure::log

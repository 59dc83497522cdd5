// RFC 3261 7.3.1: several values of a header, by comma and by line.
#include "sip/values.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "sip/message.hpp"

namespace perdure::sip {
namespace {

using testing::ElementsAre;

class Values : public testing::Test {
 protected:
  std::vector<std::string> read(std::string_view lines, HeaderName header = HeaderName::Route) {
    text = "OPTIONS sip:a SIP/2.0\r\n" + std::string(lines) + "\r\n";
    EXPECT_TRUE(message.parse(text).has_value());
    std::vector<std::string> found;
    values.clear();
    for (const Value& value : message.values(header)) {
      EXPECT_EQ(message.bytes().substr(value.begin, value.end - value.begin), value.text);
      found.emplace_back(value.text);
      values.push_back(value);
    }
    return found;
  }

  std::string text;
  Message message;
  std::vector<Value> values;
};

TEST_F(Values, OverLinesAndCommas) {
  EXPECT_THAT(read("Route: <sip:a;lr>, <sip:b;lr>\r\nX: c\r\nroute:<sip:d>\r\n"), ElementsAre("<sip:a;lr>", "<sip:b;lr>", "<sip:d>"));
  EXPECT_THAT(read("X: c\r\n"), ElementsAre());
  EXPECT_THAT(read("v: one, two\r\nVia: three\r\n", HeaderName::Via), ElementsAre("one", "two", "three"));
}

TEST_F(Values, CommasThatDoNotSeparate) {
  EXPECT_THAT(read("Route: \"Bell, A.\" <sip:a,b>;x=\"c,d\",<sip:e?f=g,h>\r\n"),
              ElementsAre("\"Bell, A.\" <sip:a,b>;x=\"c,d\"", "<sip:e?f=g,h>"));
  EXPECT_THAT(read("Route: \"a \\\", b\" <sip:a>, <sip:b>\r\n"), ElementsAre("\"a \\\", b\" <sip:a>", "<sip:b>"));
  EXPECT_THAT(read("Route: <sip:a\",b>, <sip:c>\r\n"), ElementsAre("<sip:a\",b>", "<sip:c>"));  // no quote inside of brackets
}

TEST_F(Values, WhatIsNotBalancedTakesTheRest) {
  EXPECT_THAT(read("Route: \"a, <sip:b>, c\r\nRoute: d\r\n"), ElementsAre("\"a, <sip:b>, c", "d"));
  EXPECT_THAT(read("Route: <sip:b, c\r\n"), ElementsAre("<sip:b, c"));
}

TEST_F(Values, EmptyElementsAreNone) {
  EXPECT_THAT(read("Route: , a ,\t, b,\r\n ,\r\nRoute:\r\nRoute: ,,\r\n"), ElementsAre("a", "b"));
}

TEST_F(Values, FoldsAreWhitespace) {
  EXPECT_THAT(read("Route:\r\n a\r\n ,\r\n b\r\n c\r\n"), ElementsAre("a", "b\r\n c"));
}

TEST_F(Values, KnowTheirNeighbours) {
  read("Route: a , b,c\r\nRoute: d\r\n");
  ASSERT_EQ(values.size(), 4U);
  EXPECT_EQ(values[0].previous_end, 0U);
  EXPECT_EQ(values[0].next_begin, values[1].begin);
  EXPECT_EQ(values[1].previous_end, values[0].end);
  EXPECT_EQ(values[1].next_begin, values[2].begin);
  EXPECT_EQ(values[2].next_begin, 0U);
  EXPECT_FALSE(values[2].only_in_line);
  EXPECT_TRUE(values[3].only_in_line);
  EXPECT_EQ(values[3].previous_end, 0U);
  EXPECT_EQ(values[0].field, &message.headers()[0]);
  EXPECT_EQ(values[3].field, &message.headers()[1]);
}

}  // namespace
}  // namespace perdure::sip

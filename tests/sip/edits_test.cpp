// Changes to a message: each operation, their combinations, and that what nobody touched travels verbatim.
#include "sip/edits.hpp"

#include <gmock/gmock.h>

#include <string>

namespace perdure::sip {
namespace {

const std::string invite =
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "v:  SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    "Route: <sip:one;lr>, <sip:two;lr> ,<sip:three;lr>\r\n"
    "Route:\r\n <sip:four;lr>\r\n"
    "Max-Forwards: 70\r\n"
    "Subject:\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 4\r\n"
    "\r\n"
    "body";

class EditsTest : public testing::Test {
 protected:
  void SetUp() override { read(invite); }

  void read(std::string text) {
    original = std::move(text);
    (void)message.parse(original);
    edits.clear();
  }
  const HeaderField& field(std::string_view name) {
    const HeaderField* found = message.find(name);
    EXPECT_NE(found, nullptr) << name;
    return *found;
  }
  Value value(HeaderName header, std::size_t index) {
    for (const Value& found : message.values(header))
      if (index-- == 0) return found;
    ADD_FAILURE() << "no such value";
    return {};
  }
  // The original with one part exchanged.
  std::string with(std::string_view old_text, std::string_view new_text) const {
    std::string text = original;
    const std::size_t position = text.find(old_text);
    EXPECT_NE(position, std::string::npos) << old_text;
    return text.replace(position, old_text.size(), new_text);
  }
  // What is written, by each of the ways to write it, and again after a trip through a store.
  std::string written() {
    std::string text = "before";
    edits.serialize_append(message, text);
    text.erase(0, 6);
    EXPECT_EQ(edits.serialized_size(message), text.size());
    std::string buffer(text.size(), '?');
    EXPECT_EQ(edits.serialize(message, buffer), text.size());
    EXPECT_EQ(buffer, text);
    if (!text.empty()) {
      EXPECT_EQ(edits.serialize(message, std::span<char>(buffer).first(text.size() - 1)), 0U);
    }
    std::string stored, again;
    edits.encode(stored);
    Edits restored;
    EXPECT_TRUE(restored.decode(stored));
    restored.serialize_append(message, again);
    EXPECT_EQ(again, text);
    Message parsed;
    EXPECT_TRUE(parsed.parse(text).has_value()) << text;
    EXPECT_EQ(parsed.bytes(), text);
    return text;
  }

  std::string original;
  Message message;
  Edits edits;
};

TEST_F(EditsTest, NoneLeavesTheMessageVerbatim) {
  EXPECT_TRUE(edits.empty());
  EXPECT_EQ(written(), original);
}

TEST_F(EditsTest, RequestUri) {
  edits.set_request_uri("sip:first@example.com");
  edits.set_request_uri("sip:second@example.com");  // the later one wins
  EXPECT_EQ(written(), with("sip:bob@example.com", "sip:second@example.com"));
  edits.clear();
  edits.set_status(200, "OK");  // a request has none
  EXPECT_EQ(written(), original);
}

TEST_F(EditsTest, Status) {
  read("SIP/2.0 503 Service Unavailable\r\nX: y\r\n\r\n");
  edits.set_status(500, "Server Internal Error");
  edits.set_request_uri("sip:bob@example.com");  // a response has none
  EXPECT_EQ(written(), "SIP/2.0 500 Server Internal Error\r\nX: y\r\n\r\n");
  edits.set_status(699, "");
  EXPECT_EQ(written(), "SIP/2.0 699 \r\nX: y\r\n\r\n");
}

TEST_F(EditsTest, InsertBefore) {
  edits.insert_before(HeaderName::Route, "Route: <sip:b>\r\n");
  edits.insert_before(HeaderName::Route, "Route: <sip:a>\r\n");  // the last one comes out on top
  EXPECT_EQ(written(), with("Route: <sip:one", "Route: <sip:a>\r\nRoute: <sip:b>\r\nRoute: <sip:one"));
}

TEST_F(EditsTest, InsertBeforeAHeaderThatIsNotThere) {
  edits.insert_before(HeaderName::RecordRoute, "Record-Route: <sip:b>\r\n");
  edits.insert_at_top("X: y\r\n");
  edits.insert_at_top("X: z\r\n");
  EXPECT_EQ(written(), with("v:", "Record-Route: <sip:b>\r\nX: y\r\nX: z\r\nv:"));
}

TEST_F(EditsTest, InsertBeforeOneLine) {
  edits.insert_line_before(message.headers()[1], "Route: <sip:b>\r\n");
  edits.insert_line_before(message.headers()[1], "Route: <sip:c>\r\n");
  edits.insert_before(HeaderName::Route, "Route: <sip:a>\r\n");  // the proxy's own stands above
  EXPECT_EQ(written(), with("Route: <sip:one", "Route: <sip:a>\r\nRoute: <sip:b>\r\nRoute: <sip:c>\r\nRoute: <sip:one"));
}

TEST_F(EditsTest, TellsTheStatusThatIsSet) {
  EXPECT_EQ(edits.status(), 0);
  edits.set_status(404, "Not Here");
  edits.set_status(410, "Gone");
  EXPECT_EQ(edits.status(), 410);
}

TEST_F(EditsTest, Append) {
  edits.append("A: 1\r\n");
  edits.append("B: 2\r\n");
  EXPECT_EQ(written(), with("\r\n\r\nbody", "\r\nA: 1\r\nB: 2\r\n\r\nbody"));
}

TEST_F(EditsTest, RemoveALine) {
  edits.remove(message.headers()[2]);
  EXPECT_EQ(written(), with("Route:\r\n <sip:four;lr>\r\n", ""));
  edits.remove(message.headers()[2]);  // twice is once
  EXPECT_EQ(written(), with("Route:\r\n <sip:four;lr>\r\n", ""));
}

TEST_F(EditsTest, ReplaceAValue) {
  edits.replace_value(field("Max-Forwards"), "68");
  edits.replace_value(field("Max-Forwards"), "69");
  EXPECT_EQ(written(), with("70", "69"));
}

TEST_F(EditsTest, ReplaceAnEmptyValue) {
  edits.replace_value(field("Subject"), " first");
  edits.replace_value(field("Subject"), " second");
  EXPECT_EQ(written(), with("Subject:", "Subject: second"));
}

TEST_F(EditsTest, ReplaceARange) {
  const Value two = value(HeaderName::Route, 1);
  edits.replace_range(two.begin, two.end, "<sip:2>");
  EXPECT_EQ(written(), with("<sip:two;lr>", "<sip:2>"));
  edits.replace_range(two.begin, two.end, "");
  edits.replace_range(two.begin, two.begin, "<sip:x>");
  edits.replace_range(two.begin, two.begin, "<sip:y>");  // insertions at one place add up
  EXPECT_EQ(written(), with("<sip:two;lr>", "<sip:x><sip:y>"));
}

TEST_F(EditsTest, RemoveOneValue) {
  edits.remove_value(value(HeaderName::Route, 0));
  EXPECT_EQ(written(), with("<sip:one;lr>, ", ""));
  edits.clear();
  edits.remove_value(value(HeaderName::Route, 1));
  EXPECT_EQ(written(), with("<sip:two;lr> ,", ""));
  edits.clear();
  edits.remove_value(value(HeaderName::Route, 2));
  EXPECT_EQ(written(), with(" ,<sip:three;lr>", ""));
}

TEST_F(EditsTest, RemoveTheOnlyValueOfALine) {
  edits.remove_value(value(HeaderName::Route, 3));
  EXPECT_EQ(written(), with("Route:\r\n <sip:four;lr>\r\n", ""));
}

TEST_F(EditsTest, RemoveEverySetOfValues) {
  const std::string_view names[] = {"<sip:one;lr>", "<sip:two;lr>", "<sip:three;lr>", "<sip:four;lr>"};
  for (unsigned set = 0; set < 16; ++set) {
    edits.clear();
    for (unsigned i = 4; i-- > 0;)
      if (set & (1U << i)) edits.remove_value(value(HeaderName::Route, i));
    Message result;
    const std::string text = written();
    ASSERT_TRUE(result.parse(text).has_value());
    std::vector<std::string_view> left, expected;
    for (const Value& found : result.values(HeaderName::Route)) left.push_back(found.text);
    for (unsigned i = 0; i < 4; ++i)
      if (!(set & (1U << i))) expected.push_back(names[i]);
    EXPECT_EQ(left, expected) << set;
    EXPECT_EQ(result.count(HeaderName::Route), ((set & 7) != 7 ? 1U : 0U) + ((set & 8) ? 0U : 1U)) << set;
    EXPECT_EQ(text.find(",,"), std::string::npos);
    EXPECT_EQ(result.headers().size(), 5 + result.count(HeaderName::Route));
  }
}

TEST_F(EditsTest, RemovedStaysRemoved) {
  edits.remove(field("Max-Forwards"));
  edits.replace_value(field("Max-Forwards"), "1");
  EXPECT_EQ(written(), with("Max-Forwards: 70\r\n", ""));
  edits.clear();
  edits.replace_value(field("Max-Forwards"), "1");
  edits.remove(field("Max-Forwards"));
  EXPECT_EQ(written(), with("Max-Forwards: 70\r\n", ""));
  edits.clear();
  edits.remove_value(value(HeaderName::Route, 1));
  const Value two = value(HeaderName::Route, 1);
  edits.replace_range(two.begin + 1, two.end - 1, "sip:other");
  EXPECT_EQ(written(), with("<sip:two;lr> ,", ""));
}

TEST_F(EditsTest, TheWholeLineTakesItsValues) {
  edits.remove_value(value(HeaderName::Route, 0));
  edits.remove(message.headers()[1]);
  EXPECT_EQ(written(), with("Route: <sip:one;lr>, <sip:two;lr> ,<sip:three;lr>\r\n", ""));
  edits.clear();
  edits.remove_value(value(HeaderName::Route, 0));
  edits.replace_value(message.headers()[1], "<sip:new>");
  EXPECT_EQ(written(), with("<sip:one;lr>, <sip:two;lr> ,<sip:three;lr>", "<sip:new>"));
}

// Found by the fuzzer: what was inserted into a value came out where the value had been.
TEST_F(EditsTest, WhatWasInsertedIntoAValueGoesWithIt) {
  for (const bool removed_first : {false, true}) {
    for (std::size_t i = 0; i < 4; ++i) {
      edits.clear();
      const Value removed = value(HeaderName::Route, i);
      if (removed_first) edits.remove_value(removed);
      edits.replace_range(removed.end, removed.end, ";x=y");
      edits.replace_range(removed.begin, removed.begin, "y");
      if (!removed_first) edits.remove_value(removed);
      EXPECT_THAT(written(), testing::Not(testing::HasSubstr("y<")));
      EXPECT_THAT(written(), testing::Not(testing::HasSubstr(";x=y")));
    }
  }
  edits.clear();
  edits.replace_range(field("Content-Type").value_end, field("Content-Type").value_end, ";x=y");
  edits.set_body("", "body");
  EXPECT_EQ(written(), with("Content-Type: text/plain\r\n", ""));
}

// An insertion beside a line is not in it.
TEST_F(EditsTest, WhatWasInsertedBesideALineStays) {
  for (const bool removed_first : {false, true}) {
    edits.clear();
    const HeaderField& hops = field("Max-Forwards");
    if (removed_first) edits.remove(hops);
    edits.replace_range(hops.begin, hops.begin, "A: 1\r\n");
    edits.replace_range(hops.end, hops.end, "B: 2\r\n");
    if (!removed_first) edits.remove(hops);
    EXPECT_EQ(written(), with("Max-Forwards: 70\r\n", "A: 1\r\nB: 2\r\n"));
  }
}

TEST_F(EditsTest, InsertedBeforeWhatIsRemoved) {
  edits.remove(field("Max-Forwards"));
  edits.insert_before(HeaderName::MaxForwards, "Max-Forwards: 69\r\n");
  EXPECT_EQ(written(), with("70", "69"));
  edits.clear();
  edits.remove_value(value(HeaderName::Route, 3));
  edits.insert_line_before(message.headers()[2], "Route: <sip:new>\r\n");
  EXPECT_EQ(written(), with("Route:\r\n <sip:four;lr>", "Route: <sip:new>"));
}

TEST_F(EditsTest, Body) {
  edits.set_body("text/html", "<b>longer</b>");
  EXPECT_EQ(written(),
            original.substr(0, original.find("Content-Type")) + "Content-Type: text/html\r\nContent-Length: 13\r\n\r\n<b>longer</b>");
  edits.set_body("", "");
  EXPECT_EQ(written(), original.substr(0, original.find("Content-Type")) + "Content-Length: 0\r\n\r\n");
}

TEST_F(EditsTest, BodyWhoseHeadersHadBeenRemoved) {
  const std::string rest = original.substr(0, original.find("Content-Type"));
  edits.remove(field("Content-Type"));
  edits.remove(field("Content-Length"));
  edits.set_body("text/html", "<p>");
  EXPECT_EQ(written(), rest + "Content-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>");
  edits.remove(field("Content-Type"));
  EXPECT_EQ(written(), rest + "Content-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>");  // it was gone already
  edits.clear();
  edits.remove_value(value(HeaderName::ContentType, 0));
  edits.set_body("text/html", "<p>");
  EXPECT_EQ(written(), rest + "Content-Length: 3\r\nContent-Type: text/html\r\n\r\n<p>");
  edits.clear();
  edits.set_body("text/html", "<p>");
  edits.remove(field("Content-Type"));
  EXPECT_EQ(written(), rest + "Content-Length: 3\r\n\r\n<p>");
}

TEST_F(EditsTest, BodyForAMessageWithout) {
  read("SIP/2.0 200 OK\r\nX: y\r\n\r\n");
  edits.set_body("text/plain", "hello");
  EXPECT_EQ(written(), "SIP/2.0 200 OK\r\nX: y\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
  read("SIP/2.0 200 OK\r\nX: y\r\n\r\n");
  edits.append("Z: last\r\n");
  edits.set_body("", "");
  EXPECT_EQ(written(), "SIP/2.0 200 OK\r\nX: y\r\nZ: last\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(EditsTest, ARangeOfTheBodyMovesTheLength) {
  const auto body = static_cast<std::uint32_t>(message.bytes().size() - message.body().size());
  edits.replace_range(body + 1, body + 3, "123456");
  EXPECT_EQ(written(), with("4\r\n\r\nbody", "8\r\n\r\nb123456y"));
}

TEST_F(EditsTest, ABodyThatSaysItsOwnLengthIsCorrected) {
  edits.replace_value(field("Content-Length"), "99");
  edits.set_body("text/plain", "12");
  EXPECT_EQ(written(), with("4\r\n\r\nbody", "2\r\n\r\n12"));
}

// What a proxy does to every request: RFC 3261 16.6.
TEST_F(EditsTest, AForwardedRequest) {
  edits.set_request_uri("sip:bob@192.0.2.9");
  edits.replace_value(field("Max-Forwards"), "69");
  edits.remove_value(value(HeaderName::Route, 0));
  edits.insert_before(HeaderName::RecordRoute, "Record-Route: <sip:p;lr>\r\n");
  edits.insert_before(HeaderName::Via, "Via: SIP/2.0/UDP p;branch=z9hG4bK2\r\n");
  const Value via = value(HeaderName::Via, 0);
  edits.replace_range(via.end, via.end, ";received=192.0.2.7");
  edits.append("X-Last: 1\r\n");
  EXPECT_EQ(written(),
            "INVITE sip:bob@192.0.2.9 SIP/2.0\r\n"
            "Via: SIP/2.0/UDP p;branch=z9hG4bK2\r\n"
            "Record-Route: <sip:p;lr>\r\n"
            "v:  SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.7\r\n"
            "Route: <sip:two;lr> ,<sip:three;lr>\r\n"
            "Route:\r\n <sip:four;lr>\r\n"
            "Max-Forwards: 69\r\n"
            "Subject:\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 4\r\n"
            "X-Last: 1\r\n"
            "\r\n"
            "body");
}

TEST_F(EditsTest, MoreEditsThanAreKeptInline) {
  std::string lines;
  for (int i = 0; i < 100; ++i) {
    const std::string line = "X-" + std::to_string(i) + ": y\r\n";
    edits.append(line);
    lines += line;
  }
  EXPECT_EQ(written(), with("\r\n\r\nbody", "\r\n" + lines + "\r\nbody"));
}

TEST_F(EditsTest, CopiesAreIndependent) {
  edits.append("A: 1\r\n");
  Edits copy = edits;
  copy.append("B: 2\r\n");
  EXPECT_EQ(written(), with("\r\n\r\nbody", "\r\nA: 1\r\n\r\nbody"));
  edits = copy;
  EXPECT_EQ(written(), with("\r\n\r\nbody", "\r\nA: 1\r\nB: 2\r\n\r\nbody"));
}

TEST_F(EditsTest, DecodeRefusesWhatEncodeDidNotWrite) {
  edits.append("A: 1\r\n");
  edits.set_request_uri("sip:x");
  std::string stored;
  edits.encode(stored);
  Edits restored;
  for (std::size_t size = 0; size < stored.size(); ++size) {
    EXPECT_FALSE(restored.decode(std::string_view(stored).substr(0, size))) << size;
    EXPECT_TRUE(restored.empty());
  }
  EXPECT_TRUE(restored.decode(stored));
  std::string changed = stored;
  changed[0] = 77;  // a version of its own
  EXPECT_FALSE(restored.decode(changed));
  changed = stored;
  changed[4] = '\x7F';  // a count that the bytes cannot hold
  EXPECT_FALSE(restored.decode(changed));
  changed = stored;
  changed[5] = '\x7F';  // an unknown kind of edit
  EXPECT_FALSE(restored.decode(changed));
  edits.clear();
  stored.clear();
  edits.encode(stored);
  EXPECT_TRUE(restored.decode(stored));
  EXPECT_TRUE(restored.empty());
}

}  // namespace
}  // namespace perdure::sip

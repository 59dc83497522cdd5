// 100,000 messages that are nearly valid: nothing crashes, and what must hold for every message holds for them.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "fuzz/sip/message_checks.hpp"
#include "sip/torture_table.hpp"
#include "sip/vectors.hpp"

namespace perdure::sip {
namespace {

constexpr std::string_view request =
    "INVITE sip:bob@biloxi.example.com;transport=udp SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.4:5060;rport;branch=z9hG4bKnashds8, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKa;received=192.0.2.1\r\n"
    "Via: SIP/2.0/TLS pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n"
    "Route: <sip:192.0.2.100;lr>, \"Next, hop\" <sip:p2.example.com;lr;x=\"y\">\r\n"
    "Record-Route: <sip:p0.example.com;lr>\r\n"
    "Max-Forwards: 70\r\n"
    "To: Bob <sip:bob@biloxi.example.com>\r\n"
    "From: \"Alice \\\"A\\\"\" <sip:alice@atlanta.example.com>;tag=1928301774\r\n"
    "Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Contact: <sip:alice@pc33.atlanta.example.com>\r\n"
    "Subject: folded\r\n over\r\n\tlines\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 12\r\n"
    "\r\n"
    "v=0\r\ns=-\r\n\r\n";

constexpr std::string_view response =
    "SIP/2.0 180 Ringing\r\n"
    "v: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKours\r\n"
    "v: SIP/2.0/UDP 192.0.2.4:5060;rport=5060;received=192.0.2.4;branch=z9hG4bKnashds8\r\n"
    "f: <sip:alice@atlanta.example.com>;tag=1928301774\r\n"
    "t: <sip:bob@biloxi.example.com>;tag=a6c85cf\r\n"
    "i: a84b4c76e66710@pc33.atlanta.example.com\r\n"
    "CSeq: 314159 INVITE\r\n"
    "m: <sip:bob@192.0.2.8>\r\n"
    "l: 0\r\n\r\n";

// What parsers trip over.
constexpr std::string_view fragments[] = {"\r\n",
                                          "\n",
                                          "\r",
                                          "\r\n ",
                                          "\r\n\r\n",
                                          ":",
                                          ";",
                                          ",",
                                          "<",
                                          ">",
                                          "\"",
                                          "\\",
                                          "[",
                                          "]",
                                          "%",
                                          "%00",
                                          "@",
                                          "?",
                                          "=",
                                          " ",
                                          "\t",
                                          "sip:",
                                          "tel:+1",
                                          "Via: SIP/2.0/UDP h;branch=z9hG4bK\r\n",
                                          "Route: <sip:r;lr>\r\n",
                                          "Route: ,,\r\n",
                                          "Content-Length: 3\r\n",
                                          "l: 99999\r\n",
                                          ";tag=x",
                                          ";received=[::1]",
                                          ";rport",
                                          "SIP/2.0",
                                          "4294967296",
                                          "-1",
                                          "\x80\xff",
                                          "CSeq: 1 ACK\r\n",
                                          "To:\r\n",
                                          "*"};

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, std::uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  const std::string& next() {
    text_ = seeds_[below(seeds_.size())];
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) change();
    return text_;
  }

 private:
  std::size_t below(std::size_t limit) { return limit ? random_() % limit : 0; }

  void change() {
    const std::size_t at = below(text_.size() + 1);
    switch (below(8)) {
      case 0:
        if (at < text_.size()) text_[at] = static_cast<char>(random_());
        break;
      case 1:
        text_.erase(at, 1 + below(8));
        break;
      case 2:
        text_.erase(at, below(text_.size()));
        break;
      case 3:
        text_.insert(at, text_.substr(below(text_.size() + 1), below(120)));
        break;
      case 4:
      case 5:
        text_.insert(at, fragments[below(std::size(fragments))]);
        break;
      case 6: {  // the rest of another message
        const std::string& other = seeds_[below(seeds_.size())];
        text_.replace(at, std::string::npos, other.substr(below(other.size() + 1)));
        break;
      }
      default: {  // a line moves
        const std::size_t begin = text_.rfind('\n', at), end = text_.find('\n', at);
        if (begin == std::string::npos || end == std::string::npos || begin >= end) break;
        const std::string line = text_.substr(begin + 1, end - begin);
        text_.erase(begin + 1, end - begin);
        const std::size_t to = text_.find('\n', below(text_.size() + 1));
        text_.insert(to == std::string::npos ? text_.size() : to + 1, line);
      }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
  std::string text_;
};

TEST(Mutations, HundredThousandNearlyValidMessages) {
  std::vector<std::string> seeds;
  for (const torture::Row& row : torture::rows) seeds.push_back(read_fixture(row.file));
  for (int i = 0; i < 20; ++i) {
    seeds.emplace_back(request);
    seeds.emplace_back(response);
  }
  Mutator mutator(seeds, 20260101);
  std::size_t taken = 0;
  constexpr std::size_t rounds = 100'000;
  for (std::size_t i = 0; i < rounds; ++i) {
    const std::string& text = mutator.next();
    bool accepted = false;
    const checks::Broken broken = checks::everything(text, accepted);
    ASSERT_EQ(broken, nullptr) << broken << " in mutation " << i << ":\n" << text;
    taken += accepted;
  }
  // Both ways must have been walked, or the test has shown nothing.
  EXPECT_GT(taken, rounds / 10);
  EXPECT_LT(taken, rounds * 9 / 10);
}

TEST(Mutations, TheSeedsAreSound) {
  for (const std::string_view text : {request, response}) {
    bool accepted = false;
    EXPECT_EQ(checks::everything(text, accepted), nullptr);
    EXPECT_TRUE(accepted);
  }
}

// A check that cannot fail finds nothing: a CANCEL for another INVITE is noticed.
TEST(Mutations, TheChecksNotice) {
  Message message;
  ASSERT_TRUE(message.parse(request).has_value());
  Edits edits;
  edits.replace_range(0, 6, "");  // takes the method out
  std::string out;
  EXPECT_EQ(checks::writing(message, edits, out), nullptr);
  bool accepted = true;
  EXPECT_EQ(checks::everything(out, accepted), nullptr);
  EXPECT_FALSE(accepted);
}

}  // namespace
}  // namespace perdure::sip

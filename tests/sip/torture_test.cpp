// RFC 4475 (SIP Torture Test Messages) and RFC 5118 (IPv6), byte for byte: each message gets the outcome of its row in torture_table.hpp.
#include <gmock/gmock.h>

#include <set>

#include "sip/builder.hpp"
#include "sip/torture_table.hpp"
#include "sip/vectors.hpp"

namespace perdure::sip {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::expected<void, ParseError> judge(Message& message, std::string_view bytes) {
  if (auto parsed = message.parse(bytes); !parsed) return parsed;
  return message.check();
}

class Torture : public testing::TestWithParam<torture::Row> {};

TEST_P(Torture, MessageHasTheOutcomeOfItsSection) {
  const torture::Row& row = GetParam();
  SCOPED_TRACE(std::string(row.file) + ", section " + std::string(row.section));
  const std::string bytes = read_fixture(row.file);
  ASSERT_FALSE(bytes.empty());
  Message message;
  const auto outcome = judge(message, bytes);
  if (row.status == 0) {
    ASSERT_TRUE(outcome.has_value()) << outcome.error().status << ' ' << outcome.error().reason;
    return;
  }
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().status, row.status);
  EXPECT_EQ(outcome.error().reason, row.reason);
}

// A file name as the name of a test.
std::string test_name(const testing::TestParamInfo<torture::Row>& info) {
  std::string name(info.param.file.substr(3));
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Rfc, Torture, testing::ValuesIn(torture::rows), test_name);

TEST(TortureTable, HasARowForEveryFile) {
  std::set<std::string> rows, files;
  for (const torture::Row& row : torture::rows) EXPECT_TRUE(rows.insert(std::string(row.file)).second) << row.file << " has two rows";
  for (const char* folder : {"rfc4475", "rfc5118"})
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(PERDURE_SOURCE_DIR) / "tests/fixtures" / folder))
      files.insert(std::string(folder) + "/" + entry.path().filename().string());
  EXPECT_EQ(rows, files);
  EXPECT_EQ(files.size(), 61U);
}

// RFC 3261 16.3: what is refused gets an answer that says why, and the answer is a message that its sender can read.
TEST(TortureTable, RefusedRequestsCanBeAnswered) {
  for (const torture::Row& row : torture::rows) {
    if (row.status == 0 || row.proxy != torture::Proxy::Answers) continue;
    SCOPED_TRACE(row.file);
    const std::string bytes = read_fixture(row.file);
    Message request, response;
    ASSERT_FALSE(judge(request, bytes).has_value());
    std::string answer;
    build_response(request, row.status, row.reason, "ours", {}, {}, {}, answer);
    ASSERT_TRUE(response.parse(answer).has_value()) << answer;
    EXPECT_TRUE(response.is_response());
    EXPECT_EQ(response.status(), row.status);
    EXPECT_EQ(response.reason(), row.reason);
    EXPECT_EQ(response.count(HeaderName::Via), request.count(HeaderName::Via));
  }
}

// What the RFCs stress in the messages that pass.
class TortureDetails : public testing::Test {
 protected:
  void read(std::string_view file) {
    bytes = read_fixture(file);
    const auto outcome = judge(message, bytes);
    ASSERT_TRUE(outcome.has_value()) << file << ": " << outcome.error().reason;
  }
  std::vector<std::string_view> values(HeaderName header) const {
    std::vector<std::string_view> found;
    for (const Value& value : message.values(header)) found.push_back(value.text);
    return found;
  }
  std::string_view header(std::string_view name) const {
    const HeaderField* field = message.find(name);
    return field ? message.value(*field) : "(absent)";
  }

  std::string bytes;
  Message message;
};

TEST_F(TortureDetails, ShortTortuousInvite) {  // RFC 4475 3.1.1.1
  read("rfc4475/wsinv.dat");
  EXPECT_EQ(message.method(), Method::Invite);
  EXPECT_EQ(message.uri()->host, "chair-dnrc.example.com");
  EXPECT_TRUE(message.uri()->has_param("unknownparam"));
  EXPECT_EQ(message.to()->uri, "sip:vivekg@chair-dnrc.example.com");
  EXPECT_EQ(message.to()->tag, "1918181833n");
  EXPECT_EQ(message.from()->display, R"("J Rosenberg \\\"")");
  EXPECT_EQ(message.from()->tag, "98asjd8");
  EXPECT_EQ(message.max_forwards(), 68U);
  EXPECT_EQ(message.cseq()->number, 9U);
  EXPECT_EQ(message.cseq()->method, Method::Invite);
  const auto vias = values(HeaderName::Via);
  ASSERT_EQ(vias.size(), 3U);
  EXPECT_EQ(message.count(HeaderName::Via), 2U);
  EXPECT_EQ(message.top_via()->host, "192.0.2.2");
  EXPECT_EQ(message.top_via()->transport, "UDP");
  EXPECT_EQ(message.top_via()->branch, "390skdjuw");
  EXPECT_EQ(Via::parse(vias[1])->host, "spindle.example.com");
  EXPECT_EQ(Via::parse(vias[1])->transport, "TCP");
  EXPECT_EQ(Via::parse(vias[1])->branch, "z9hG4bK9ikj8");
  EXPECT_EQ(Via::parse(vias[2])->host, "192.168.255.111");
  EXPECT_EQ(Via::parse(vias[2])->branch, "z9hG4bK30239");
  EXPECT_EQ(header("Subject"), "");
  EXPECT_EQ(header("NewFangledHeader"), "newfangled value\r\n continued newfangled value");
  EXPECT_EQ(header("UnknownHeaderWithUnusualValue"), ";;,,;;,;");
  const auto route = NameAddr::parse(values(HeaderName::Route).at(0));
  ASSERT_TRUE(route.has_value());
  EXPECT_TRUE(Uri::parse(route->uri)->has_param("lr"));
  EXPECT_EQ(Uri::parse(route->uri)->param("unknownwith"), "value");
  const auto contact = NameAddr::parse(values(HeaderName::Contact).at(0));
  ASSERT_TRUE(contact.has_value());
  EXPECT_EQ(contact->display, R"("Quoted string \"\"")");
  EXPECT_EQ(contact->param("newparam"), "newvalue");
  EXPECT_EQ(contact->param("secondparam"), "");
  EXPECT_EQ(contact->param("q"), "0.33");
  EXPECT_EQ(message.body().size(), 150U);
}

TEST_F(TortureDetails, WideRangeOfCharacters) {  // 3.1.1.2
  using namespace std::string_view_literals;
  read("rfc4475/intmeth.dat");
  EXPECT_EQ(message.method(), Method::Other);
  EXPECT_EQ(message.method_name(), "!interesting-Method0123456789_*+`.%indeed'~");
  EXPECT_EQ(message.cseq()->method_name, message.method_name());
  EXPECT_EQ(message.uri()->user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
  EXPECT_EQ(message.uri()->password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
  EXPECT_EQ(message.uri()->host, "example.com");
  EXPECT_EQ(message.to()->display, "\"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7F\""sv);
  EXPECT_EQ(message.from()->display, "token1~` token2'+_ token3*%!.-");
  EXPECT_EQ(message.from()->tag, "_token~1'+`*%!-.");
  EXPECT_EQ(message.from()->param("fromParam''~+*_!.-%"),
            "\"\xD1\x80\xD0\xB0\xD0\xB1\xD0\xBE\xD1\x82\xD0\xB0\xD1\x8E\xD1\x89\xD0\xB8\xD0\xB9\"");
  EXPECT_EQ(message.call_id(), R"(intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{)");
  EXPECT_EQ(message.top_via()->branch, "z9hG4bK-.!%66*_+`'~");
  EXPECT_EQ(message.max_forwards(), 255U);
  EXPECT_EQ(header("extensionHeader-!.%*+_`'~"), "\xEF\xBB\xBF\xE5\xA4\xA7\xE5\x81\x9C\xE9\x9B\xBB");
}

TEST_F(TortureDetails, EscapesInUris) {  // 3.1.1.3
  read("rfc4475/esc01.dat");
  EXPECT_EQ(message.uri()->user, "sips%3Auser%40example.com");
  EXPECT_EQ(message.uri()->password, "");
  EXPECT_EQ(message.uri()->host, "example.net");
  EXPECT_TRUE(equivalent(*Uri::parse(message.to()->uri), *Uri::parse("sip:user@example.com")));
  const auto contact = Uri::parse(NameAddr::parse(values(HeaderName::Contact).at(0))->uri);
  EXPECT_TRUE(contact->has_param("lr"));
  EXPECT_EQ(contact->param("name"), "v%61lue%25%34%31");
  EXPECT_EQ(message.body().size(), 150U);
}

TEST_F(TortureDetails, EscapedNul) {  // 3.1.1.4
  using namespace std::string_view_literals;
  read("rfc4475/escnull.dat");
  const auto contacts = values(HeaderName::Contact);
  ASSERT_EQ(contacts.size(), 2U);
  const auto one = Uri::parse(NameAddr::parse(contacts[0])->uri), two = Uri::parse(NameAddr::parse(contacts[1])->uri);
  EXPECT_FALSE(equivalent(*one, *two));
  char buffer[8];
  EXPECT_EQ(unescape(two->user, buffer), "\0\0"sv);
}

TEST_F(TortureDetails, PercentThatEscapesNothing) {  // 3.1.1.5
  read("rfc4475/esc02.dat");
  EXPECT_EQ(message.method(), Method::Other);
  EXPECT_EQ(message.method_name(), "RE%47IST%45R");
  EXPECT_EQ(message.to()->display, "\"%Z%45\"");
  EXPECT_EQ(message.top_via()->branch, "z9hG4bK209%fzsnel234");
  EXPECT_EQ(values(HeaderName::Contact).size(), 2U);
  EXPECT_EQ(header("C%6Fntact"), "<sip:alias2@host2.example.com>");
}

TEST_F(TortureDetails, NoWhitespaceAfterDisplayName) {  // 3.1.1.6
  read("rfc4475/lwsdisp.dat");
  EXPECT_EQ(message.from()->display, "caller");
  EXPECT_EQ(message.from()->uri, "sip:caller@example.com");
  EXPECT_EQ(message.from()->tag, "323");
}

TEST_F(TortureDetails, LongValues) {  // 3.1.1.7
  read("rfc4475/longreq.dat");
  EXPECT_EQ(message.count(HeaderName::Via), 34U);
  EXPECT_EQ(message.top_via()->host, "sip33.example.com");
  EXPECT_EQ(Via::parse(values(HeaderName::Via).back())->received, "192.0.2.5");
  EXPECT_EQ(Uri::parse(message.to()->uri)->port, 6000);
  EXPECT_EQ(message.from()->tag.size(), 155U);
  EXPECT_EQ(message.body().size(), 150U);
}

TEST_F(TortureDetails, SecondRequestInTheDatagram) {  // 3.1.1.8
  read("rfc4475/dblreq.dat");
  EXPECT_EQ(message.method(), Method::Register);
  EXPECT_EQ(message.call_id(), "dblreq.0ha0isndaksdj99sdfafnl3lk233412");
  EXPECT_EQ(message.body(), "");
  EXPECT_LT(message.bytes().size(), bytes.size());
  EXPECT_THAT(std::string(message.bytes()), testing::EndsWith("Content-Length: 0\r\n\r\n"));
}

TEST_F(TortureDetails, SemicolonInTheUserPart) {  // 3.1.1.9
  read("rfc4475/semiuri.dat");
  EXPECT_EQ(message.uri()->user, "user;par=u%40example.net");
  EXPECT_EQ(message.uri()->params, "");
  EXPECT_THAT(values(HeaderName::Accept), testing::SizeIs(6));
}

TEST_F(TortureDetails, UnknownTransports) {  // 3.1.1.10
  read("rfc4475/transports.dat");
  std::vector<std::string_view> transports;
  for (const auto value : values(HeaderName::Via)) transports.push_back(Via::parse(value)->transport);
  EXPECT_THAT(transports, testing::ElementsAre("UDP", "SCTP", "TLS", "UNKNOWN", "TCP"));
}

TEST_F(TortureDetails, BinaryBody) {  // 3.1.1.11
  read("rfc4475/mpart01.dat");
  EXPECT_EQ(message.body().size(), 553U);
  EXPECT_NE(message.body().find('\0'), std::string_view::npos);
  EXPECT_THAT(std::string(message.body()), testing::EndsWith("--7a9cbec02ceef655--\r\n"));
}

TEST_F(TortureDetails, ReasonPhrases) {  // 3.1.1.12, 3.1.1.13
  read("rfc4475/unreason.dat");
  EXPECT_EQ(message.status(), 200);
  EXPECT_THAT(std::string(message.reason()), StartsWith("= 2**3 * 5**2 \xD0\xBD\xD0\xBE"));
  read("rfc4475/noreason.dat");
  EXPECT_EQ(message.status(), 100);
  EXPECT_EQ(message.reason(), "");
}

TEST_F(TortureDetails, DateIsNotJudged) {  // 3.1.2.12
  read("rfc4475/baddate.dat");
  EXPECT_EQ(header("Date"), "Fri, 01 Jan 2010 16:00:00 EST");
}

TEST_F(TortureDetails, ContactWithHeadersNeedsBrackets) {  // 3.1.2.13, 3.3.14
  read("rfc4475/regbadct.dat");
  EXPECT_FALSE(NameAddr::parse(values(HeaderName::Contact).at(0)).has_value());
  read("rfc4475/regescrt.dat");
  const auto contact = NameAddr::parse(values(HeaderName::Contact).at(0));
  ASSERT_TRUE(contact.has_value());
  EXPECT_EQ(Uri::parse(contact->uri)->headers, "Route=%3Csip:sip.example.com%3E");
}

// 3.1.2.15: a proxy must not pass this error on, so it is refused; the missing empty line of the file is not the reason.
TEST(TortureTable, CommaInAnUnquotedDisplayNameIsRefused) {
  const std::string bytes = read_fixture("rfc4475/baddn.dat") + "\r\n";
  Message message;
  ASSERT_TRUE(message.parse(bytes).has_value());
  ASSERT_FALSE(message.check().has_value());
  EXPECT_EQ(message.check().error().status, 400);
  EXPECT_EQ(message.check().error().reason, "Bad From header");
}

TEST_F(TortureDetails, BranchWithoutAnIdentifier) {  // 3.2.1
  read("rfc4475/badbranch.dat");
  EXPECT_EQ(message.top_via()->branch, "z9hG4bK");
}

TEST_F(TortureDetails, UnknownSchemes) {  // 3.3.2 to 3.3.4
  read("rfc4475/unkscm.dat");
  EXPECT_EQ(message.uri()->scheme, Scheme::Other);
  EXPECT_EQ(message.uri()->scheme_name, "nobodyKnowsThisScheme");
  EXPECT_EQ(message.uri()->opaque, "totallyopaquecontent");
  read("rfc4475/novelsc.dat");
  EXPECT_EQ(message.uri()->scheme_name, "soap.beep");
  read("rfc4475/unksm2.dat");
  EXPECT_EQ(message.to()->uri, "isbn:2983792873");
  EXPECT_EQ(message.from()->uri, "http://www.example.com");
  EXPECT_EQ(message.from()->tag, "3234233");
}

TEST_F(TortureDetails, HeadersForWhoDecidesAboutThem) {  // 3.3.5 to 3.3.7, 3.3.15
  read("rfc4475/bext01.dat");
  EXPECT_THAT(values(HeaderName::ProxyRequire), testing::ElementsAre("noProxiesSupportThis", "norDoAnyProxiesSupportThis"));
  EXPECT_THAT(values(HeaderName::Require), testing::ElementsAre("nothingSupportsThis", "nothingSupportsThisEither"));
  read("rfc4475/invut.dat");
  EXPECT_EQ(header("Content-Type"), "application/unknownformat");
  EXPECT_EQ(message.body().size(), 40U);
  read("rfc4475/regaut01.dat");
  EXPECT_EQ(header("Authorization"), "NoOneKnowsThisScheme opaque-data=here");
  read("rfc4475/sdp01.dat");
  EXPECT_THAT(values(HeaderName::Accept), testing::ElementsAre("text/nobodyKnowsThis"));
}

TEST_F(TortureDetails, BroadcastInTheSecondVia) {  // 3.3.10
  read("rfc4475/bcast.dat");
  EXPECT_EQ(Via::parse(values(HeaderName::Via).at(1))->host, "255.255.255.255");
}

TEST_F(TortureDetails, MaxForwardsZero) {  // 3.3.11
  read("rfc4475/zeromf.dat");
  EXPECT_EQ(message.max_forwards(), 0U);
}

TEST_F(TortureDetails, BracketsDecideWhoseParameterItIs) {  // 3.3.12, 3.3.13
  read("rfc4475/cparam01.dat");
  auto contact = NameAddr::parse(values(HeaderName::Contact).at(0));
  EXPECT_EQ(contact->param("unknownparam"), "");
  EXPECT_EQ(contact->uri, "sip:+19725552222@gw1.example.net");
  read("rfc4475/cparam02.dat");
  contact = NameAddr::parse(values(HeaderName::Contact).at(0));
  EXPECT_EQ(contact->param("unknownparam"), std::nullopt);
  EXPECT_TRUE(Uri::parse(contact->uri)->has_param("unknownparam"));
}

TEST_F(TortureDetails, Rfc2543) {  // 3.4.1
  read("rfc4475/inv2543.dat");
  EXPECT_EQ(message.top_via()->branch, "");
  EXPECT_EQ(message.from()->tag, "");
  EXPECT_EQ(message.max_forwards(), std::nullopt);
  EXPECT_EQ(message.find(HeaderName::ContentLength), nullptr);
  // RFC 3261 18.3: without a Content-Length the body is the rest of the datagram.
  EXPECT_THAT(std::string(message.body()), StartsWith("v=0\r\n"));
  EXPECT_THAT(std::string(message.body()), testing::EndsWith("RTP/AVP 0\r\n"));
}

TEST_F(TortureDetails, Ipv6References) {  // RFC 5118 4.1, 4.3, 4.4
  read("rfc5118/ipv6-good");
  EXPECT_EQ(message.uri()->host, "[2001:db8::10]");
  EXPECT_EQ(message.uri()->port, 0);
  EXPECT_EQ(message.top_via()->host, "[2001:db8::9:1]");
  read("rfc5118/port-ambiguous");
  EXPECT_EQ(message.uri()->host_without_brackets(), "2001:db8::10:5070");
  EXPECT_EQ(message.uri()->port, 0);
  read("rfc5118/port-unambiguous");
  EXPECT_EQ(message.uri()->host_without_brackets(), "2001:db8::10");
  EXPECT_EQ(message.uri()->port, 5070);
}

TEST_F(TortureDetails, ReceivedWithAndWithoutBrackets) {  // 4.5
  read("rfc5118/via-received-param-with-delim");
  EXPECT_EQ(message.top_via()->received, "[2001:db8::9:255]");
  EXPECT_EQ(message.top_via()->branch, "z9hG4bKas3-111");
  read("rfc5118/via-received-param-no-delim");
  EXPECT_EQ(message.top_via()->received, "2001:db8::9:255");
  EXPECT_EQ(message.top_via()->branch, "z9hG4bKas3");
}

TEST_F(TortureDetails, BothFamiliesInVias) {  // 4.7, 4.9
  read("rfc5118/mult-ip-in-header");
  EXPECT_THAT(values(HeaderName::Via), testing::SizeIs(3));
  EXPECT_EQ(message.top_via()->port, 6050);
  EXPECT_EQ(Via::parse(values(HeaderName::Via).at(2))->received, "192.0.2.200");
  read("rfc5118/ipv4-mapped-ipv6");
  EXPECT_EQ(message.top_via()->host, "[::ffff:192.0.2.10]");
  EXPECT_EQ(message.top_via()->port, 19823);
  EXPECT_EQ(message.body().size(), 236U);
  read("rfc5118/mult-ip-in-sdp");
  EXPECT_EQ(message.body().size(), 181U);
}

TEST_F(TortureDetails, ColonsOfTheAbnf) {  // 4.10
  read("rfc5118/ipv6-bug-abnf-3-colons");
  EXPECT_EQ(message.uri()->host, "[2001:db8:::192.0.2.1]");
  read("rfc5118/ipv6-correct-abnf-2-colons");
  EXPECT_EQ(message.uri()->host, "[2001:db8::192.0.2.1]");
}

}  // namespace
}  // namespace perdure::sip

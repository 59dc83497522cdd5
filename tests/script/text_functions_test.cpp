// Each row: a call of a text or message function and what Kamailio 5.6 gives for it; then what changes the message that leaves.
#include "evaluate.hpp"

namespace perdure::script {
namespace {

struct Row {
  const char* expression;
  const char* result;
};
class TextFunctions : public testing::TestWithParam<Row> {};

Request message() {
  Request request;
  request.uri = "sip:bob:pw@192.0.2.1:5070;transport=tcp;x=y;lr";
  request.headers +=
      "X-List: one, two\r\nX-List: three\r\nX-P: a=1;b=2\r\nPrivacy: id;header\r\nContent-Type: application/sdp\r\n"
      "Proxy-Authorization: Digest username=\"al\", realm=\"r\"\r\n";
  request.body = "v=0\r\n";
  return request;
}

TEST_P(TextFunctions, GiveWhatKamailioGives) {
  EXPECT_EQ(evaluate(GetParam().expression, message()), GetParam().result) << GetParam().expression;
}

const Row rows[] = {
    {"KSR.textops.cmp_str('a', 'A')", "number -1"},
    {"KSR.textops.cmp_istr('a', 'A')", "number 1"},
    {"KSR.textops.starts_with('abc', 'ab')", "number 1"},
    {"KSR.textops.starts_with('abc', 'bc')", "number -2"},
    {"KSR.textops.ends_with('abc', 'bc')", "number 1"},
    {"KSR.textops.str_find('abc', 'bc')", "number 2"},
    {"KSR.textops.str_find('abc', 'abcd')", "number -2"},
    {"KSR.textops.str_ifind('abc', 'BC')", "number 2"},
    {"KSR.textops.search_str('abc', 'B.')", "number 1"},
    {"KSR.textops.search_str('abc', '^b')", "number -1"},
    {"KSR.textops.in_list('b', 'a, b,c', ',')", "number 1"},
    {"KSR.textops.in_list('x', 'a,b,c', ',')", "number -1"},
    {"KSR.textops.in_list('', 'a,b', ',')", "number -1"},
    {"KSR.textops.in_list_prefix('bcd', 'a,bc', ',')", "number 1"},
    {"KSR.textops.in_list_prefix('b', 'a,bc', ',')", "number -1"},
    {"KSR.textops.is_privacy('id')", "number 1"},
    {"KSR.textops.is_privacy('user')", "number -1"},
    {"KSR.textops.is_present_hf_re('^X-')", "number 1"},
    {"KSR.textops.is_present_hf_re('^Y-')", "number -1"},
    {"KSR.textops.search_hf('X-P', 'b=2', 'a')", "number 1"},
    {"KSR.textops.search_hf('X-List', 'three', 'f')", "number -1"},
    {"KSR.textops.search_hf('X-List', 'three', 'l')", "number 1"},
    {"KSR.textops.search_hf('X-List', 'o', 'a')", "number 1"},
    {"KSR.textops.search_hf('X-No', 'o', 'a')", "number -1"},
    {"KSR.textops.search_hf('X-P', '(', 'a')", "error default.lua:4: KSR.textops.search_hf: \"(\" is no regular expression"},
    {"KSR.textops.remove_hf_re('^Y-')", "number -1"},
    {"KSR.textops.remove_hf_idx('Via', 0)", "error default.lua:4: KSR.textops.remove_hf_idx: a message cannot do without Via"},
    {"KSR.textops.subst_uri('/bob/carol/') and KSR.pv.get('$ru')", "string sip:carol:pw@192.0.2.1:5070;transport=tcp;x=y;lr"},
    {"KSR.textops.subst_user('/b(.)b/x$rm\\\\1/') and KSR.pv.get('$rU')", "string xINVITEo"},
    {"KSR.textops.subst_user('/zz/y/')", "number -1"},
    {"KSR.textops.subst_uri('/.*/none/')", "error default.lua:4: KSR.textops.subst_uri: \"none\" is no URI"},
    {"KSR.textops.subst_user('/(/y/')", "error default.lua:4: KSR.textops.subst_user: \"/(/y/\" has a bad regular expression"},
    {"KSR.textops.subst_hf('Via', '/UDP/TCP/', 'a')", "error default.lua:4: KSR.textops.subst_hf: not of Via"},
    {"KSR.textopsx.fnmatch('abc', 'a*')", "number 0"},
    {"KSR.textopsx.fnmatch('abc', 'A*')", "number -1"},
    {"KSR.textopsx.fnmatch_ex('abc', 'A*', 'i')", "number 0"},
    {"KSR.textopsx.hf_value_exists('X-List', 'two')", "number 1"},
    {"KSR.textopsx.hf_value_exists('X-List', 'x')", "number -1"},
    {"KSR.textopsx.exclude_hf_value('X-List', 'x')", "number -1"},
    {"KSR.textopsx.exclude_hf_value('Via', 'x')", "error default.lua:4: KSR.textopsx.exclude_hf_value: not of Via"},
    {"KSR.siputils.uri_param('transport')", "number -1"},
    {"KSR.siputils.uri_param('lr')", "number 1"},
    {"KSR.siputils.uri_param_value('transport', 'tcp')", "number 1"},
    {"KSR.siputils.uri_param_value('transport', 'udp')", "number -1"},
    {"KSR.siputils.uri_param_any('x')", "number 1"},
    {"KSR.siputils.uri_param_any('z')", "number -1"},
    {"KSR.siputils.add_uri_param('a=b') and KSR.pv.get('$ru')", "string sip:bob:pw@192.0.2.1:5070;transport=tcp;x=y;lr;a=b"},
    {"KSR.seturi('sip:h') and KSR.siputils.add_uri_param('a=b') and KSR.pv.get('$ru')", "string sip:h;a=b"},
    {"KSR.siputils.uri_param_rm('x') and KSR.pv.get('$ru')", "string sip:bob:pw@192.0.2.1:5070;transport=tcp;lr"},
    {"KSR.siputils.uri_param_rm('none')", "number -1"},
    {"KSR.siputils.is_alphanum('a1')", "number 1"},
    {"KSR.siputils.is_alphanum('a-1')", "number -1"},
    {"KSR.siputils.is_alphanumex('a-1', '-')", "number 1"},
    {"KSR.siputils.is_gruu()", "number -1"},
    {"KSR.siputils.cmp_aor('sip:a@b;x=1', 'sip:a@B')", "number 1"},
    {"KSR.siputils.cmp_aor('sip:a@b:5061', 'sip:a@b')", "number -1"},
    {"KSR.siputils.cmp_hdr_name('i', 'Call-ID')", "number 1"},
    {"KSR.siputils.cmp_hdr_name('x-A', 'X-a')", "number 1"},
    {"KSR.siputils.cmp_hdr_name('a', 'b')", "number -1"},
    {"KSR.kx.get_srcuri() .. ' ' .. KSR.kx.get_srcaddr_sock()", "string sip:127.0.0.1:6000 udp:127.0.0.1:6000"},
    {"KSR.kx.get_nhuri() == KSR.kx.get_ruri()", "boolean true"},
    {"KSR.kx.get_cturi() .. ' ' .. KSR.kx.gete_cturi()", "string sip:alice@127.0.0.1:6000 sip:alice@127.0.0.1:6000"},
    {"KSR.kx.get_rcvadvip() .. KSR.kx.get_rcvadvport() .. ' ' .. KSR.kx.get_rcvaddr_sock()", "string 127.0.0.15060 udp:127.0.0.1:5060"},
    {"KSR.kx.get_protoid()", "number 1"},
    {"KSR.kx.get_au() .. KSR.kx.gete_au() .. KSR.kx.getw_au()", "string alalal"},
    {"KSR.kx.gets_status()", "nil nil"},
    {"KSR.kx.get_status()", "number -1"},
    {"KSR.kx.get_bodylen()", "number 5"},
    {"KSR.kx.get_timestamp()", "number 1795476251"},
    {"KSR.kx.get_conid()", "number -1"},
    {"KSR.kx.get_msgtype()", "number 1"},
    {"KSR.kx.get_msgbuf() == KSR.pv.get('$mb')", "boolean true"},
    {"KSR.kx.get_env('PERDURE_NO_SUCH') .. KSR.kx.get_envn('PERDURE_NO_SUCH')", "string 0"},
};
INSTANTIATE_TEST_SUITE_P(Rows, TextFunctions, testing::ValuesIn(rows), [](const auto& row) { return "Row" + std::to_string(row.index); });

// The request as it leaves after that piece of script.
std::string forwarded(const std::string& statement) {
  Bench bench("function ksr_request_route()\n  KSR.seturi('sip:127.0.0.1:7001')\n  " + statement + "\n  KSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(message());
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
  const auto* invite = first(sent, "INVITE ");
  return invite ? invite->bytes : std::string();
}

TEST(TextFunctions, ANewBodyHasItsTypeAndLength) {
  const auto bytes = forwarded("KSR.textops.set_body('hello world', 'text/plain')");
  EXPECT_TRUE(bytes.ends_with("\r\n\r\nhello world")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Length: 11\r\n"), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Type: text/plain\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("application/sdp"), std::string::npos) << bytes;
}

TEST(TextFunctions, HeadersAreRemovedByNameAndIndex) {
  auto bytes = forwarded("KSR.textops.remove_hf_re('^X-')");
  EXPECT_EQ(bytes.find("X-"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textops.remove_hf_exp('.', '^x-')");
  EXPECT_NE(bytes.find("X-P: "), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("User-Agent: "), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("Max-Forwards: 69"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textops.remove_hf_idx('X-List', -1)");
  EXPECT_NE(bytes.find("X-List: one"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("X-List: three"), std::string::npos) << bytes;
}

TEST(TextFunctions, SubstitutionsChangeBodyAndHeaders) {
  auto bytes = forwarded("KSR.textops.subst_body('/v=0/version=none/')");
  EXPECT_TRUE(bytes.ends_with("\r\n\r\nversion=none\r\n")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Length: 14\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textops.subst_hf('X-List', '/e/E/g', 'a')");
  EXPECT_NE(bytes.find("\r\nX-List: onE, two\r\nX-List: thrEE\r\n"), std::string::npos) << bytes;
}

TEST(TextFunctions, ValuesGoInAndOutOfLists) {
  auto bytes = forwarded("KSR.textopsx.exclude_hf_value('X-List', 'TWO')");
  EXPECT_NE(bytes.find("\r\nX-List: one\r\nX-List: three\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.exclude_hf_value('X-List', 'three')");
  EXPECT_EQ(bytes.find("three"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.include_hf_value('X-List', 'four') KSR.textopsx.include_hf_value('X-List', 'one')");
  EXPECT_NE(bytes.find("\r\nX-List: four\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("\r\nX-List: one\r\n"), std::string::npos) << bytes;
}

TEST(TextFunctions, ARemovedBodyLeavesNoTypeAndLengthZero) {
  const auto bytes = forwarded("KSR.textopsx.remove_body()");
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Length: 0\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("Content-Type"), std::string::npos) << bytes;
}

}  // namespace
}  // namespace perdure::script

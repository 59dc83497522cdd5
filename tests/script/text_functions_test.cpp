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
    {"KSR.textops.search('^X-P: a')", "number 1"},
    {"KSR.textops.search('INVITE.*Via')", "number -1"},
    {"KSR.textops.replace('nowhere', 'x')", "number -1"},
    {"KSR.textops.replace('(', 'x')", "error default.lua:4: KSR.textops.replace: \"(\" is no regular expression"},
    {"KSR.textops.replace('^X-P: a', 'X-P: a\\r\\n\\r\\nb')", "error default.lua:4: KSR.textops.replace: headers must stay lines"},
    {"KSR.textops.replace_str('z9hG4bK-1', 'x', 'a')", "number -1"},
    {"KSR.textops.subst('/CSeq/X/')", "number -1"},
    {"KSR.textops.remove_hf_match('Via', 'eq', 'x')", "error default.lua:4: KSR.textops.remove_hf_match: a message cannot do without Via"},
    {"KSR.textops.remove_hf_match('X-List', 'like', 'x')",
     "error default.lua:4: KSR.textops.remove_hf_match: the operator is eq, ne, in or re"},
    {"KSR.textops.remove_hf_match('X-List', 'eq', 'x')", "number -1"},
    {"KSR.textops.filter_body('application/sdp')", "number -1"},
    {"KSR.textops.is_audio_on_hold()", "number -1"},
    {"KSR.textops.regex_substring('a=b;c=d', '(.)=(.);', 2, 3, '$var(x)') and KSR.pv.get('$var(x)')", "string b"},
    {"KSR.textops.regex_substring('a=b;c=d', '(.)=(.);', 0, 2, '$var(x)') and KSR.pv.get('$var(x)')", "string a=b;"},
    {"KSR.textops.regex_substring('abc', '(x)', 1, 2, '$var(x)')", "number -2"},
    {"KSR.textops.regex_substring('abc', '(x)', 3, 1, '$var(x)')", "number -1"},
    {"KSR.textops.set_reply_body('', 'a/b')", "error default.lua:4: KSR.textops.set_reply_body: a body needs a Content-Type"},
    {"KSR.textopsx.append_hf_value('Via', 'x')", "error default.lua:4: KSR.textopsx.append_hf_value: not of Via"},
    {"KSR.textopsx.append_hf_value('X-List[x]', 'x')",
     "error default.lua:4: KSR.textopsx.append_hf_value: \"X-List[x]\" is no NAME[INDEX].PARAMETER"},
    {"KSR.textopsx.remove_hf_value('X-None')", "number -1"},
    {"KSR.textopsx.remove_hf_value('X-P.none')", "number -1"},
    {"KSR.textopsx.hf_iterator_next('none')", "number -1"},
    {"KSR.textopsx.hf_iterator_start('a') .. KSR.textopsx.hf_iterator_next('a') .. KSR.textopsx.hf_iterator_hname('a')", "string 11Via"},
    {"KSR.textopsx.hf_iterator_start('a') .. KSR.textopsx.hf_iterator_prev('a') .. tostring(KSR.textopsx.hf_iterator_hbody('a'))",
     "string 1-1nil"},
    {"KSR.textopsx.bl_iterator_start('a') .. KSR.textopsx.bl_iterator_next('a') .. KSR.textopsx.bl_iterator_value('a')",
     "string 11v=0\\r\\n"},
    {"KSR.textopsx.bl_iterator_start('a') .. KSR.textopsx.bl_iterator_next('a') .. KSR.textopsx.bl_iterator_next('a')", "string 11-1"},
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
  EXPECT_NE(bytes.find("\r\nX-List: one, two,four\r\nX-List: three\r\n"), std::string::npos) << bytes;
}

TEST(TextFunctions, SingleValuesAndParametersChange) {
  auto bytes = forwarded("KSR.textopsx.append_hf_value('X-List[1]', 'a') KSR.textopsx.insert_hf_value('X-List[3]', 'b')");
  EXPECT_NE(bytes.find("\r\nX-List: one,a, two\r\nX-List: b,three\r\n"), std::string::npos) << bytes;
  bytes = forwarded(
      "KSR.textopsx.append_hf_value('X-List', 'a') KSR.textopsx.insert_hf_value('X-List', 'b') KSR.textopsx.insert_hf_value('X-Top', 'c')");
  EXPECT_NE(bytes.find("\r\nX-List: b\r\nX-List: one, two\r\nX-List: three\r\nX-P"), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("\r\nX-List: a\r\nX-Top: c\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.assign_hf_value('X-List[-1]', 'last') KSR.textopsx.assign_hf_value('X-P.b', '3')");
  EXPECT_NE(bytes.find("\r\nX-List: one, two\r\nX-List: last\r\nX-P: a=1;b=3\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.remove_hf_value('X-List[2]') KSR.textopsx.remove_hf_value('X-P.b')");
  EXPECT_NE(bytes.find("\r\nX-List: one\r\nX-List: three\r\nX-P: a=1\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.assign_hf_value('X-List[*].q', '') KSR.textopsx.remove_hf_value('X-P[*]')");
  EXPECT_NE(bytes.find("\r\nX-List: one;q, two;q\r\nX-List: three;q\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("X-P:"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.assign_hf_value2('Proxy-Authorization.realm', '\"other\"')");
  EXPECT_NE(bytes.find("Digest username=\"al\", realm=\"other\"\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.remove_hf_value2('Proxy-Authorization.username')");
  EXPECT_NE(bytes.find("Digest  realm=\"r\"\r\n"), std::string::npos) << bytes;
}

TEST(TextFunctions, TextIsReplacedByExpressions) {
  auto bytes = forwarded("KSR.textops.replace('phone/[0-9]', 'device') KSR.textops.replace_all('t(wo|hree)', 'T')");
  EXPECT_NE(bytes.find("\r\nUser-Agent: device\r\n"), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("\r\nX-List: one, T\r\nX-List: T\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textops.replace_body('v=', 'version=') KSR.textops.search_append_body('0', '1')");
  EXPECT_TRUE(bytes.ends_with("\r\nversion=01\r\n")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Length: 12\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textops.replace_str('e', 'E', 'f') KSR.textops.subst('/^(X-List): (one), (.*)$/\\\\1: \\\\2; \\\\3/g')");
  EXPECT_NE(bytes.find("From: \"AlicE\""), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("\r\nX-List: one; two\r\nX-List: three\r\n"), std::string::npos) << bytes;
  bytes = forwarded("KSR.textops.replace_hdrs_str('X-List', 'X-Row', 'a') KSR.textops.remove_hf_match('X-P', 'in', 'A=')");
  EXPECT_NE(bytes.find("\r\nX-Row: one, two\r\nX-Row: three\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("X-P:"), std::string::npos) << bytes;
}

TEST(TextFunctions, IteratorsGoOverHeadersAndBodyLines) {
  auto bytes = forwarded(R"(KSR.textopsx.hf_iterator_start('i')
  while KSR.textopsx.hf_iterator_next('i') > 0 do
    local name = KSR.textopsx.hf_iterator_hname('i')
    if name == 'X-List' then KSR.textopsx.hf_iterator_insert('i', 'X-Before: ' .. KSR.textopsx.hf_iterator_hbody('i')) end
    if name == 'X-P' then KSR.textopsx.hf_iterator_rm('i') KSR.textopsx.hf_iterator_append('i', 'X-After: 1') end
  end
  KSR.textopsx.hf_iterator_end('i')
  KSR.textopsx.bl_iterator_start('b')
  while KSR.textopsx.bl_iterator_next('b') > 0 do KSR.textopsx.bl_iterator_append('b', 's=' .. KSR.textopsx.bl_iterator_value('b')) end)");
  EXPECT_NE(bytes.find("\r\nX-Before: one, two\r\nX-List: one, two\r\nX-Before: three\r\nX-List: three\r\nX-After: 1\r\n"),
            std::string::npos)
      << bytes;
  EXPECT_TRUE(bytes.ends_with("\r\n\r\nv=0\r\ns=v=0\r\n")) << bytes;
}

TEST(TextFunctions, OnlyWantedHeadersAreKept) {
  auto bytes = forwarded("KSR.textopsx.keep_hf_re('^x-l')");
  EXPECT_NE(bytes.find("X-List: three"), std::string::npos) << bytes;
  EXPECT_NE(bytes.find("Contact: "), std::string::npos) << bytes;
  for (const char* name : {"X-P:", "User-Agent:", "Privacy:"}) EXPECT_EQ(bytes.find(name), std::string::npos) << bytes;
  bytes = forwarded("KSR.textopsx.keep_hf()");
  EXPECT_EQ(bytes.find("X-List"), std::string::npos) << bytes;
}

TEST(TextFunctions, AReplyGetsABody) {
  Bench bench("function ksr_request_route() KSR.textops.set_reply_body('hello', 'text/plain') KSR.sl.send_reply(200, 'OK') end");
  auto sent = bench.receive(message());
  ASSERT_TRUE(first(sent, "SIP/2.0 200"));
  EXPECT_TRUE(sent.back().bytes.ends_with("\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")) << sent.back().bytes;
  Bench stateful(
      "function ksr_request_route() KSR.tm.t_newtran() KSR.textops.set_reply_body('hello', 'text/plain') KSR.tm.t_reply(404, 'No') end");
  sent = stateful.receive(message());
  ASSERT_TRUE(first(sent, "SIP/2.0 404"));
  EXPECT_TRUE(first(sent, "SIP/2.0 404")->bytes.ends_with("\r\n\r\nhello"));
}

TEST(TextFunctions, AppliedChangesAreSeenByLaterReads) {
  const auto bytes = forwarded(R"(KSR.hdr.append('X-New: 1\r\n') KSR.hdr.remove('X-P') KSR.textops.set_body('hello', 'text/plain')
  assert(KSR.hdr.get('X-New') == nil)
  assert(KSR.textopsx.msg_apply_changes() == 1)
  assert(KSR.hdr.get('X-New') == '1' and KSR.hdr.get('X-P') == nil and KSR.pv.get('$rb') == 'hello')
  assert(KSR.pv.get('$ru') == 'sip:127.0.0.1:7001' and KSR.kx.get_bodylen() == 5)
  KSR.hdr.append('X-More: ' .. KSR.hdr.get('X-New') .. '\r\n')
  assert(KSR.textopsx.msg_apply_changes() == 1 and KSR.hdr.get('X-More') == '1')
  KSR.hdr.remove('X-New')
  KSR.tm.t_newtran()
  assert(KSR.textopsx.msg_apply_changes() == -1))");
  EXPECT_NE(bytes.find("\r\nX-More: 1\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("X-New"), std::string::npos) << bytes;
  EXPECT_TRUE(bytes.ends_with("\r\n\r\nhello")) << bytes;
}

TEST(TextFunctions, WhatWasAppliedIsThereAfterARestart) {
  Bench bench(R"(function ksr_request_route()
  KSR.seturi('sip:127.0.0.1:7001')
  KSR.hdr.append('X-New: 1\r\n')
  KSR.textopsx.msg_apply_changes()
  KSR.hdr.append('X-Edit: ' .. KSR.hdr.get('X-New') .. '\r\n')
  KSR.tm.t_on_failure('again')
  KSR.tm.t_relay()
end
function again()
  KSR.seturi('sip:127.0.0.1:7002')
  KSR.hdr.append('X-Failure: ' .. KSR.hdr.gete('X-New') .. '\r\n')
  KSR.tm.t_relay()
end)");
  auto sent = bench.receive(message());
  ASSERT_TRUE(first(sent, "INVITE ")) << bench.runner().counters().last_error;
  const Sent invite = *first(sent, "INVITE ");
  bench.start();
  sent = bench.answer(invite, 500);
  const auto* second = first(sent, "INVITE ");
  ASSERT_TRUE(second) << bench.runner().counters().last_error;
  EXPECT_EQ(second->header("X-New"), "1");
  EXPECT_EQ(second->header("X-Edit"), "1");
  EXPECT_EQ(second->header("X-Failure"), "1");
}

TEST(TextFunctions, ABufferReplacesTheMessageIfItIsTheSameRequest) {
  const auto bytes = forwarded(R"(local text = KSR.pv.get('$mb')
  assert(KSR.textopsx.msg_set_buffer('nonsense') == -1)
  assert(KSR.textopsx.msg_set_buffer((text:gsub('call%-1', 'call-2'))) == -1)
  assert(KSR.textopsx.msg_set_buffer((text:gsub('phone/1', 'phone/2'))) == 1)
  assert(KSR.pv.get('$ua') == 'phone/2')
  KSR.seturi('sip:127.0.0.1:7001'))");
  EXPECT_NE(bytes.find("User-Agent: phone/2"), std::string::npos) << bytes;
}

TEST(TextFunctions, AResponseChangesItsStatusWithinItsClass) {
  Bench bench(R"(function ksr_request_route() KSR.seturi('sip:127.0.0.1:7001') KSR.tm.t_on_reply('replied') KSR.tm.t_relay() end
function ksr_reply_route()
  if KSR.kx.get_status() == 180 then
    assert(KSR.textopsx.change_reply_status(200, 'OK') == -1)
    assert(KSR.textopsx.change_reply_status(183, 'Progress') == 1)
    assert(KSR.pv.get('$rs') == 183)
    KSR.hdr.append('X-Core: 1\r\n')
    assert(KSR.textopsx.msg_apply_changes() == 1 and KSR.hdr.get('X-Core') == '1')
  end
end
function replied()
  if KSR.kx.get_status() == 603 then KSR.textopsx.change_reply_status(404, 'Not Here') end
end)");
  auto sent = bench.receive(message());
  ASSERT_TRUE(first(sent, "INVITE "));
  const Sent invite = *first(sent, "INVITE ");
  sent = bench.answer(invite, 180);
  ASSERT_TRUE(first(sent, "SIP/2.0 183 Progress")) << bench.runner().counters().last_error;
  EXPECT_EQ(first(sent, "SIP/2.0 183 Progress")->header("X-Core"), "1");
  sent = bench.answer(invite, 603);
  EXPECT_TRUE(first(sent, "SIP/2.0 404 Not Here")) << bench.runner().counters().last_error;
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(TextFunctions, ARemovedBodyLeavesNoTypeAndLengthZero) {
  const auto bytes = forwarded("KSR.textopsx.remove_body()");
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Length: 0\r\n"), std::string::npos) << bytes;
  EXPECT_EQ(bytes.find("Content-Type"), std::string::npos) << bytes;
}

}  // namespace
}  // namespace perdure::script

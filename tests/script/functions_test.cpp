// Each row: a piece of script that runs in the request route, and what the message that leaves must show. `result` is what the expression
// gives, as text.
#include "evaluate.hpp"

namespace perdure::script {
namespace {

struct Row {
  const char* expression;
  const char* result;
};

class Functions : public testing::TestWithParam<Row> {};

TEST_P(Functions, GiveWhatKamailioGives) {
  Request request;
  request.headers += "X-List: one\r\nX-List: two\r\nx-list: three\r\nContent-Type: application/sdp\r\n";
  request.body = "v=0\r\n";
  EXPECT_EQ(evaluate(GetParam().expression, request), GetParam().result) << GetParam().expression;
}

const Row rows[] = {
    // Tests are booleans.
    {"KSR.is_INVITE()", "boolean true"},
    {"KSR.is_ACK()", "boolean false"},
    {"KSR.is_method('BYE|invite')", "boolean true"},
    {"KSR.is_method('BYE')", "boolean false"},
    {"KSR.is_method_in('BIC')", "boolean true"},
    {"KSR.is_method_in('BCEFG')", "boolean false"},
    {"KSR.is_proto('TU')", "boolean true"},
    {"KSR.is_proto('EVW')", "boolean false"},
    {"KSR.is_src_port(6000)", "boolean true"},
    {"KSR.is_dst_port(6000)", "boolean false"},
    {"KSR.is_UDP()", "boolean true"},
    {"KSR.is_TCP()", "boolean false"},
    {"KSR.is_WSX()", "boolean false"},
    {"KSR.is_IPv4()", "boolean true"},
    {"KSR.is_IPv6()", "boolean false"},
    {"KSR.is_myself('sip:x@127.0.0.1:5060')", "boolean true"},
    {"KSR.is_myself('sip:example.com')", "boolean true"},
    {"KSR.is_myself('127.0.0.1:5060')", "boolean true"},
    {"KSR.is_myself('sip:127.0.0.1:5061')", "boolean false"},
    {"KSR.is_myself_ruri()", "boolean false"},
    {"KSR.is_myself_furi()", "boolean false"},
    {"KSR.is_myself_srcip()", "boolean true"},
    {"KSR.is_myself_suri()", "boolean false"},
    {"KSR.drain.is_on()", "boolean false"},
    {"KSR.drain.registrations()", "boolean false"},
    {"KSR.drain.reject()", "number -1"},
    {"KSR.pv.get('$drain')", "number 0"},
    // Flags.
    {"KSR.setflag(3) and KSR.isflagset(3)", "boolean true"},
    {"KSR.isflagset(4)", "boolean false"},
    {"KSR.setflag(3) and KSR.resetflag(3) and KSR.isflagset(3)", "boolean false"},
    {"KSR.setflag(0) and KSR.setflag(31) and KSR.pv.get('$mf')", "number 2147483649"},
    {"KSR.setbflag(2) and KSR.isbflagset(2)", "boolean true"},
    {"KSR.setsflag(2) and KSR.issflagset(2) and not KSR.isflagset(2)", "boolean true"},
    // Request-URI and destination.
    {"KSR.isdsturiset()", "boolean false"},
    {"KSR.setdsturi('sip:10.0.0.1:5080') and KSR.pv.get('$du') .. ' ' .. KSR.pv.get('$dd') .. ' ' .. KSR.pv.get('$dp')",
     "string sip:10.0.0.1:5080 10.0.0.1 5080"},
    {"KSR.setdsturi('sip:10.0.0.1') and KSR.resetdsturi() and KSR.isdsturiset()", "boolean false"},
    {"KSR.setuser('carol') and KSR.pv.get('$ru')", "string sip:carol@192.0.2.1:5070"},
    {"KSR.setuser('') and KSR.pv.get('$ru')", "string sip:192.0.2.1:5070"},
    {"KSR.sethost('example.org') and KSR.pv.get('$ru')", "string sip:bob@example.org:5070"},
    {"KSR.seturi('sip:a@b;transport=tcp') and KSR.pv.get('$rP') .. KSR.pv.get('$rp')", "string tcp5060"},
    {"KSR.pv.sets('$rd', 'h') and KSR.pv.seti('$rp', 99) and KSR.pv.get('$ru')", "string sip:bob@h:99"},
    {"KSR.pv.unset('$rp') and KSR.pv.get('$ru')", "string sip:bob@192.0.2.1"},
    {"KSR.pv.sets('$rU', 'dave') and KSR.pv.get('$ou')", "string sip:bob@192.0.2.1:5070"},
    // Variables.
    {"KSR.pv.get('$ru')", "string sip:bob@192.0.2.1:5070"},
    {"KSR.pv.get('$rU')", "string bob"},
    {"KSR.pv.get('$rd')", "string 192.0.2.1"},
    {"KSR.pv.get('$rp')", "string 5070"},
    {"KSR.pv.get('$rP')", "string UDP"},
    {"KSR.pv.get('$rz')", "string sip"},
    {"KSR.pv.get('$du')", "nil nil"},
    {"KSR.pv.gete('$du')", "string "},
    {"KSR.pv.getw('$du')", "string <null>"},
    {"KSR.pv.getvs('$du', 'x')", "string x"},
    {"KSR.pv.getvn('$du', 5)", "number 5"},
    {"KSR.pv.is_null('$du')", "boolean true"},
    {"KSR.pv.is_null('$ru')", "boolean false"},
    {"KSR.pv.get('$fu')", "string sip:alice@example.org"},
    {"KSR.pv.get('$fU') .. KSR.pv.get('$fd') .. KSR.pv.get('$ft') .. KSR.pv.get('$fn')", "string aliceexample.orgfrom1\"Alice\""},
    {"KSR.pv.get('$tu')", "string sip:bob@example.net"},
    {"KSR.pv.get('$tt')", "nil nil"},
    {"KSR.pv.get('$ci')", "string call-1"},
    {"KSR.pv.get('$cs')", "string 7"},
    {"KSR.pv.geti('$cs')", "number 7"},
    {"KSR.pv.get('$rm')", "string INVITE"},
    {"KSR.pv.get('$rs')", "nil nil"},
    {"KSR.pv.get('$si')", "string 127.0.0.1"},
    {"KSR.pv.get('$sp')", "number 6000"},
    {"KSR.pv.get('$Ri')", "string 127.0.0.1"},
    {"KSR.pv.get('$Rp')", "number 5060"},
    {"KSR.pv.get('$pr')", "string udp"},
    {"KSR.pv.get('$ua')", "string phone/1"},
    {"KSR.pv.get('$ct')", "string <sip:alice@127.0.0.1:6000>"},
    {"KSR.pv.get('$cT')", "string application/sdp"},
    {"KSR.pv.get('$rb')", "string v=0\\r\\n"},
    {"KSR.pv.get('$bs')", "number 5"},
    {"KSR.pv.get('$mt')", "number 1"},
    {"KSR.pv.get('$hdr(X-List)')", "string one"},
    {"KSR.pv.get('$(hdr(X-List)[1])')", "string two"},
    {"KSR.pv.get('$(hdr(X-List)[-1])')", "string three"},
    {"KSR.pv.get('$(hdr(X-List)[3])')", "nil nil"},
    {"KSR.pv.get('$hdrc(X-List)')", "number 3"},
    {"KSR.pv.get('$hdr(c)')", "string application/sdp"},
    {"KSR.pv.get('$T_reply_code')", "number 0"},
    {"KSR.pv.get('$T_branch_idx')", "nil nil"},
    {"KSR.pv.get('$null')", "nil nil"},
    {"KSR.pv.get('$avp(x)')", "nil nil"},
    {"KSR.pv.sets('$avp(x)', 'a') and KSR.pv.seti('$avp(x)', 5) and KSR.pv.get('$avp(x)')", "number 5"},
    {"KSR.pv.sets('$avp(x)', 'a') and KSR.pv.sets('$avp(x)', 'b') and KSR.pv.get('$(avp(x)[1])')", "string a"},
    {"KSR.pv.sets('$avp(x)', 'a') and KSR.pv.sets('$avp(x)', 'b') and KSR.pv.unset('$avp(x)') and KSR.pv.get('$avp(s:x)')", "string a"},
    {"KSR.pv.sets('$avp(x)', 'a') and KSR.pv.sets('$(avp(x)[*])', 'b') and KSR.pv.is_null('$(avp(x)[1])')", "boolean true"},
    {"KSR.pv.sets('$xavp(a=>b)', 'c') and KSR.pv.get('$xavp(a=>b)')", "string c"},
    {"KSR.pv.sets('$xavp(a=>b)', 'c') and KSR.pv.seti('$xavp(a=>b)', 3) and KSR.pv.get('$xavp(a[0]=>b)')", "number 3"},
    {"KSR.pv.sets('$xavp(a=>b)', 'c') and KSR.pv.sets('$xavp(a=>d)', 'e') and KSR.pv.get('$xavp(a[1]=>b)')", "string c"},
    {"KSR.pv.sets('$xavp(a=>b)', 'c') and KSR.pv.sets('$xavp(a[0]=>d)', 'e') and KSR.pv.get('$xavp(a=>b)')", "string c"},
    {"KSR.pv.sets('$xavp(a=>b)', 'c') and KSR.pv.unset('$xavp(a)') and KSR.pv.is_null('$xavp(a=>b)')", "boolean true"},
    {"KSR.pv.get('$var(n)')", "number 0"},
    {"KSR.pv.sets('$var(n)', 'z') and KSR.pv.get('$var(n)')", "string z"},
    // Headers: numbers, as Kamailio's module functions.
    {"KSR.hdr.is_present('x-list')", "number 1"},
    {"KSR.hdr.is_present('X-None')", "number -1"},
    {"KSR.hdr.get('X-List')", "string one"},
    {"KSR.hdr.get_idx('X-List', -2)", "string two"},
    {"KSR.hdr.gete('X-None')", "string "},
    {"KSR.hdr.getw('X-None')", "string <null>"},
    {"KSR.hdr.match_content('X-List', 'in', 'WO', 'o')", "boolean true"},
    {"KSR.hdr.match_content('X-List', 'sw', 'o', 'a')", "boolean false"},
    {"KSR.hdr.match_content('X-List', 'eq', 'three', 'l')", "boolean true"},
    {"KSR.hdr.remove('X-List')", "number 1"},
    {"KSR.textops.has_body()", "number 1"},
    {"KSR.textops.has_body_type('application/SDP')", "number 1"},
    {"KSR.textops.search_body('^V=[0-9]')", "number 1"},
    {"KSR.textops.search('Subject: spam')", "number -1"},
    // kx.
    {"KSR.kx.get_ruri()", "string sip:bob@192.0.2.1:5070"},
    {"KSR.kx.get_ruser() .. KSR.kx.get_rhost() .. KSR.kx.get_fuser() .. KSR.kx.get_fhost() .. KSR.kx.get_tuser() .. KSR.kx.get_thost()",
     "string bob192.0.2.1aliceexample.orgbobexample.net"},
    {"KSR.kx.gete_furi() == KSR.kx.get_furi()", "boolean true"},
    {"KSR.kx.get_duri()", "nil nil"},
    {"KSR.kx.getw_duri()", "string <null>"},
    {"KSR.kx.get_srcip() .. KSR.kx.get_srcport() .. KSR.kx.get_rcvip() .. KSR.kx.get_rcvport() .. KSR.kx.get_proto()",
     "string 127.0.0.16000127.0.0.15060udp"},
    {"KSR.kx.get_method() .. KSR.kx.get_callid() .. KSR.kx.get_ua() .. KSR.kx.get_body()", "string INVITEcall-1phone/1v=0\\r\\n"},
    {"KSR.kx.get_status()", "number -1"},
    // Transactions.
    {"KSR.tm.t_check_trans()", "number -1"},
    {"KSR.tmx.t_precheck_trans()", "number -1"},
    {"KSR.tm.t_is_canceled()", "number -1"},
    {"KSR.tm.t_is_set('failure_route')", "number -1"},
    {"KSR.tm.t_on_failure('named') + KSR.tm.t_is_set('failure_route')", "number 2"},
    {"KSR.tm.t_on_failure('named') + KSR.tm.t_on_failure('0') + KSR.tm.t_is_set('failure_route')", "number 1"},
    {"KSR.tm.t_newtran()", "number 1"},
    {"KSR.tm.t_check_status('200')", "number -1"},
    {"KSR.tmx.t_is_request_route()", "number 1"},
    // The rest.
    {"KSR.siputils.has_totag()", "number -1"},
    {"KSR.siputils.is_request()", "number 1"},
    {"KSR.siputils.is_first_hop()", "number 1"},
    {"KSR.siputils.is_uri_user_e164('sip:+4930123@x')", "number 1"},
    {"KSR.siputils.is_uri_user_e164('sip:030123@x')", "number -1"},
    {"KSR.siputils.is_numeric('12a')", "number -2"},
    {"KSR.siputils.cmp_uri('sip:a@B.org', 'sip:a@b.org')", "number 1"},
    {"KSR.siputils.uri_param('lr')", "number -1"},
    {"KSR.maxfwd.process_maxfwd(10)", "number 1"},
    {"KSR.sanity.sanity_check(17895, 7)", "number 1"},
    {"KSR.rr.loose_route()", "number -1"},
    {"KSR.rr.record_route()", "number 1"},
    {"KSR.corex.has_ruri_user()", "number 1"},
    {"KSR.corex.has_user_agent()", "number 1"},
    {"KSR.force_rport()", "number 1"},
    {"KSR.add_local_rport()", "number 1"},
    {"KSR.dispatcher", "nil nil"},
    {"KSR.x.modf('has_totag')", "number -1"},
    {"KSR.x.modf('maxfwd.process_maxfwd', '10')", "number 1"},
    {"KSR.x.log('info', 'text\\n')", "nil nil"},
    {"KSR.log('L_INFO', 'text\\n')", "nil nil"},
    {"KSR.xlog.xinfo('$rm to $ru, $hdr(X-List), $(avp(a)[1]), $$')", "nil nil"},
    {"KSR.sanity.sanity_check_defaults()", "number 1"},
};

INSTANTIATE_TEST_SUITE_P(Rows, Functions, testing::ValuesIn(rows), [](const auto& row) { return "Row" + std::to_string(row.index); });

struct ErrorRow {
  const char* statement;
  const char* error;
};
class ScriptErrors : public testing::TestWithParam<ErrorRow> {};

TEST_P(ScriptErrors, NameFileAndLineAndAnswer500) {
  Bench bench(std::string("function ksr_request_route()\n  local x\n  ") + GetParam().statement +
              "\n  KSR.sl.send_reply(200, 'OK')\nend\n");
  const auto sent = bench.receive(Request{});
  EXPECT_EQ(bench.runner().counters().last_error, GetParam().error);
  EXPECT_EQ(bench.runner().counters().errors, 1U);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].line(), "SIP/2.0 500 Server Internal Error");
}

const ErrorRow error_rows[] = {
    {"x.y = 1", "default.lua:3: attempt to index local 'x' (a nil value)"},
    {"KSR.no.such()", "default.lua:3: attempt to index field 'no' (a nil value)"},
    {"KSR.tm.t_no_such()", "default.lua:3: attempt to call field 't_no_such' (a nil value)"},
    {"KSR.pv.get('$nosuch')", "default.lua:3: KSR.pv.get: \"$nosuch\" is not known"},
    {"KSR.pv.get('ru')", "default.lua:3: KSR.pv.get: \"ru\" is no variable"},
    {"KSR.pv.get('$(ru{s.nosuch})')", "default.lua:3: KSR.pv.get: \"$(ru{s.nosuch})\" has no known transformation {s.nosuch}"},
    {"KSR.pv.get('$(ru{s.substr,1})')", "default.lua:3: KSR.pv.get: \"$(ru{s.substr,1})\" has too few parameters of {s.substr}"},
    {"KSR.pv.get('$(ru{s.strip,a})')", "default.lua:3: KSR.pv.get: \"$(ru{s.strip,a})\" has a bad parameter of {s.strip}"},
    {"KSR.pv.get('$(ru{s.len,1})')", "default.lua:3: KSR.pv.get: \"$(ru{s.len,1})\" has a bad parameter of {s.len}"},
    {"KSR.pv.get('$(ru{re.subst,/[b/z/})')",
     "default.lua:3: KSR.pv.get: \"$(ru{re.subst,/[b/z/})\" has a bad parameter of {re.subst}: \"/[b/z/\" has a bad regular expression"},
    {"KSR.pv.get('$time(never)')",
     "default.lua:3: KSR.pv.get: \"$time(never)\" is not known, it takes one of: sec min hour mday mon year wday yday isdst"},
    {"KSR.pv.get('$(ru[1])')", "default.lua:3: KSR.pv.get: \"$(ru[1])\" takes no index"},
    {"KSR.pv.get('$hdr($hdr($hdr($hdr($hdr($hdr(a))))))')",
     "default.lua:3: KSR.pv.get: \"$hdr($hdr($hdr($hdr($hdr($hdr(a))))))\" has a bad name: \"$hdr($hdr($hdr($hdr($hdr(a)))))\" has a bad "
     "name: "
     "\"$hdr($hdr($hdr($hdr(a))))\" has a bad name: \"$hdr($hdr($hdr(a)))\" has a bad name: \"$hdr($hdr(a))\" has a bad name: \"$hdr(a)\" "
     "stands in too many others"},
    {"KSR.pv.sets('$(ru{s.len})', 'x')", "default.lua:3: KSR.pv.sets: $ru cannot be set through a transformation"},
    {"KSR.pv.sets('$xavp(n[3])', 'x')", "default.lua:3: KSR.pv.sets: there is no XAVP with that index"},
    {"KSR.pv.sets('$mf', 'x')", "default.lua:3: KSR.pv.sets: flags are a number of 32 bits"},
    {"KSR.pv.get('$hdr')", "default.lua:3: KSR.pv.get: \"$hdr\" needs a name in parentheses"},
    {"KSR.pv.get('$ru(x)')", "default.lua:3: KSR.pv.get: \"$ru(x)\" takes no name"},
    {"KSR.pv.sets('$fu', 'sip:x@y')", "default.lua:3: KSR.pv.sets: $fu cannot be set"},
    {"KSR.pv.sets('$ru', 'nonsense')", "default.lua:3: KSR.pv.sets: \"nonsense\" is no URI"},
    {"KSR.pv.sets('$rU', 'a\\r\\nEvil: 1')", "default.lua:3: KSR.pv.sets: a line break cannot stand there"},
    {"KSR.sl.send_reply(200, 'a\\r\\nb')", "default.lua:3: KSR.sl.send_reply: a line break cannot stand there"},
    {"KSR.tm.t_reply(200, 'a\\r\\nb')", "default.lua:3: KSR.tm.t_reply: a line break cannot stand there"},
    {"KSR.x.modf('pv.get', '$nosuch')", "default.lua:3: KSR.x.modf: \"$nosuch\" is not known"},
    {"KSR.pv.get()", "default.lua:3: KSR.pv.get: takes (string name)"},
    {"KSR.pv.get(nil)", "default.lua:3: KSR.pv.get: argument 1 is nil, it takes (string name)"},
    {"KSR.setflag('x')", "default.lua:3: KSR.setflag: argument 1 is no integer"},
    {"KSR.setflag(32)", "default.lua:3: KSR.setflag: flags are numbered 0 to 31"},
    {"KSR.is_INVITE(1)", "default.lua:3: KSR.is_INVITE: takes ()"},
    {"KSR.hdr.append('no header')", "default.lua:3: KSR.hdr.append: \"no header\" is no header line"},
    {"KSR.hdr.append('A: b\\r\\n\\r\\nbody')", "default.lua:3: KSR.hdr.append: \"A: b\r\n\r\nbody\" is no header line"},
    {"KSR.hdr.remove('v')", "default.lua:3: KSR.hdr.remove: a message cannot do without v"},
    {"KSR.tm.t_on_failure('missing')", "default.lua:3: KSR.tm.t_on_failure: there is no function missing"},
    {"KSR.tm.t_branch_timeout()", "default.lua:3: KSR.tm.t_branch_timeout: cannot be called in the request route"},
    {"KSR.rr.add_rr_param(';a>b')", "default.lua:3: KSR.rr.add_rr_param: \";a>b\" are no URI parameters, as in \";name=value\""},
    {"KSR.xlog.xinfo('a $nosuch b')", "default.lua:3: KSR.xlog.xinfo: \"$nosuch\" is not known"},
    {"KSR.log('loud', 'x')", "default.lua:3: KSR.log: \"loud\" is no log level"},
    {"KSR.x.modf('nothing')", "default.lua:3: KSR.x.modf: there is no function nothing"},
    {"error({})", "default.lua: an error that is no text, but a table"},
    {"error('mine')", "default.lua:3: mine"},
    {"coroutine.yield()", "default.lua: ksr_request_route yields outside of a coroutine of its own"},
    {"coroutine.wrap(function() KSR.x.exit() end)()",
     "default.lua:3: default.lua:3: KSR.x.exit: cannot be called in a coroutine that the script made"},
};
INSTANTIATE_TEST_SUITE_P(Rows, ScriptErrors, testing::ValuesIn(error_rows),
                         [](const auto& row) { return "Row" + std::to_string(row.index); });

}  // namespace
}  // namespace perdure::script

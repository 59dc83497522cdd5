// Each row: an expression with variables, and what Kamailio 5.6 gives for it.
#include "script/variables.hpp"
#include "evaluate.hpp"

namespace perdure::script {
namespace {

struct Row {
  const char* expression;
  const char* result;
};
class VariableRows : public testing::TestWithParam<Row> {};

TEST_P(VariableRows, GiveWhatKamailioGives) {
  Request request;
  request.uri = "sip:bob:pw@192.0.2.1:5070;transport=tcp;x=y";
  request.headers +=
      "P-Asserted-Identity: \"A B\" <sip:+4930@ex.org>\r\nDiversion: <sip:div@h>;reason=unconditional;privacy=full\r\n"
      "Refer-To: <sip:refer@h>\r\nP-Preferred-Identity: \"Al\" <sip:al@pref.org>\r\nRemote-Party-ID: <sip:remote@h>;party=calling\r\n"
      "Authorization: Digest username=\"al@dom.org\", realm=\"ex, org\", nonce=\"n\", uri=\"sip:ex.org\", algorithm=MD5\r\n"
      "Expires: 600\r\nX-List: one, two\r\nX-List: three\r\n";
  request.body = "v=0\r\no=- 1 22 IN IP4 192.0.2.9\r\n";
  EXPECT_EQ(evaluate(GetParam().expression, request), GetParam().result) << GetParam().expression;
}

const Row rows[] = {
    {"KSR.pv.get('$ruri')", "string sip:bob:pw@192.0.2.1:5070;transport=tcp;x=y"},
    {"KSR.pv.get('$rUl') + KSR.pv.get('$fUl') + KSR.pv.get('$tUl')", "number 11"},
    {"KSR.pv.get('$oP')", "string tcp"},
    {"KSR.pv.get('$nh(d)') .. KSR.pv.get('$nh(p)') .. KSR.pv.get('$nh(P)') .. KSR.pv.get('$nh(U)')", "string 192.0.2.15070tcpbob"},
    {"KSR.pv.sets('$du', 'sip:dd@1.2.3.4:99') and KSR.pv.get('$nh(u)') .. KSR.pv.get('$duri')",
     "string sip:dd@1.2.3.4:99sip:dd@1.2.3.4:99"},
    {"KSR.pv.get('$fti')", "string from1"},
    {"KSR.pv.get('$ai')", "string sip:+4930@ex.org"},
    {"KSR.pv.get('$di') .. KSR.pv.get('$dir') .. KSR.pv.get('$dip')", "string sip:div@hunconditionalfull"},
    {"KSR.pv.get('$rt')", "string sip:refer@h"},
    {"KSR.pv.get('$pu') .. KSR.pv.get('$pU') .. KSR.pv.get('$pd') .. KSR.pv.get('$pn')", "string sip:al@pref.orgalpref.org\"Al\""},
    {"KSR.pv.get('$re')", "string sip:remote@h"},
    {"KSR.pv.get('$au')", "string al@dom.org"},
    {"KSR.pv.get('$aU') .. KSR.pv.get('$ad')", "string aldom.org"},
    {"KSR.pv.get('$ar')", "string ex, org"},
    {"KSR.pv.get('$adu') .. KSR.pv.get('$aa')", "string sip:ex.orgMD5"},
    {"KSR.pv.get('$expires(min)')", "number 600"},
    {"KSR.pv.get('$cl')", "number 32"},
    {"KSR.pv.get('$csb')", "string 7 INVITE"},
    {"KSR.pv.get('$sdp(sess_version)')", "number 22"},
    {"KSR.pv.get('$msg(fline)')", "string INVITE sip:bob:pw@192.0.2.1:5070;transport=tcp;x=y SIP/2.0"},
    {"KSR.pv.get('$msg(body)') == KSR.pv.get('$sdp(body)')", "boolean true"},
    {"KSR.pv.get('$msg(fline)') .. '\\r\\n' .. KSR.pv.get('$msg(lpart)') == KSR.pv.get('$msg(buf)')", "boolean true"},
    {"#KSR.pv.get('$msg(buf)') == KSR.pv.get('$msg(len)') and KSR.pv.get('$msg(len)') == KSR.pv.get('$ml')", "boolean true"},
    {"KSR.pv.get('$via0(host)') .. KSR.pv.get('$via0(port)') .. KSR.pv.get('$via0(proto)') .. KSR.pv.get('$via0(branch)')",
     "string 127.0.0.16000UDPz9hG4bK-1"},
    {"KSR.pv.get('$viaZ(port)')", "number 6000"},
    {"KSR.pv.get('$via1(host)')", "nil nil"},
    {"KSR.pv.get('$via0(rport)')", "nil nil"},
    {"KSR.pv.get('$(hfl(X-List)[1])')", "string three"},
    {"KSR.pv.get('$(hdr(X-List)[*])')", "string one, two,three"},
    {"KSR.pv.get('$hflc(X-List)')", "number 2"},
    {"KSR.pv.get('$siz') .. ' ' .. KSR.pv.get('$sas')", "string 127.0.0.1 udp:127.0.0.1:6000"},
    {"KSR.pv.get('$su') .. ' ' .. KSR.pv.get('$sut')", "string sip:127.0.0.1:6000 sip:127.0.0.1:6000;transport=udp"},
    {"KSR.pv.get('$Ru') .. ' ' .. KSR.pv.get('$Rut')", "string sip:127.0.0.1:5060 sip:127.0.0.1:5060;transport=udp"},
    {"KSR.pv.get('$RAi') .. KSR.pv.get('$RAp') .. ' ' .. KSR.pv.get('$RAu') .. ' ' .. KSR.pv.get('$RAut')",
     "string 127.0.0.15060 sip:127.0.0.1:5060 sip:127.0.0.1:5060;transport=udp"},
    {"KSR.pv.get('$prid')", "number 1"},
    {"KSR.pv.get('$conid')", "nil nil"},
    {"KSR.pv.get('$K(TLS)') .. KSR.pv.get('$K(IPv6)') .. KSR.pv.get('$K(WSS)')", "string 3106"},
    {"KSR.pv.get('$mF') .. KSR.pv.get('$bF') .. KSR.pv.get('$sF')", "string 000000000000000000000000"},
    {"KSR.pv.seti('$mf', 10) and KSR.pv.get('$mF') .. tostring(KSR.isflagset(3))", "string 0000000Atrue"},
    {"KSR.pv.seti('$bf', 6) and KSR.pv.get('$bf')", "number 6"},
    {"KSR.pv.seti('$sf', 7) and KSR.issflagset(2)", "boolean true"},
    {"KSR.pv.get('$TS')", "number 1795476251"},
    {"KSR.pv.get('$Ts')", "number 1795476251"},
    {"KSR.pv.get('$TV(s)') .. ' ' .. KSR.pv.get('$TV(u)')", "string 1795476251 42"},
    {"KSR.pv.get('$TV(Sn)')", "string 1795476251.000042"},
    {"KSR.pv.get('$utimef(%Y-%m-%d %H:%M:%S)')", "string 2026-11-23 23:24:11"},
    {"KSR.pv.get('$utime(wday)') .. ' ' .. KSR.pv.get('$utime(yday)') .. ' ' .. KSR.pv.get('$utime(mon)')", "string 2 327 11"},
    {"KSR.pv.get('$pp') > 1", "boolean true"},
    {"KSR.pv.get('$vn(x)')", "nil nil"},
    {"KSR.pv.get('$env(PERDURE_NO_SUCH)')", "nil nil"},
    // Branches.
    {"KSR.pv.get('$br')", "nil nil"},
    {"KSR.pv.sets('$br', 'sip:br@h') and KSR.pv.get('$br') .. KSR.pv.get('$branch(count)')", "string sip:br@h1"},
    {"KSR.pv.sets('$br', 'sip:br@h') and KSR.pv.sets('$branch(uri)', 'sip:b2@h') and KSR.pv.get('$(branch(uri)[0])')", "string sip:b2@h"},
    {"KSR.pv.get('$branch(uri)')", "nil nil"},
    // AVPs.
    {"KSR.pv.sets('$avp(x)', 'a') and KSR.pv.sets('$avp(x)', 'b') and KSR.pv.get('$(avp(x)[*])')", "string b, a"},
    {"KSR.pv.sets('$avp(x)', 'a') and KSR.pv.sets('$avp(x)', 'b') and KSR.pv.get('$cnt($avp(x))')", "number 2"},
    {"KSR.pv.sets('$var(h)', 'n') and KSR.pv.sets('$avp($var(h))', 'v') and KSR.pv.get('$avp(n)')", "string v"},
    // XAVPs: without an index a new one in front.
    {"KSR.pv.sets('$xavp(a=>b)', '1') and KSR.pv.sets('$xavp(a=>b)', '2') and KSR.pv.get('$xavp(a=>b)') .. KSR.pv.get('$xavp(a[1]=>b)')",
     "string 21"},
    {"KSR.pv.sets('$xavp(a=>b)', '2') and KSR.pv.sets('$xavp(a[0]=>b)', '3') and KSR.pv.get('$xavp(a=>b)') .. KSR.pv.get('$xavp(a=>b[1])')",
     "string 32"},
    {"KSR.pv.sets('$xavp(m=>k)', '1') and KSR.pv.sets('$xavp(m[0]=>k[0])', '2') and KSR.pv.get('$xavp(m=>k)') .. "
     "KSR.pv.getw('$xavp(m=>k[1])')",
     "string 2<null>"},
    {"KSR.pv.sets('$xavp(s)', 'v1') and KSR.pv.sets('$xavp(s)', 'v2') and KSR.pv.get('$xavp(s)') .. KSR.pv.get('$xavp(s[1])')",
     "string v2v1"},
    {"KSR.pv.sets('$xavp(s)', 'v1') and KSR.pv.sets('$xavp(s[0])', 'v2') and KSR.pv.get('$xavp(s)') .. KSR.pv.getw('$xavp(s[1])')",
     "string v2<null>"},
    {"KSR.pv.sets('$xavp(m=>k)', '1') and KSR.pv.sets('$xavp(m=>k)', '2') and KSR.pv.sets('$xavp(m[*]=>k)', '3') and "
     "KSR.pv.get('$xavp(m=>k)') .. KSR.pv.getw('$xavp(m[1])')",
     "string 3<null>"},
    {"KSR.pv.sets('$xavp(m=>k)', '1') and KSR.pv.unset('$xavp(m[0]=>k)') and KSR.pv.getw('$xavp(m=>k)') .. KSR.pv.getw('$xavp(m)')",
     "string <null><<xavp>>"},
    {"KSR.pv.sets('$xavp(m=>k)', '1') and KSR.pv.unset('$xavp(m)') and KSR.pv.get('$xavp(m)')", "nil nil"},
    {"KSR.pv.sets('$xavp(a=>b)', 'long') and KSR.pv.get('$(xavp(a=>b){s.len})')", "number 4"},
    {"KSR.pv.seti('$var(i)', 1) and KSR.pv.sets('$xavp(a)', 'x') and KSR.pv.sets('$xavp(a)', 'y') and KSR.pv.get('$xavp(a[$var(i)])')",
     "string x"},
    {"KSR.pv.sets('$xavu(u=>f)', 'x') and KSR.pv.sets('$xavu(u=>f)', 'y') and KSR.pv.sets('$xavu(u=>g)', 'z') and "
     "KSR.pv.get('$xavu(u=>f)') .. KSR.pv.get('$xavu(u=>g)') .. KSR.pv.getw('$xavu(u=>f[1])')",
     "string yz<null>"},
    {"KSR.pv.sets('$xavu(u)', 'x') and KSR.pv.sets('$xavu(u)', 'y') and KSR.pv.get('$xavu(u)') .. KSR.pv.getw('$xavu(u[1])')",
     "string y<null>"},
    {"KSR.pv.sets('$xavi(AbC=>DeF)', 'i1') and KSR.pv.get('$xavi(aBc=>dEf)')", "string i1"},
};
INSTANTIATE_TEST_SUITE_P(Rows, VariableRows, testing::ValuesIn(rows), [](const auto& row) { return "Row" + std::to_string(row.index); });

TEST(Variables, AreTheSameAfterEncoding) {
  Variables before;
  ASSERT_TRUE(before.push_avp("name", Value::of(std::int64_t{-5})));
  ASSERT_TRUE(before.push_xavp({Tree::Xavp, "a", std::nullopt, {{"f", Value::of("1")}, {"f", Value::of("2")}}}));
  ASSERT_TRUE(before.push_xavp({Tree::Xavp, "a", Value::of("alone"), {}}));
  ASSERT_TRUE(before.push_xavp({Tree::Xavu, "a", Value::of(std::int64_t{7}), {}}));
  ASSERT_TRUE(before.set_child(Tree::Xavi, "Name", "Field", Value::of("x")));
  std::string bytes;
  before.encode(bytes);
  Variables after;
  ASSERT_TRUE(after.decode(bytes));
  EXPECT_EQ(after.avp("name", 0)->number, -5);
  EXPECT_EQ(after.xavp(Tree::Xavp, "a", 0)->value->text, "alone");
  EXPECT_EQ(after.xavp(Tree::Xavp, "a", 1)->field("f", 0)->text, "2");
  EXPECT_EQ(after.xavp(Tree::Xavp, "a", 1)->field("f", 1)->text, "1");
  EXPECT_EQ(after.xavp(Tree::Xavu, "a", 0)->value->number, 7);
  EXPECT_EQ(after.xavp(Tree::Xavi, "nAME", 0)->field("fIELD")->text, "x");
  for (std::size_t size = 1; size < bytes.size(); ++size) EXPECT_FALSE(after.decode(bytes.substr(0, size))) << size;
  EXPECT_FALSE(after.decode(bytes + "x"));
}

TEST(Variables, OfTheVersionBeforeAreRead) {
  using namespace std::string_literals;
  Variables variables;
  ASSERT_TRUE(variables.decode("\1\1\0\1\0n\0\1\0v\1\0\1\0x\1\0\1\0f\1\5\0\0\0\0\0\0\0"s));
  EXPECT_EQ(variables.avp("n", 0)->text, "v");
  EXPECT_EQ(variables.xavp(Tree::Xavp, "x", 0)->field("f")->number, 5);
}

}  // namespace
}  // namespace perdure::script

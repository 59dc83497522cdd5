// Each row: a call of KSR.pvx and what Kamailio 5.6 gives for it.
#include "evaluate.hpp"

namespace perdure::script {
namespace {

struct Row {
  const char* expression;
  const char* result;
};
class Pvx : public testing::TestWithParam<Row> {};

TEST_P(Pvx, GivesWhatKamailioGives) {
  // "A and B" of numbers is B in Lua: each row calls some functions and shows what the last one gives.
  EXPECT_EQ(evaluate(GetParam().expression), GetParam().result) << GetParam().expression;
}

const Row rows[] = {
    {"KSR.pvx.xavp_sets('p', 'v')", "number 1"},
    {"KSR.pvx.xavp_sets('p', 'v') and KSR.pvx.xavp_get('p')", "string v"},
    {"KSR.pvx.xavp_get('nope')", "nil nil"},
    {"KSR.pvx.xavp_gete('nope')", "string "},
    {"KSR.pvx.xavp_getw('nope')", "string <null>"},
    {"KSR.pvx.xavp_sets('p', 'v') and KSR.pvx.xavp_seti('p', 5) and KSR.pvx.xavp_get('p') .. KSR.pv.get('$xavp(p[1])')", "string 5v"},
    {"KSR.pvx.xavp_child_sets('r', 'k', 'v') and KSR.pvx.xavp_child_sets('r', 'k', 'v2') and "
     "KSR.pv.get('$xavp(r=>k)') .. KSR.pv.getw('$xavp(r=>k[1])') .. KSR.pv.getw('$xavp(r[1]=>k)')",
     "string v2<null><null>"},
    {"KSR.pvx.xavp_child_seti('r', 'n', 4) and KSR.pvx.xavp_child_get('r', 'n')", "number 4"},
    {"KSR.pvx.xavp_child_seti('r', 'n', 4) and KSR.pvx.xavp_child_is_null('r', 'n')", "number -1"},
    {"KSR.pvx.xavp_child_is_null('r', 'zz')", "number 1"},
    {"KSR.pvx.xavp_child_seti('r', 'n', 4) and KSR.pvx.xavp_is_null('r')", "number -1"},
    {"KSR.pvx.xavp_is_null('zz')", "number 1"},
    {"KSR.pvx.xavp_child_seti('r', 'n', 4) and KSR.pvx.xavp_child_rm('r', 'n') and KSR.pvx.xavp_child_getw('r', 'n')", "string <null>"},
    {"KSR.pvx.xavp_sets('q1', 'a') and KSR.pvx.xavp_sets('q1', 'b') and KSR.pvx.xavp_rm('q1') and KSR.pvx.xavp_get('q1')", "string a"},
    {"KSR.pvx.xavp_child_sets('q2', 'k', '1') and KSR.pv.sets('$xavp(q2[0]=>k)', '2') and KSR.pvx.xavp_child_rm('q2', 'k') and "
     "KSR.pvx.xavp_child_get('q2', 'k')",
     "string 1"},
    {"KSR.pvx.xavp_child_gete('r', 'zz') .. KSR.pvx.xavp_child_getw('zzz', 'zz')", "string <null>"},
    {"KSR.pvx.xavp_params_explode('a=b;c=d;e', 'ex') and KSR.pv.get('$xavp(ex=>a)') .. KSR.pv.get('$xavp(ex=>c)') .. "
     "KSR.pv.getw('$xavp(ex=>e)')",
     "string bd"},
    {"KSR.pvx.xavp_params_explode('a=b;c=d;e', 'ex') and KSR.pvx.xavp_params_implode('ex', '$var(im)') and KSR.pv.get('$var(im)')",
     "string a=b;c=d;e;"},
    {"KSR.pvx.xavp_params_implode('nope', '$var(im)')", "number -1"},
    {"KSR.pvx.xavp_slist_explode('a; b ;c', ';', 't', 'sl') and KSR.pv.get('$xavp(sl=>v)') .. KSR.pv.get('$xavp(sl=>v[1])') .. "
     "KSR.pv.get('$xavp(sl=>v[2])')",
     "string abc"},
    {"KSR.pvx.xavp_params_explode('a=b', 'ex') and KSR.pvx.xavp_copy('ex', 0, 'cp') and KSR.pv.get('$xavp(cp=>a)')", "string b"},
    {"KSR.pvx.xavp_params_explode('a=b', 'ex') and KSR.pvx.xavp_sets('cp', 'old') and KSR.pvx.xavp_copy_dst('ex', 0, 'cp', 0) and "
     "KSR.pv.get('$xavp(cp=>a)') .. KSR.pv.getw('$xavp(cp[1])')",
     "string b<null>"},
    {"KSR.pvx.xavp_copy('nope', 0, 'cp')", "number -1"},
    {"KSR.pvx.xavu_sets('w', '1') and KSR.pvx.xavu_sets('w', '2') and KSR.pvx.xavu_rm('w') and KSR.pvx.xavu_is_null('w')", "number 1"},
    {"KSR.pvx.xavu_child_sets('wc', 'k', '1') and KSR.pvx.xavu_child_get('wc', 'k')", "string 1"},
    {"KSR.pvx.xavu_params_explode('k1=v1;k2=v2', 'xe') and KSR.pv.get('$xavu(xe=>k2)')", "string v2"},
    {"KSR.pvx.xavi_sets('Ww', '1') and KSR.pvx.xavi_get('wW')", "string 1"},
    {"KSR.pvx.xavi_child_sets('Ww', 'Kk', '1') and KSR.pvx.xavi_child_get('wW', 'kK')", "string 1"},
    {"KSR.pvx.var_sets('v1', 'q') and KSR.pvx.var_seti('v2', 4) and KSR.pvx.var_get('v1') .. KSR.pvx.var_get('v2') .. "
     "KSR.pvx.var_get('v3')",
     "string q40"},
    {"KSR.pvx.var_sets('v1', 'q') and KSR.pvx.pv_var_to_xavp('v1', 'fv') and KSR.pv.get('$xavp(fv=>v1)')", "string q"},
    {"KSR.pvx.var_sets('v1', 'q') and KSR.pvx.pv_var_to_xavp('*', 'fv') and KSR.pv.get('$xavp(fv=>v1)')", "string q"},
    {"KSR.pvx.pv_var_to_xavp('none', 'fv')", "number -1"},
    {"KSR.pvx.xavp_params_explode('a=b', 'ex') and KSR.pvx.pv_xavp_to_var('ex') and KSR.pv.get('$var(a)')", "string b"},
    {"KSR.pv.sets('$var(t)', '$rm') and KSR.pvx.evalx('$var(e)', 'x $var(t) $rm') and KSR.pv.get('$var(e)')", "string x $rm INVITE"},
    {"KSR.pvx.avp_sets('q3', 'a') and KSR.pvx.avp_sets('q3', 'b') and KSR.pvx.avp_rm('q3') and KSR.pvx.avp_get('q3')", "string a"},
    {"KSR.pvx.avp_seti('n', 7) and KSR.pvx.avp_get('n')", "number 7"},
    {"KSR.pvx.avp_gete('nav') .. KSR.pvx.avp_getw('nav') .. KSR.pvx.avp_is_null('nav')", "string <null>1"},
    {"KSR.pvx.sbranch_set_ruri()", "number -1"},
    {"KSR.pvx.sbranch_append()", "number -1"},
    {"KSR.pv.sets('$sbranch(uri)', 'sip:sb@h') and KSR.pvx.sbranch_append() and KSR.pv.get('$(branch(uri)[0])')", "string sip:sb@h"},
    {"KSR.pv.sets('$sbranch(uri)', 'sip:sb@h') and KSR.pvx.sbranch_set_ruri() and KSR.pv.get('$ru')", "string sip:sb@h"},
    {"KSR.pv.sets('$sbranch(uri)', 'sip:sb@h') and KSR.pvx.sbranch_reset() and KSR.pvx.sbranch_append()", "number -1"},
    {"KSR.pvx.xavp_sets('a b', 'x')", "error default.lua:4: KSR.pvx.xavp_sets: \"a b\" is no name of a variable"},
};
INSTANTIATE_TEST_SUITE_P(Rows, Pvx, testing::ValuesIn(rows), [](const auto& row) { return "Row" + std::to_string(row.index); });

}  // namespace
}  // namespace perdure::script

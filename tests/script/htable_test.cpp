// KSR.htable, cfgutils, counters: what the functions give, as Kamailio 5.6 gives it.
#include "htable/tables.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

#include "bench.hpp"
#include "shared/state.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;

class HashTables : public testing::Test {
 protected:
  // What an expression gives in the request route, after some statements.
  std::string evaluate(const std::string& expression, const std::string& before = {}) {
    Bench bench("function ksr_request_route()\nlocal h = KSR.htable\n" + before + "\nlocal value = " + expression +
                "\nKSR.hdr.append_to_reply('X-Value: ' .. type(value) .. ' ' .. tostring(value) .. '\\r\\n')\n"
                "KSR.sl.send_reply(299, 'Done')\nend\n");
    bench.options().tables = &tables;
    bench.options().shared = &state;
    bench.start();
    const auto sent = bench.receive(Request{});
    const auto* answer = first(sent, "SIP/2.0 299");
    return answer ? answer->header("X-Value") : bench.runner().counters().last_error;
  }

  static std::vector<htable::TableOptions> options() {
    return {{.name = "a", .autoexpire = 100s}, {.name = "b", .initval = 7}, {.name = "tiny", .entries_max = 2}};
  }

  htable::Tables tables{options()};
  shared::State state;
};

struct Row {
  const char* before;
  const char* expression;
  const char* result;
};

TEST_F(HashTables, GiveWhatKamailioGives) {
  const Row rows[] = {
      {"", "h.sht_get('a', 'k')", "nil nil"},
      {"", "h.sht_gete('a', 'k')", "string "},
      {"", "h.sht_getw('a', 'k')", "string <null>"},
      {"", "h.sht_get('zz', 'k')", "nil nil"},
      {"", "h.sht_sets('a', 'k', 'v')", "number 1"},
      {"", "h.sht_get('a', 'k')", "string v"},
      {"", "h.sht_sets('zz', 'k', 'v')", "number -1"},
      {"", "h.sht_seti('a', 'n', 41)", "number 1"},
      {"", "h.sht_get('a', 'n')", "number 41"},
      {"", "h.sht_is_null('a', 'k')", "number -1"},
      {"", "h.sht_is_null('a', 'kk')", "number 1"},
      {"", "h.sht_is_null('b', 'kk')", "number -2"},
      {"", "h.sht_is_null('zz', 'kk')", "number 2"},
      {"", "h.sht_get('b', 'kk')", "number 7"},
      {"", "h.sht_inc('a', 'n')", "number 42"},
      {"", "h.sht_dec('a', 'n')", "number 41"},
      {"", "h.sht_inc('a', 'k')", "number -255"},
      {"", "h.sht_inc('a', 'new')", "number -255"},
      {"", "h.sht_get('a', 'new')", "nil nil"},
      {"", "h.sht_inc('b', 'new')", "number 8"},
      {"", "h.sht_inc('zz', 'new')", "number -255"},
      {"", "h.sht_setex('a', 'none', 30)", "number 1"},
      {"", "h.sht_setex('zz', 'none', 30)", "number -1"},
      {"", "h.sht_setxs('a', 'x', 'v', 30)", "number 1"},
      {"", "h.sht_setxi('a', 'y', 5, 30)", "number 0"},
      {"", "h.sht_match_name('a', 're', 'X')", "number 1"},
      {"", "h.sht_match_name('a', 'sw', 'x')", "number 1"},
      {"", "h.sht_match_name('a', 'eq', 'x')", "number 1"},
      {"", "h.sht_match_name('a', 'eq', 'qq')", "number -1"},
      {"", "h.sht_match_name('a', 'zz', 'x')", "number -1"},
      {"", "h.sht_match_name('a', 're', '(')", "number -1"},
      {"", "h.sht_match_name('zz', 'eq', 'x')", "number -1"},
      {"", "h.sht_match_str_value('a', 'eq', 'v')", "number 1"},
      {"", "h.sht_match_str_value('a', 'eq', '5')", "number -1"},
      {"", "h.sht_has_name('a', 'ne', 'x')", "number 1"},
      {"", "h.sht_has_str_value('a', 'sw', 'w')", "number -1"},
      {"", "h.sht_lock('a', 'x') + h.sht_lock('a', 'x') + h.sht_unlock('a', 'x') + h.sht_unlock('a', 'x')", "number 4"},
      {"", "h.sht_unlock('a', 'x')", "number -1"},
      {"", "h.sht_lock('zz', 'x')", "number -1"},
      {"", "h.sht_rm('a', 'x')", "number 1"},
      {"", "h.sht_rm('a', 'x')", "number 1"},
      {"", "h.sht_rm('zz', 'x')", "number -1"},
      {"h.sht_sets('a','p1','v1') h.sht_sets('a','p2','v2')", "h.sht_rm_name_re('a', '^P1')", "number 1"},
      {"", "h.sht_gete('a', 'p1') .. h.sht_gete('a', 'p2')", "string v2"},
      {"", "h.sht_rm_name_re('a', '(')", "number -1"},
      {"", "h.sht_rm_value_re('a', '^v')", "number 1"},
      {"", "h.sht_get('a', 'p2')", "nil nil"},
      {"h.sht_seti('a','five',5) h.sht_sets('a','sfive','5')", "h.sht_rm_value('a', 're', '5')", "number 1"},
      {"", "h.sht_getw('a', 'five') .. h.sht_getw('a', 'sfive')", "string 5<null>"},
      {"", "h.sht_rm_name('a', 'sw', 'fi')", "number 1"},
      {"", "h.sht_get('a', 'five')", "nil nil"},
      {"", "h.sht_rm_name('a', 'eq', 'n')", "number -1"},
      {"", "h.sht_reset('a')", "number 0"},
      {"", "h.sht_reset('zz')", "number -1"},
      {"", "h.sht_get('a', 'n')", "nil nil"},
      // Bounds.
      {"h.sht_seti('tiny','1',1) h.sht_seti('tiny','2',1)", "h.sht_seti('tiny', '3', 1)", "number -1"},
      {"", "h.sht_sets('a', string.rep('k', 2000), 'v')", "number -1"},
  };
  for (const Row& row : rows) EXPECT_EQ(evaluate(row.expression, row.before), row.result) << row.before << " " << row.expression;
}

TEST_F(HashTables, IteratorsGoThroughATable) {
  for (const char* key : {"x", "y", "z"}) ASSERT_EQ(tables.find("a")->set(key, perdure::Value::of("v"), Time(0s)), htable::Change::Done);
  EXPECT_EQ(evaluate("count",
                     "local count = 0\nh.sht_iterator_start('i', 'a')\n"
                     "while h.sht_iterator_next('i') > 0 do count = count + 1 end\nh.sht_iterator_end('i')"),
            "number 3");
  EXPECT_EQ(evaluate("KSR.htable.sht_iterator_start('i', 'zz')"), "number -1");
  EXPECT_EQ(evaluate("KSR.htable.sht_iterator_next('i')"), "number -1");
  EXPECT_EQ(evaluate("KSR.htable.sht_iterator_end('i')"), "number -1");
  EXPECT_EQ(evaluate("KSR.htable.sht_iterator_rm('i')", "h.sht_iterator_start('i', 'a')"), "number -1") << "before the first";
  EXPECT_EQ(evaluate("last", "local last\nfor n = 1, 17 do last = h.sht_iterator_start('i' .. n, 'a') end"), "number -1") << "bounded";

  // Each entry is changed through the iterator.
  EXPECT_EQ(evaluate("h.sht_iterator_next('i')",
                     "h.sht_iterator_start('i', 'a')\nh.sht_iterator_next('i') h.sht_iterator_rm('i')\n"
                     "h.sht_iterator_next('i') h.sht_iterator_sets('i', 'text') h.sht_iterator_setex('i', 20)\n"
                     "h.sht_iterator_next('i') h.sht_iterator_seti('i', 5)"),
            "number -1");
  std::vector<htable::Table::View> views;
  for (std::size_t i = 0; i < tables.find("a")->shard_count(); ++i) tables.find("a")->list(i, Time(2s), views);
  ASSERT_EQ(views.size(), 2U);
  std::ranges::sort(views, {}, [](const auto& view) { return view.value.is_number; });
  EXPECT_EQ(views[0].value, perdure::Value::of("text"));
  EXPECT_LE(views[0].lifetime, Duration(20s));
  EXPECT_EQ(views[1].value, perdure::Value::of(std::int64_t{5}));
}

TEST_F(HashTables, ALockEndsWithItsCallback) {
  EXPECT_EQ(evaluate("KSR.htable.sht_lock('a', 'x') + KSR.cfgutils.lock('name')"), "number 2");
  shared::NamedLocks::Holder other;
  EXPECT_EQ(state.locks.take(std::string("a\0x", 3), other, false), shared::NamedLocks::Taken::Yes);
  EXPECT_EQ(state.locks.take("cfgutils:name", other, false), shared::NamedLocks::Taken::Yes);
  EXPECT_EQ(evaluate("KSR.cfgutils.trylock('name')"), "number -1") << "another has it";
  EXPECT_EQ(evaluate("KSR.htable.sht_lock('a', 'x')"), "number -1") << "another has it, and waiting has an end";
  EXPECT_EQ(evaluate("KSR.cfgutils.unlock('name')"), "number -1");
}

TEST_F(HashTables, AreNilWithoutAnyConfigured) {
  Bench bench("function ksr_request_route()\nif not KSR.htable then KSR.sl.send_reply(299, 'None') end\nend\n");
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 299"));
}

TEST_F(HashTables, Variables) {
  for (const char* key : {"abc", "abd", "xab"})
    ASSERT_EQ(tables.find("a")->set(key, perdure::Value::of("v" + std::string(key)), Time(0s)), htable::Change::Done);
  ASSERT_EQ(tables.find("a")->set("five", perdure::Value::of(std::int64_t{5}), Time(0s)), htable::Change::Done);
  const Row rows[] = {
      {"", "KSR.pv.get('$sht(a=>abc)')", "string vabc"},
      {"", "KSR.pv.get('$sht(a=>none)')", "nil nil"},
      {"", "KSR.pv.get('$sht(b=>none)')", "number 7"},
      {"", "KSR.pv.is_null('$sht(a=>none)')", "boolean true"},
      {"KSR.pv.sets('$sht(a=>$ci::x)', 'by call')", "h.sht_get('a', 'call-1::x')", "string by call"},
      {"", "KSR.pv.get('$sht(a=>$ci::x)')", "string by call"},
      {"KSR.pv.seti('$shtex(a=>$ci::x)', 12)", "KSR.pv.get('$shtex(a=>$ci::x)')", "number 12"},
      {"KSR.pv.unset('$sht(a=>$ci::x)')", "KSR.pv.get('$sht(a=>$ci::x)')", "nil nil"},
      {"", "KSR.pv.get('$shtex(a=>none)')", "number 0"},
      {"", "KSR.pv.get('$shtcn(a=>ab)')", "number 3"},
      {"", "KSR.pv.get('$shtcn(a=>^ab)')", "number 2"},
      {"", "KSR.pv.get('$shtcn(a=>~~ab)')", "number 3"},
      {"", "KSR.pv.get('$shtcn(a=>~%ab)')", "number 1"},
      {"", "KSR.pv.get('$shtcn(a=>==abc)')", "number 1"},
      {"", "KSR.pv.get('$shtcn(a=>**)')", "number 4"},
      {"", "KSR.pv.get('$shtcn(a=>eq5)')", "number 0"},
      {"", "KSR.pv.get('$shtcv(a=>eq5)')", "number 1"},
      {"", "KSR.pv.get('$shtcv(a=>va)')", "number 2"},
      {"", "KSR.pv.get('$shtcv(a=>==vabc)')", "number 1"},
      {"", "KSR.pv.get('$shtcv(a=>~~)')", "number 0"},
      {"", "KSR.pv.get('$shtinc(a=>five)') + KSR.pv.get('$shtdec(a=>five)')", "number 11"},
      {"", "KSR.pv.get('$shtinc(a=>none)')", "nil nil"},
      {"h.sht_iterator_start('i', 'b') h.sht_seti('b', 'k', 3) h.sht_iterator_next('i')",
       "KSR.pv.get('$shtitkey(i)') .. KSR.pv.get('$shtitval(i)')", "string k3"},
      {"", "KSR.pv.get('$shtitkey(i)')", "nil nil"},
      {"", "KSR.pv.get('$shv(x)')", "number 0"},
      {"KSR.pv.sets('$shv(x)', 'text')", "KSR.pv.get('$shv(x)')", "string text"},
      {"KSR.pv.unset('$shv(x)')", "KSR.pv.get('$shv(x)')", "string "},
      {"", "KSR.pv.get('$stat(new)')", "nil nil"},
      {"KSR.counters.add('new', 3)", "KSR.pv.get('$stat(new)')", "number 3"},
      {"", "KSR.pv.get('$RANDOM') >= 0", "boolean true"},
  };
  for (const Row& row : rows) EXPECT_EQ(evaluate(row.expression, row.before), row.result) << row.before << " " << row.expression;
  EXPECT_THAT(evaluate("KSR.pv.get('$sht(zz=>x)')"), HasSubstr("there is no hash table zz"));
  EXPECT_THAT(evaluate("KSR.pv.get('$sht(a)')"), HasSubstr("table=>key"));
}

TEST_F(HashTables, CountersAndChance) {
  const Row rows[] = {
      {"", "KSR.counters.inc('calls')", "number 1"},
      {"", "KSR.counters.add('calls', 4)", "number 1"},
      {"", "KSR.statistics.update_stat('calls', '+1')", "number 1"},
      {"", "KSR.statistics.update_stat('calls', '-2')", "number 1"},
      {"", "KSR.statistics.update_stat('calls', 'xx')", "number 1"},
      {"", "KSR.counters.reset('other')", "number 1"},
      {"", "KSR.cfgutils.core_hash('hello world', '', 16)", "number 47482"},
      {"", "KSR.cfgutils.core_hash('sip:alice@example.org', 'x', 0)", "number 2"},
      {"", "KSR.cfgutils.rand_get_prob()", "number 10"},
      {"", "KSR.cfgutils.rand_set_prob(101)", "number -1"},
      {"", "KSR.cfgutils.rand_set_prob(100)", "number 1"},
      {"", "KSR.cfgutils.rand_event()", "number 1"},
      {"KSR.cfgutils.rand_set_prob(0)", "KSR.cfgutils.rand_event()", "number -1"},
      {"KSR.cfgutils.rand_reset_prob()", "KSR.cfgutils.rand_get_prob()", "number 10"},
  };
  for (const Row& row : rows) EXPECT_EQ(evaluate(row.expression, row.before), row.result) << row.expression;
  EXPECT_EQ(state.counter("calls"), 4);
  EXPECT_EQ(evaluate("KSR.statistics.reset_stat('calls')"), "number 1");
  EXPECT_EQ(state.counter("calls"), 0);
}

}  // namespace
}  // namespace perdure::script

// KSR.mtree, KSR.dialplan, KSR.lcr and KSR.ratelimit, with a call that fails over while the server dies between the attempts.
#include <gtest/gtest.h>

#include "bench.hpp"
#include "dialplan/rules.hpp"
#include "lcr/router.hpp"
#include "limit/pipes.hpp"
#include "prefix/tree.hpp"

namespace perdure::script {
namespace {

class RoutingTables : public testing::Test {
 protected:
  RoutingTables() {
    auto tree = prefix::Tree::parse("49 germany\n4930 berlin\n", trees.options()[0], "tree");
    auto costs = prefix::Tree::parse("1 7\n", trees.options()[1], "costs");
    auto rules = dialplan::Rules::parse("1 1 regex ^00 0 ^00(.*)$ +\\1 international\n1 2 equal 110 0 - 112 -\n", "rules");
    EXPECT_TRUE(tree && costs && rules);
    trees.replace({std::make_shared<const prefix::Tree>(std::move(*tree)), std::make_shared<const prefix::Tree>(std::move(*costs))});
    dialplan.replace(std::move(*rules));
    auto list = lcr::List::parse(
        "gateway 1 a sip:127.0.0.1:7001 strip=2 prefix=+ tag=first flags=5\ngateway 1 b sip:127.0.0.1:7002 host=carrier.example\n"
        "gateway 1 c sip:127.0.0.1 tag=third\ngateway 2 d sip:192.0.2.9:5070\n"
        "rule 1 00 a/1,b/2\nrule 1 01 a from=^sip:alice@\n",
        "lcr.list");
    EXPECT_TRUE(list) << list.error().message;
    router.replace(std::move(*list));
  }

  void make(const std::string& script) {
    bench = std::make_unique<Bench>([&](ScriptOptions& options) {
      options.text = script;
      options.routing = {&trees, &dialplan, &router, "attributes", "tag", "flags"};
      options.pipes = &pipes;
    });
  }
  std::string evaluate(const std::string& expression, const std::string& before = {}) {
    make("function ksr_request_route()\n" + before + "\nKSR.hdr.append_to_reply('X-Value: ' .. tostring(" + expression +
         ") .. '\\r\\n')\nKSR.sl.send_reply(299, 'Done')\nend\n");
    Request request;
    request.uri = "sip:004930@192.0.2.1";
    const auto sent = bench->receive(request);
    const auto* answer = first(sent, "SIP/2.0 299");
    return answer ? answer->header("X-Value") : bench->runner().counters().last_error;
  }

  prefix::Trees trees{std::vector<prefix::TreeOptions>{{.name = "places", .file = {}}, {.name = "costs", .file = {}, .integers = true}}};
  dialplan::Dialplan dialplan;
  lcr::Router router{lcr::Options{.inactivate_threshold = 1, .inactive_time = 60s}};
  limit::Pipes pipes{{{.name = "INVITE", .limit = 1}, {.name = "2", .limit = 1}}, 10s};
  std::unique_ptr<Bench> bench;
};

TEST_F(RoutingTables, ATreeGivesTheValueOfTheLongestPrefix) {
  EXPECT_EQ(evaluate("KSR.mtree.mt_match('places', '493012', 0) .. KSR.pv.get('$avp(tvalue)')"), "1berlin");
  EXPECT_EQ(evaluate("KSR.mtree.mt_match('places', '48', 0)"), "-1");
  EXPECT_EQ(evaluate("KSR.mtree.mt_match('none', '49', 0)"), "-1");
  EXPECT_EQ(evaluate("KSR.mtree.mt_match('places', '4930', 2) .. KSR.pv.get('$avp(tvalues)') .. KSR.pv.get('$(avp(tvalues)[1])')"),
            "1berlingermany");
  EXPECT_EQ(evaluate("KSR.mtree.mt_match('costs', '1', 0) + KSR.pv.get('$avp(tvalue)')"), "8");
}

TEST_F(RoutingTables, ADialplanChangesNumbers) {
  EXPECT_EQ(evaluate("KSR.dialplan.dp_match(1, '0049') .. KSR.pv.get('$avp(attributes)')"), "1international");
  EXPECT_EQ(evaluate("KSR.dialplan.dp_match(1, '49')"), "-1");
  EXPECT_EQ(evaluate("KSR.dialplan.dp_match(2, '0049')"), "-2");
  EXPECT_EQ(evaluate("KSR.dialplan.dp_replace(1, '110', '$var(x)') .. KSR.pv.get('$var(x)')"), "1112");
  EXPECT_EQ(evaluate("KSR.dialplan.dp_translate(1) .. KSR.pv.get('$ru')"), "1sip:+4930@192.0.2.1");
  EXPECT_EQ(evaluate("KSR.dialplan.dp_translate_vars(1, '$rU', '$avp(y)') .. KSR.pv.get('$avp(y)')"), "1+4930");
}

TEST_F(RoutingTables, GatewaysAreTriedInTheirOrder) {
  const std::string load = "assert(KSR.lcr.load_gws(1) == 1) assert(KSR.lcr.next_gw() == 1)";
  EXPECT_EQ(evaluate("KSR.pv.get('$ru') .. ' ' .. KSR.pv.get('$avp(tag)') .. ' ' .. KSR.pv.get('$avp(flags)')", load),
            "sip:+4930@127.0.0.1:7001 first 5");
  EXPECT_EQ(evaluate("KSR.pv.get('$ru') .. ' ' .. KSR.pv.get('$du')", load + " assert(KSR.lcr.next_gw() == 1)"),
            "sip:004930@carrier.example sip:127.0.0.1:7002");
  EXPECT_EQ(evaluate("KSR.lcr.next_gw()", load + " assert(KSR.lcr.next_gw() == 1)"), "-1");
  EXPECT_EQ(evaluate("KSR.lcr.next_gw()"), "-1");
  EXPECT_EQ(evaluate("KSR.lcr.load_gws_ruser(1, '99')"), "2");
  EXPECT_EQ(evaluate("KSR.lcr.load_gws(7)"), "-1");
  EXPECT_EQ(evaluate("KSR.lcr.load_gws_furi(1, '01', 'sip:alice@x') .. KSR.lcr.load_gws_furi(1, '01', 'sip:bob@x')"), "12");
}

TEST_F(RoutingTables, GatewaysAreKnownByTheirAddresses) {
  EXPECT_EQ(evaluate("KSR.lcr.from_gw(1) .. KSR.pv.get('$avp(tag)')"), "1third");
  EXPECT_EQ(evaluate("KSR.lcr.from_any_gw()"), "1");
  EXPECT_EQ(evaluate("KSR.lcr.from_gw(2) .. KSR.lcr.from_any_gw_addr('192.0.2.9', 0)"), "-12");
  EXPECT_EQ(evaluate("KSR.lcr.from_gw_addr(1, '127.0.0.1', 1) .. KSR.lcr.from_gw_addr(1, '127.0.0.1', 2)"), "1-1");
  EXPECT_EQ(evaluate("KSR.lcr.from_gw_addr_port(2, '192.0.2.9', 0, 5070) .. KSR.lcr.from_any_gw_addr_port('192.0.2.9', 0, 5071)"), "1-1");
  EXPECT_EQ(evaluate("KSR.lcr.to_gw(1)"), "-1");
  EXPECT_EQ(evaluate("KSR.lcr.to_gw(1) .. KSR.lcr.to_any_gw()", "KSR.seturi('sip:1@127.0.0.1')"), "11");
  EXPECT_EQ(evaluate("KSR.lcr.to_gw_addr(1, 'x', 0) .. KSR.lcr.to_any_gw_addr('127.0.0.1', 0)"), "-11");
}

TEST_F(RoutingTables, AGatewayThatFailsGetsNoFurtherCalls) {
  const std::string next = "KSR.lcr.load_gws(1) KSR.lcr.next_gw() ";
  EXPECT_EQ(evaluate("KSR.lcr.inactivate_gw()"), "-1");  // none was chosen
  EXPECT_EQ(evaluate("KSR.lcr.inactivate_gw() .. KSR.lcr.load_gws_ruser(1, '0049') .. KSR.lcr.next_gw() .. KSR.pv.get('$du')", next),
            "111sip:127.0.0.1:7002");
  EXPECT_EQ(evaluate("KSR.lcr.defunct_gw(60) .. KSR.lcr.load_gws_ruser(1, '0049')", next), "12");
  EXPECT_EQ(evaluate("KSR.lcr.defunct_gw(0)", next), "-1");
}

TEST_F(RoutingTables, ACallGoesOnWithItsGatewaysAlthoughServerAndListAreOthers) {
  make(R"(function ksr_request_route()
  KSR.lcr.load_gws(1)
  KSR.lcr.next_gw()
  KSR.tm.t_on_failure('next_one')
  KSR.tm.t_relay()
end
function next_one()
  if KSR.lcr.next_gw() > 0 then KSR.tm.t_relay() end
end)");
  Request request;
  request.uri = "sip:004930@192.0.2.1";
  auto sent = bench->receive(request);
  ASSERT_TRUE(first(sent, "INVITE ")) << bench->runner().counters().last_error;
  const Sent invite = *first(sent, "INVITE ");
  EXPECT_EQ(invite.to, at(7001));
  router.replace(lcr::List{});
  bench->start();
  sent = bench->answer(invite, 503);
  const auto* second = first(sent, "INVITE ");
  ASSERT_TRUE(second) << bench->runner().counters().last_error;
  EXPECT_EQ(second->to, at(7002));
  EXPECT_EQ(second->line(), "INVITE sip:004930@carrier.example SIP/2.0");
}

TEST_F(RoutingTables, PipesAreFoundByMethodAndNumber) {
  EXPECT_EQ(evaluate("KSR.ratelimit.rl_check() .. KSR.ratelimit.rl_check()"), "1-1");
  EXPECT_EQ(evaluate("KSR.ratelimit.rl_check_pipe(2) .. KSR.ratelimit.rl_check_pipe(2) .. KSR.ratelimit.rl_check_pipe(3)"), "1-1-2");
}

}  // namespace
}  // namespace perdure::script

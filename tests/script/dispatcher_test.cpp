// KSR.dispatcher and the embedded script.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Dispatcher : public testing::Test {
 protected:
  Dispatcher() {
    auto list = dispatch::parse_list(
        "1 sip:127.0.0.1:7001 0 20 name=a\n1 sip:127.0.0.1:7002 0 10 name=b\n1 sip:127.0.0.1:7003 0 5\n"
        "2 sip:127.0.0.1:7001 0 0 maxload=1\n2 sip:127.0.0.1:7002 0 0 maxload=1\n"
        "7 sip:127.0.0.1:7001 0 9 socket=udp:127.0.0.1:5060\n7 sip:127.0.0.1:7002 0 8 socket=udp:127.0.0.1:5999\n",
        "dispatcher.list");
    EXPECT_TRUE(list);
    dispatcher.replace(std::move(*list));
  }

  // The value of an expression in the request route, after some statements.
  std::string evaluate(const std::string& expression, const std::string& before = {}, SocketAddress from = at(caller_port)) {
    Bench bench("function ksr_request_route()\n" + before + "\nKSR.hdr.append_to_reply('X-Value: ' .. tostring(" + expression +
                    ") .. '\\r\\n')\nKSR.sl.send_reply(299, 'Done')\nend\n",
                &dispatcher);
    const auto sent = bench.receive(Request{}.text(), from);
    const auto* answer = first(sent, "SIP/2.0 299");
    return answer ? answer->header("X-Value") : bench.runner().counters().last_error;
  }

  dispatch::Dispatcher dispatcher{dispatch::DispatcherOptions{}};
};

TEST_F(Dispatcher, ChoosesIntoTheDestination) {
  const std::string select = "local r = KSR.dispatcher.ds_select_dst(1, 8)";
  EXPECT_EQ(evaluate("r", select), "1");
  EXPECT_EQ(evaluate("KSR.pv.get('$du')", select), "sip:127.0.0.1:7001");
  EXPECT_EQ(evaluate("KSR.pv.get('$xavp(_dsdst_=>attrs)')", select), "name=a");
  EXPECT_EQ(evaluate("KSR.pv.get('$xavp(_dsdst_=>grp)')", select), "1");
  EXPECT_EQ(evaluate("KSR.pv.get('$xavp(_dsdst_[1]=>uri)')", select), "sip:127.0.0.1:7002");
  EXPECT_EQ(evaluate("KSR.pv.get('$ru')", select), "sip:bob@192.0.2.1:5070");
}

TEST_F(Dispatcher, ChoosesIntoTheRequestUri) {
  EXPECT_EQ(evaluate("KSR.pv.get('$ru')", "KSR.dispatcher.ds_select_domain(1, 8)"), "sip:bob@127.0.0.1:7001");
  EXPECT_EQ(evaluate("KSR.pv.get('$ru')", "KSR.dispatcher.ds_select_domain(1, 8) KSR.dispatcher.ds_next_domain()"),
            "sip:bob@127.0.0.1:7002");
  EXPECT_EQ(evaluate("KSR.pv.get('$du')", "KSR.dispatcher.ds_select(1, 8) assert(not KSR.isdsturiset()) KSR.dispatcher.ds_set_dst()"),
            "sip:127.0.0.1:7001");
}

TEST_F(Dispatcher, DestinationSaysFromWhichSocket) {
  EXPECT_EQ(evaluate("KSR.pv.get('$fs')", "KSR.dispatcher.ds_select_dst(7, 8)"), "udp:127.0.0.1:5060");
  EXPECT_EQ(evaluate("KSR.pv.get('$fs')", "KSR.dispatcher.ds_select_dst(1, 8)"), "nil");
  EXPECT_EQ(evaluate("KSR.pv.get('$fs')", "KSR.dispatcher.ds_select(7, 8) KSR.dispatcher.ds_set_dst()"), "udp:127.0.0.1:5060");
  EXPECT_EQ(evaluate("KSR.pv.get('$du')", "KSR.dispatcher.ds_select_dst(7, 8) KSR.dispatcher.ds_next_dst()"), "sip:127.0.0.1:7002")
      << "by another socket than the one it asks for, which we have not";
}

TEST_F(Dispatcher, GoesThroughTheCandidatesOnce) {
  const std::string all =
      "local text = ''\nlocal r = KSR.dispatcher.ds_select_dst(1, 8)\n"
      "while r > 0 do text = text .. KSR.pv.get('$dp') .. ' ' r = KSR.dispatcher.ds_next_dst() end";
  EXPECT_EQ(evaluate("text", all), "7001 7002 7003 ");
  dispatcher.set_state(1, "sip:127.0.0.1:7002", dispatch::state::inactive);
  EXPECT_EQ(evaluate("text", all), "7001 7003 ");
  EXPECT_EQ(evaluate("text",
                     "local text = ''\nlocal r = KSR.dispatcher.ds_select_dst_limit(1, 8, 1)\n"
                     "while r > 0 do text = text .. KSR.pv.get('$dp') .. ' ' r = KSR.dispatcher.ds_next_dst() end"),
            "7001 ");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_next_dst()"), "-1");
}

TEST_F(Dispatcher, SaysWhatItCannot) {
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_select_dst(9, 4)"), "-1");
  EXPECT_THAT(evaluate("KSR.dispatcher.ds_select_dst(1, 7)"), HasSubstr("there is no algorithm 7"));
  EXPECT_THAT(evaluate("KSR.dispatcher.ds_mark_dst('zz')"), HasSubstr("\"zz\" is no state"));
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_mark_dst()"), "-1") << "nothing is in use";
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_list_exists(2) - KSR.dispatcher.ds_list_exists(3)"), "2");
}

TEST_F(Dispatcher, MarksTheOneInUse) {
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_mark_dst_state('ip')", "KSR.dispatcher.ds_select_dst(1, 8) KSR.dispatcher.ds_next_dst()"), "1");
  EXPECT_EQ(dispatcher.flags(1, "sip:127.0.0.1:7002"), dispatch::state::inactive | dispatch::state::probing);
  EXPECT_EQ(dispatcher.flags(1, "sip:127.0.0.1:7001"), 0);
}

TEST_F(Dispatcher, KnowsItsGateways) {
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_is_from_list(1)", {}, at(7003)), "1");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_is_from_list(2)", {}, at(7003)), "-1");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_is_from_list(-1)", {}, at(7003)), "1");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_is_from_lists()", {}, at(7009)), "-1");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_is_from_list_mode(1, 3)", {}, at(7009)), "1");
}

TEST_F(Dispatcher, CountsCalls) {
  EXPECT_EQ(evaluate("KSR.pv.get('$dp')", "KSR.dispatcher.ds_select_dst(2, 10)"), "7001");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_load_unset()"), "1");
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_load_unset()"), "-1");
  // Failover moves the call.
  EXPECT_EQ(evaluate("KSR.dispatcher.ds_next_dst()", "KSR.dispatcher.ds_select_dst(2, 10)"), "1");
  for (const auto& one : dispatcher.view())
    EXPECT_EQ(one.load, one.set == 2 && one.uri == "sip:127.0.0.1:7002" ? 1U : 0U) << one.set << one.uri;
}

TEST(EmbeddedScript, ProxiesToNumericHostsOnly) {
  Bench bench{std::string(embedded_script())};
  auto sent = bench.receive(Request{.uri = "sip:bob@127.0.0.1:7001"});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->to, at(7001));
  EXPECT_THAT(invite->header("Record-Route"), HasSubstr("<sip:127.0.0.1;lr"));
  sent = bench.receive(Request{.method = "CANCEL", .uri = "sip:bob@127.0.0.1:7001"});
  EXPECT_TRUE(first(sent, "SIP/2.0 200 "));
  struct {
    const char *method, *uri, *answer;
  } const rows[] = {{"INVITE", "sip:bob@example.org", "SIP/2.0 404 Not Found"},
                    {"INVITE", "sip:bob@127.0.0.1:5060", "SIP/2.0 404 Not Found"},
                    {"OPTIONS", "sip:127.0.0.1:5060", "SIP/2.0 200 OK"},
                    {"REGISTER", "sip:127.0.0.1:5060", "SIP/2.0 404 Not Found"}};
  int id = 0;
  for (const auto& row : rows) {
    sent = bench.receive(Request{.method = row.method, .uri = row.uri, .branch = "z9hG4bK-x" + std::to_string(++id)});
    ASSERT_THAT(sent, SizeIs(1)) << row.method << " " << row.uri;
    EXPECT_EQ(sent[0].line(), row.answer) << row.method << " " << row.uri;
  }
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

}  // namespace
}  // namespace perdure::script

// Scripts that route: what leaves, what comes back, and what survives.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string file(const std::string& name) {
  std::ifstream in(std::string(PERDURE_SOURCE_DIR) + "/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::unique_ptr<dispatch::Dispatcher> gateways(const std::string& list, std::uint32_t threshold = 1) {
  dispatch::DispatcherOptions options;
  options.probing_threshold = threshold;
  auto dispatcher = std::make_unique<dispatch::Dispatcher>(options);
  auto parsed = dispatch::parse_list(list, "dispatcher.list");
  EXPECT_TRUE(parsed);
  dispatcher->replace(std::move(*parsed));
  return dispatcher;
}

const char* const three = "1 sip:127.0.0.1:7001 0 0 name=a\n1 sip:127.0.0.1:7002 0 0 name=b\n1 sip:127.0.0.1:7003\n";

// ---- messages as they leave ----

TEST(Routing, EditsAreInTheForwardedRequest) {
  Bench bench(
      "function ksr_request_route()\n"
      "  KSR.hdr.append('X-Last: 1')\n  KSR.hdr.insert('X-First: 1\\r\\n')\n  KSR.hdr.rmappend('User-Agent', 'User-Agent: hidden\\r\\n')\n"
      "  KSR.hdr.append_after('X-After: 1\\r\\n', 'Contact')\n  KSR.hdr.insert_before('X-Before: 1\\r\\n', 'Contact')\n"
      "  KSR.rr.record_route()\n  KSR.rr.add_rr_param(';lb=yes')\n  KSR.setuser('carol')\n  KSR.setdsturi('sip:127.0.0.1:7009')\n"
      "  KSR.force_rport()\n  KSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(Request{});
  ASSERT_TRUE(first(sent, "SIP/2.0 100 "));
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->line(), "INVITE sip:carol@192.0.2.1:5070 SIP/2.0");
  EXPECT_EQ(invite->to, at(7009));
  EXPECT_EQ(invite->header("X-Last"), "1");
  EXPECT_EQ(invite->header("User-Agent"), "hidden");
  EXPECT_EQ(invite->header("Record-Route"), "<sip:127.0.0.1;lr;ftag=from1;lb=yes>");
  EXPECT_EQ(invite->header("Max-Forwards"), "69");
  EXPECT_THAT(invite->bytes, HasSubstr("X-Before: 1\r\nContact: <sip:alice@127.0.0.1:6000>\r\nX-After: 1\r\n"));
  EXPECT_LT(invite->bytes.find("X-First"), invite->bytes.find("From:"));
  EXPECT_THAT(invite->bytes, HasSubstr("branch=z9hG4bK-1;rport=6000\r\n"));
}

TEST(Routing, RemovedRouteIsNotFollowed) {
  Bench bench("function ksr_request_route() KSR.hdr.remove('Route') KSR.tm.t_relay() end");
  Request request{.uri = "sip:bob@127.0.0.1:7001"};
  request.headers += "Route: <sip:127.0.0.1:9999;lr>, <sip:127.0.0.1:9998;lr>\r\n";
  const auto sent = bench.receive(request);
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->to, at(7001));
  EXPECT_EQ(invite->header("Route"), "");
}

TEST(Routing, InDialogRequestsFollowTheirRoute) {
  Bench bench(
      "function ksr_request_route()\n  local found = KSR.rr.loose_route()\n"
      "  KSR.hdr.append('X-Way: ' .. found .. KSR.rr.is_direction('downstream') .. KSR.rr.is_direction('upstream') .. "
      "KSR.rr.check_route_param('lb=y') .. '\\r\\n')\n  KSR.tm.t_relay()\nend");
  Request bye{.method = "BYE", .uri = "sip:bob@127.0.0.1:7001", .to_tag = "to1"};
  bye.headers += "Route: <sip:127.0.0.1;lr;ftag=from1;lb=yes>\r\n";
  auto sent = bench.receive(bye);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].to, at(7001));
  EXPECT_EQ(sent[0].header("X-Way"), "11-11");
  EXPECT_EQ(sent[0].header("Route"), "");
  // The callee hangs up: its From tag is the other one.
  bye.branch = "z9hG4bK-2";
  bye.headers = "Max-Forwards: 70\r\nRoute: <sip:127.0.0.1;lr;ftag=other>\r\n";
  sent = bench.receive(bye);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].header("X-Way"), "1-11-1");
}

TEST(Routing, ForwardsWithoutATransaction) {
  Bench bench("function ksr_request_route() KSR.seturi('sip:127.0.0.1:7001') KSR.forward() end");
  const auto sent = bench.receive(Request{});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_TRUE(sent[0].is("INVITE sip:127.0.0.1:7001 "));
  EXPECT_EQ(bench.proxy().open_transactions(), 0U);
}

TEST(Routing, RepliesCarryTheirHeaders) {
  Bench bench("function ksr_request_route() KSR.hdr.append_to_reply('Retry-After: 9\\r\\n') KSR.tm.t_reply(480, 'Later') end");
  const auto sent = bench.receive(Request{});
  const auto* reply = first(sent, "SIP/2.0 480 Later");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header("Retry-After"), "9");
  EXPECT_EQ(bench.proxy().open_transactions(), 1U);
}

TEST(Routing, ErrorOfRelayIsAnsweredOnce) {
  Bench bench("function ksr_request_route() if KSR.tm.t_relay() < 0 then KSR.sl.sl_reply_error() end end");
  const auto sent = bench.receive(Request{.uri = "sip:bob@no.such.host"});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 478 Unresolvable destination");
}

TEST(Routing, SanityAnswersWhatIsMalformed) {
  Bench bench("function ksr_request_route() if KSR.sanity.sanity_check(17895 + 512, 7) > 0 then KSR.sl.send_reply(200, 'OK') end end");
  Request request;
  request.headers += "Proxy-Require: foo, bar\r\n";
  auto sent = bench.receive(request);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 420 Bad Extension");
  EXPECT_EQ(sent[0].header("Unsupported"), "foo, bar");
  request = {.branch = "z9hG4bK-2"};
  request.headers += "Expires: soon\r\n";
  sent = bench.receive(request);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 400 Bad Expires Header");
}

// ---- callbacks ----

TEST(Routing, BranchRouteChangesOneBranchOnly) {
  Bench bench(
      "function each()\n  local index = KSR.pv.get('$T_branch_idx')\n  KSR.hdr.append('X-Branch: ' .. index .. '\\r\\n')\n"
      "  if index == 1 then KSR.setuser('second') end\n  KSR.pv.seti('$avp(seen)', index)\nend\n"
      "function ksr_request_route()\n  KSR.seturi('sip:a@127.0.0.1:7001')\n  KSR.corex.append_branch_uri('sip:b@127.0.0.1:7002')\n"
      "  KSR.tm.t_on_branch('each')\n  KSR.tm.t_on_failure('failed')\n  KSR.pv.sets('$avp(seen)', 'none')\n  KSR.tm.t_relay()\nend\n"
      "function failed()\n  KSR.tm.t_reply(433, 'Saw ' .. KSR.pv.get('$avp(seen)') .. KSR.pv.get('$(avp(seen)[2])'))\nend\n");
  const auto sent = bench.receive(Request{});
  const auto* one = first(sent, "INVITE sip:a@127.0.0.1:7001");
  const auto* two = first(sent, "INVITE sip:second@127.0.0.1:7002");
  ASSERT_TRUE(one && two) << bench.runner().counters().last_error;
  EXPECT_EQ(one->header("X-Branch"), "0");
  EXPECT_EQ(two->header("X-Branch"), "1");
  // What the branch route set is there in the failure route.
  bench.answer(*one, 486);
  const auto answered = bench.answer(*two, 486);
  EXPECT_TRUE(first(answered, "SIP/2.0 433 Saw 1none")) << bench.runner().counters().last_error;
}

TEST(Routing, BranchFlagsAndRouteParametersInAllCallbacks) {
  Bench bench(
      "function each() KSR.hdr.append('X-Branch: ' .. KSR.rr.check_route_param('a') .. tostring(KSR.isbflagset(6))) end\n"
      "function replied() KSR.hdr.append('X-Reply: ' .. KSR.rr.check_route_param('a') .. tostring(KSR.isbflagset(6))) KSR.setbflag(7) end\n"
      "function failed() KSR.tm.t_reply(433, tostring(KSR.isbflagset(6)) .. tostring(KSR.isbflagset(7)) .. tostring(KSR.isbflagset(5))) "
      "end\n"
      "function ksr_reply_route() KSR.isbflagset(6) end\n"
      "function ksr_request_route()\n  KSR.seturi('sip:a@127.0.0.1:7001')\n  KSR.setbflag(6)\n  KSR.tm.t_on_branch('each')\n"
      "  KSR.tm.t_on_reply('replied')\n  KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->header("X-Branch"), "-1true");
  const Sent one = *invite;
  const auto ringing = bench.answer(one, 180);
  const auto* provisional = first(ringing, "SIP/2.0 180");
  ASSERT_TRUE(provisional);
  EXPECT_EQ(provisional->header("X-Reply"), "-1true");
  EXPECT_TRUE(first(bench.answer(one, 486), "SIP/2.0 433 truetruefalse")) << bench.runner().counters().last_error;
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(Routing, DroppedBranchIsNotSent) {
  Bench bench(
      "function each() if KSR.pv.get('$rU') == 'b' then KSR.x.drop() end end\n"
      "function ksr_request_route()\n  KSR.seturi('sip:a@127.0.0.1:7001')\n  KSR.corex.append_branch_uri('sip:b@127.0.0.1:7002')\n"
      "  KSR.tm.t_on_branch('each')\n  KSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(Request{});
  EXPECT_TRUE(first(sent, "INVITE sip:a@"));
  EXPECT_FALSE(first(sent, "INVITE sip:b@"));
}

TEST(Routing, ErrorInABranchRouteIsNotOneOfTheRelay) {
  Bench bench(
      "function each() KSR.pv.get('$nosuch') end\n"
      "function ksr_request_route()\n  KSR.seturi('sip:a@127.0.0.1:7001')\n  KSR.tm.t_on_branch('each')\n  "
      "KSR.setflag(KSR.tm.t_relay())\nend");
  const auto sent = bench.receive(Request{});
  EXPECT_TRUE(first(sent, "INVITE sip:a@"));
  EXPECT_TRUE(first(sent, "SIP/2.0 100 "));
  EXPECT_FALSE(first(sent, "SIP/2.0 500 "));
  EXPECT_EQ(bench.runner().counters().errors, 1U);
  EXPECT_EQ(bench.runner().counters().last_error, "default.lua:1: KSR.pv.get: \"$nosuch\" is not known");
}

TEST(Routing, LowerQIsTriedLater) {
  Bench bench(
      "function ksr_request_route()\n  KSR.seturi('sip:a@127.0.0.1:7001')\n"
      "  KSR.corex.append_branch_uri_q('sip:b@127.0.0.1:7002', '0.5')\n  KSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(Request{});
  const auto* one = first(sent, "INVITE sip:a@");
  ASSERT_TRUE(one);
  EXPECT_FALSE(first(sent, "INVITE sip:b@"));
  EXPECT_TRUE(first(bench.answer(*one, 486), "INVITE sip:b@127.0.0.1:7002"));
}

TEST(Routing, ReplyRoutesSeeAndDropReplies) {
  Bench bench(
      "function ksr_request_route() KSR.seturi('sip:127.0.0.1:7001') KSR.tm.t_on_reply('replied') KSR.tm.t_relay() end\n"
      "function ksr_reply_route()\n  if KSR.pv.get('$rs') == 183 then KSR.x.drop() end\n  KSR.hdr.append('X-Main: ' .. KSR.kx.get_method() "
      ".. "
      "'\\r\\n')\nend\n"
      "function replied()\n  if KSR.tm.t_check_status('1[0-9][0-9]') > 0 then KSR.hdr.append('X-Seen: ' .. KSR.pv.get('$T_reply_code') .. "
      "KSR.pv.get('$rr') .. '\\r\\n') end\nend\n");
  const auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_THAT(bench.answer(*invite, 183), IsEmpty());
  auto ringing = bench.answer(*invite, 180, "Ringing");
  ASSERT_THAT(ringing, SizeIs(1));
  EXPECT_EQ(ringing[0].header("X-Seen"), "180Ringing");
  EXPECT_EQ(ringing[0].header("X-Main"), "INVITE");
  const auto answered = bench.answer(*invite, 200, "OK");
  ASSERT_THAT(answered, SizeIs(1));
  EXPECT_EQ(answered[0].header("X-Seen"), "");
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST(Routing, VariablesSurviveARestart) {
  Bench bench(
      "function ksr_request_route()\n  KSR.seturi('sip:127.0.0.1:7001')\n  KSR.pv.sets('$avp(name)', 'v')\n  KSR.pv.seti('$avp(name)', "
      "42)\n"
      "  KSR.pv.sets('$xavp(x=>field)', 'deep')\n  KSR.pv.sets('$xavp(x[0]=>field)', 'er')\n  KSR.pv.sets('$xavu(u)', 'one')\n"
      "  KSR.pv.sets('$xavi(I=>f)', 'i')\n  KSR.setflag(5)\n  KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\nend\n"
      "function failed()\n  local all = KSR.pv.get('$avp(name)') .. KSR.pv.get('$(avp(name)[1])') .. KSR.pv.get('$xavp(x=>field[1])') .. "
      "KSR.pv.get('$xavp(x=>field)') .. KSR.pv.get('$xavu(u)') .. KSR.pv.get('$xavi(i=>F)') .. "
      "tostring(KSR.isflagset(5)) .. KSR.pv.get('$T_reply_code') .. KSR.pv.get('$rd')\n  KSR.tm.t_reply(433, all)\nend\n");
  const auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  bench.start();
  const auto answered = bench.answer(*invite, 503);
  EXPECT_TRUE(first(answered, "SIP/2.0 433 42vdeeperoneitrue503127.0.0.1")) << bench.runner().counters().last_error;
}

TEST(Routing, ReplyRouteKeepsItsVariablesAndTheEditsOfTheRequest) {
  Bench bench(
      "function ksr_request_route()\n  KSR.seturi('sip:127.0.0.1:7001')\n  KSR.hdr.append('X-Edit: 1')\n  KSR.add_local_rport()\n"
      "  KSR.pv.sets('$avp(first)', 'f')\n  KSR.tm.t_on_reply('replied')\n  KSR.tm.t_on_failure('failed')\n  KSR.tm.t_relay()\nend\n"
      "function replied() if KSR.pv.get('$rs') == 180 then KSR.pv.sets('$avp(rang)', KSR.pv.get('$avp(first)') .. 'yes') end end\n"
      "function failed() KSR.seturi('sip:' .. KSR.pv.get('$avp(rang)') .. '@127.0.0.1:7002') KSR.tm.t_relay() end\n");
  auto sent = bench.receive(Request{});
  const auto* invite = first(sent, "INVITE ");
  ASSERT_TRUE(invite);
  EXPECT_TRUE(invite->header("Via").ends_with(";rport")) << invite->bytes;
  const Sent one = *invite;
  bench.answer(one, 180);
  bench.start();
  sent = bench.answer(one, 486);
  invite = first(sent, "INVITE sip:fyes@127.0.0.1:7002 ");
  ASSERT_TRUE(invite) << bench.runner().counters().last_error;
  EXPECT_EQ(invite->header("X-Edit"), "1");
  EXPECT_TRUE(invite->header("Via").ends_with(";rport"));
}

TEST(Routing, VariablesAreBounded) {
  Bench bench("function ksr_request_route()\n  for i = 1, 1000 do\n    KSR.pv.seti('$avp(n)', i)\n  end\nend");
  bench.receive(Request{});
  EXPECT_THAT(bench.runner().counters().last_error, HasSubstr("default.lua:3: KSR.pv.seti: too many variables"));
}

// ---- etc/routes.lua ----

class LoadBalancer : public testing::Test {
 protected:
  std::unique_ptr<dispatch::Dispatcher> dispatcher = gateways(three);
  Bench bench{file("etc/routes.lua"), dispatcher.get()};

  // Sends an INVITE, gives what went to the gateway.
  Sent call(const std::string& id = "1") {
    sent = bench.receive(Request{.uri = "sip:bob@127.0.0.1:5060", .call_id = "call-" + id, .branch = "z9hG4bK-" + id});
    const auto* invite = first(sent, "INVITE ");
    EXPECT_TRUE(invite) << bench.runner().counters().last_error;
    return invite ? *invite : Sent{};
  }
  std::vector<Sent> sent;
};

TEST_F(LoadBalancer, TakesGatewaysInTurn) {
  EXPECT_EQ(call("1").to, at(7001));
  EXPECT_EQ(call("2").to, at(7002));
  EXPECT_EQ(call("3").to, at(7003));
  EXPECT_EQ(call("4").to, at(7001));
  EXPECT_EQ(bench.runner().counters().errors, 0U);
}

TEST_F(LoadBalancer, FailsOverOnServerErrorsAlsoAfterARestart) {
  auto invite = call();
  for (const int next : {7002, 7003}) {
    bench.start();
    bench.answer(invite, 180);
    const auto out = bench.answer(invite, 503);
    EXPECT_TRUE(first(out, "ACK "));
    const auto* again = first(out, "INVITE ");
    ASSERT_TRUE(again) << bench.runner().counters().last_error;
    EXPECT_EQ(again->to, at(next));
    EXPECT_NE(again->header("Via"), invite.header("Via"));
    invite = *again;
  }
  bench.start();
  const auto out = bench.answer(invite, 503);
  EXPECT_FALSE(first(out, "INVITE "));
  EXPECT_TRUE(first(out, "SIP/2.0 500 "));  // RFC 3261 16.7 item 6: a 503 is not passed on
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST_F(LoadBalancer, PassesOnWhatIsAnAnswer) {
  int id = 0;
  for (const int code : {486, 404, 603, 600, 302}) {
    const auto invite = call(std::to_string(++id));
    const auto out = bench.answer(invite, code);
    EXPECT_FALSE(first(out, "INVITE ")) << code;
    EXPECT_TRUE(first(out, "SIP/2.0 " + std::to_string(code))) << code;
  }
}

TEST_F(LoadBalancer, GoesOnAfterATimeoutAndMarksTheGateway) {
  call();
  const auto out = bench.advance(33s);
  const auto* again = first(out, "INVITE sip:bob@127.0.0.1:5060");
  ASSERT_TRUE(again);
  bool second = false;
  for (const auto& one : out) second |= one.is("INVITE ") && one.to == at(7002);
  EXPECT_TRUE(second);
  EXPECT_EQ(dispatcher->flags(1, "sip:127.0.0.1:7001"), dispatch::state::inactive | dispatch::state::probing);
  EXPECT_EQ(dispatcher->flags(1, "sip:127.0.0.1:7002"), 0);
  // The next calls leave it out.
  EXPECT_EQ(call("2").to, at(7002));
  EXPECT_EQ(call("3").to, at(7003));
  EXPECT_EQ(call("4").to, at(7002));
}

TEST_F(LoadBalancer, CancelledCallIsNotTriedElsewhere) {
  const auto invite = call();
  bench.answer(invite, 180);
  bench.start();
  const auto out = bench.receive(Request{.method = "CANCEL", .uri = "sip:bob@127.0.0.1:5060"});
  EXPECT_TRUE(first(out, "SIP/2.0 200 "));
  const auto* cancel = first(out, "CANCEL ");
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->to, at(7001));
  EXPECT_EQ(cancel->header("Via"), invite.header("Via"));
  const auto ended = bench.answer(invite, 503);
  EXPECT_FALSE(first(ended, "INVITE "));
  EXPECT_TRUE(first(ended, "SIP/2.0 ")) << "the caller gets a final response";
}

TEST_F(LoadBalancer, DeadSetIs503) {
  for (const char* uri : {"sip:127.0.0.1:7001", "sip:127.0.0.1:7002", "sip:127.0.0.1:7003"})
    dispatcher->set_state(1, uri, dispatch::state::inactive);
  const auto out = bench.receive(Request{.uri = "sip:bob@127.0.0.1:5060"});
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].line(), "SIP/2.0 503 Service Unavailable");
  EXPECT_EQ(out[0].header("Retry-After"), "5");
}

TEST_F(LoadBalancer, AnswersWhatIsNoCall) {
  auto out = bench.receive(Request{.method = "OPTIONS", .uri = "sip:127.0.0.1:5060"});
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].line(), "SIP/2.0 200 OK");
  out = bench.receive(Request{.method = "REGISTER", .uri = "sip:127.0.0.1:5060", .branch = "z9hG4bK-2"});
  EXPECT_EQ(out[0].line(), "SIP/2.0 405 Method Not Allowed");
  out = bench.receive(Request{.method = "BYE", .uri = "sip:127.0.0.1:5060", .branch = "z9hG4bK-3", .to_tag = "x"});
  EXPECT_EQ(out[0].line(), "SIP/2.0 404 Not Here");
  Request tired{.branch = "z9hG4bK-4"};
  tired.headers = "Max-Forwards: 0\r\n";
  EXPECT_EQ(bench.receive(tired)[0].line(), "SIP/2.0 483 Too Many Hops");
  EXPECT_THAT(bench.receive(Request{.method = "ACK", .branch = "z9hG4bK-5"}), IsEmpty());
}

TEST_F(LoadBalancer, DialogEndsThroughUs) {
  const auto invite = call();
  const auto answered = bench.answer(invite, 200, "OK", "Contact: <sip:bob@127.0.0.1:7001>\r\n");
  ASSERT_TRUE(first(answered, "SIP/2.0 200 "));
  const std::string route = "Max-Forwards: 70\r\nRoute: " + answered[0].header("Record-Route") + "\r\n";
  Request ack{.method = "ACK", .uri = "sip:bob@127.0.0.1:7001", .branch = "z9hG4bK-ack", .to_tag = "to1", .headers = route};
  auto out = bench.receive(ack);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].to, at(7001));
  Request bye{.method = "BYE", .uri = "sip:bob@127.0.0.1:7001", .branch = "z9hG4bK-bye", .to_tag = "to1", .headers = route, .cseq = 8};
  out = bench.receive(bye);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].to, at(7001));
  EXPECT_TRUE(first(bench.answer(out[0], 200, "OK"), "SIP/2.0 200 "));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

TEST_F(LoadBalancer, RetransmissionIsAbsorbed) {
  call();
  const auto runs = bench.runner().counters().runs;
  const auto out = bench.receive(Request{.uri = "sip:bob@127.0.0.1:5060", .call_id = "call-1", .branch = "z9hG4bK-1"});
  EXPECT_FALSE(first(out, "INVITE "));
  EXPECT_EQ(bench.runner().counters().runs, runs);
}

}  // namespace
}  // namespace perdure::script

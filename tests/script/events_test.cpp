// Callbacks that no message leads to, and the one for requests of our own.
#include <gmock/gmock.h>

#include "bench.hpp"

namespace perdure::script {
namespace {

TEST(Events, HaveANameAndAMessageOfTheirOwn) {
  Bench bench(
      "local seen = 'nothing'\nfunction ksr_request_route() KSR.sl.send_reply(200, seen) end\n"
      "function happened(event) seen = event .. ' ' .. KSR.kx.get_method() .. ' ' .. KSR.pv.get('$ru') .. ' ' .. KSR.pv.gete('$du') end\n");
  EXPECT_TRUE(bench.event({.route = "happened", .name = "dispatcher:dst-down", .uri = "sip:10.0.0.1:5070"}));
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 200 dispatcher:dst-down OPTIONS sip:10.0.0.1:5070 sip:10.0.0.1:5070"));
  EXPECT_TRUE(bench.event({.route = "happened", .name = "rtimer"}));
  EXPECT_TRUE(first(bench.receive(Request{.call_id = "2", .branch = "z9hG4bK-2"}), "SIP/2.0 200 rtimer OPTIONS sip:event@127.0.0.1:5060"));
}

TEST(Events, CannotAnswerOrRelay) {
  for (const char* call : {"KSR.sl.send_reply(200, 'OK')", "KSR.tm.t_relay()", "KSR.tm.t_newtran()", "KSR.forward()"}) {
    Bench bench(std::string("function ksr_request_route() end\nfunction happened() ") + call + " end\n");
    EXPECT_FALSE(bench.event({.route = "happened", .name = "rtimer"})) << call;
    EXPECT_THAT(bench.runner().counters().last_error, testing::HasSubstr("cannot be called in an event route"));
    EXPECT_EQ(bench.proxy().counters().script_errors, 1U);
  }
}

TEST(Events, SendRequests) {
  Bench bench(
      "function ksr_request_route() end\nfunction happened()\n"
      "  KSR.tm.t_uac_send('NOTIFY', 'sip:bob@127.0.0.1:7001', '', '', 'From: <sip:a@b>\\r\\nTo: <sip:c@d>\\r\\n', '')\nend\n");
  bool over = false;
  std::vector<Sent> sent;
  EXPECT_TRUE(bench.event({.route = "happened", .name = "rtimer", .on_end = [&over] { over = true; }}, &sent));
  EXPECT_TRUE(over);
  EXPECT_TRUE(first(sent, "NOTIFY sip:bob@127.0.0.1:7001"));
}

TEST(Events, AnErrorEndsThemToo) {
  Bench bench("function ksr_request_route() end\nfunction happened() error('no') end\n");
  bool over = false;
  EXPECT_FALSE(bench.event({.route = "happened", .name = "rtimer", .on_end = [&over] { over = true; }}));
  EXPECT_TRUE(over);
  EXPECT_FALSE(bench.event({.route = "missing", .name = "rtimer"}));
}

TEST(Events, FunctionsThatTheConfigurationNamesMustBeThere) {
  const auto checked =
      check_script({.path = {}, .text = "function ksr_request_route() end", .callbacks = {{"event_callback.core", "begin"}}});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "default.lua: there is no function begin, which event_callback.core names");
}

TEST(LocalRequests, AreSeenBeforeTheyLeave) {
  Bench bench(
      "function ksr_request_route()\n  KSR.sl.send_reply(200, KSR.tm.t_uac_send('NOTIFY', 'sip:bob@127.0.0.1:7001', '', '', "
      "'From: <sip:a@b>\\r\\nTo: <sip:c@d>\\r\\nX-Drop: ' .. KSR.pv.gete('$hdr(X-Drop)') .. '\\r\\n', 'body'))\nend\n"
      "function ours(event)\n  if KSR.pv.get('$hdr(X-Drop)') == 'yes' then KSR.x.drop() end\n"
      "  KSR.hdr.append('X-Event: ' .. event .. ' ' .. KSR.kx.get_method() .. '\\r\\n')\n  KSR.setuser('robert')\nend\n");
  bench.set_proxy = [](proxy::ProxyOptions& options) { options.local_request_route = "ours"; };
  bench.start();
  auto sent = bench.receive(Request{});
  const auto* notify = first(sent, "NOTIFY ");
  ASSERT_TRUE(notify);
  EXPECT_TRUE(notify->is("NOTIFY sip:robert@127.0.0.1:7001 "));
  EXPECT_EQ(notify->header("X-Event"), "tm:local-request NOTIFY");
  EXPECT_THAT(notify->bytes, testing::EndsWith("\r\n\r\nbody"));
  EXPECT_TRUE(first(sent, "SIP/2.0 200 1"));
  Request dropped{.call_id = "2", .branch = "z9hG4bK-2"};
  dropped.headers += "X-Drop: yes\r\n";
  sent = bench.receive(dropped);
  EXPECT_FALSE(first(sent, "NOTIFY "));
  EXPECT_TRUE(first(sent, "SIP/2.0 200 -1"));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
}

}  // namespace
}  // namespace perdure::script

// A call with three attempts one after the other and a device that registers while the third rings, routed by a script, cut at every write
// to the store and after every datagram: what the script had set is the same as without a death.
#include <gtest/gtest.h>

#include <memory>

#include "script/script_runner.hpp"
#include "sim/proxy_node.hpp"
#include "sim/user_agents.hpp"

namespace perdure::script {
namespace {

// The first gateway is busy, the second never answers (its time is the script's), the third rings and answers, the late one rings.
const char* const routes_text = R"(
local function uri(port) return 'sip:bob@127.0.0.1:' .. port end
function ksr_request_route()
  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end
  if KSR.is_REGISTER() then
    KSR.tsilo.ts_append('location', 'sip:bob@example.org')
    KSR.sl.sl_send_reply(200, 'OK')
    return
  end
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() > 0 then KSR.tm.t_relay() end
    return
  end
  KSR.rr.record_route()
  KSR.pv.sets('$avp(a)', 'first')
  KSR.pv.sets('$avp(a)', 'second')
  KSR.pv.seti('$avp(attempt)', 1)
  KSR.pv.sets('$xavp(x=>y)', 'z')
  KSR.setflag(3)
  KSR.setbflag(2)
  KSR.tm.t_on_branch('each')
  KSR.tm.t_on_reply('replied')
  KSR.tm.t_on_failure('next_one')
  KSR.tm.t_set_fr(9000, 3000)
  KSR.tm.t_set_retr(700, 1400)
  KSR.tsilo.ts_store_uri('sip:bob@example.org')
  KSR.seturi(uri(7001))
  KSR.corex.append_branch_uri_q(uri(7003), '0.2')
  KSR.corex.append_branch_uri_q(uri(7002), '0.5')
  KSR.tm.t_load_contacts()
  KSR.tm.t_next_contacts()
  KSR.tm.t_relay()
end
function each()
  local state = { KSR.pv.getw('$avp(a)'), KSR.pv.getw('$(avp(a)[1])'), KSR.pv.getw('$avp(attempt)'), KSR.pv.getw('$xavp(x=>y)'),
    tostring(KSR.isflagset(3)), tostring(KSR.isflagset(4)), tostring(KSR.isbflagset(2)), KSR.tm.t_is_set('branch_route'),
    KSR.tm.t_is_set('failure_route'), KSR.tm.t_is_set('onreply_route'), KSR.pv.getw('$T_branch_idx') }
  KSR.hdr.append('X-State: ' .. table.concat(state, ' ') .. '\r\n')
end
function replied()
  if KSR.tm.t_check_status('18[0-9]') > 0 then KSR.setflag(4) end
end
function next_one()
  KSR.pv.seti('$(avp(attempt)[*])', KSR.pv.get('$avp(attempt)') + 1)
  if KSR.tm.t_next_contacts() < 0 then return end
  KSR.tm.t_on_failure('next_one')
  KSR.tm.t_relay()
end
)";

SocketAddress address(int port) {
  return *SocketAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port));
}

struct Outcome {
  std::map<int, std::string> states;  // by port of the gateway: what the script saw as it sent the INVITE
  std::map<int, Duration> invited;    // since the begin
  std::set<std::uint16_t> finals;
  std::size_t dialogs = 0;
  bool late_canceled = false;
  std::uint64_t writes = 0, outputs = 0, starts = 0;
  std::vector<std::string> violations;
};

std::string header(const std::string& text, const std::string& name) {
  const auto at = text.find("\r\n" + name + ": ");
  return at == std::string::npos ? std::string() : text.substr(at + name.size() + 4, text.find("\r\n", at + 2) - at - name.size() - 4);
}

Outcome run(const sim::CrashPlan& plan) {
  using namespace std::chrono_literals;
  sim::Network network(1, {});
  sim::NodeOptions options;
  proxy::LocalSocket socket;
  socket.address = address(5060);
  socket.advertised_host = "127.0.0.1";
  socket.advertised_port = 5060;
  options.proxy.sockets = {socket};
  options.proxy.secret = 42;
  options.crashes = plan;
  sim::ProxyNode node(network, options, [](unsigned worker) {
    ScriptOptions script;
    script.text = routes_text;
    auto runner = ScriptRunner::create(script, worker, Random(1));
    EXPECT_TRUE(runner) << runner.error().message;
    return std::unique_ptr<proxy::RouteRunner>(std::move(*runner));
  });
  const Time begin = network.now();
  sim::Gateway busy(network, {address(7001), {{20ms, 486}}, false});
  sim::Gateway third(network, {address(7003), {{20ms, 180}, {3s, 200}}, false});
  sim::Gateway late(network, {address(7004), {{20ms, 180}}, false});
  network.attach(address(7002), [](const sim::Packet&) {});
  network.attach(address(6100), [](const sim::Packet&) {});
  network.after(5s, [&] {
    network.send(address(6100), address(5060),
                 "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6100;branch=z9hG4bKregister\r\n"
                 "From: <sip:bob@example.org>;tag=r\r\nTo: <sip:bob@example.org>\r\nCall-ID: register\r\nCSeq: 1 REGISTER\r\n"
                 "Max-Forwards: 70\r\nContact: <sip:bob@127.0.0.1:7004>\r\nContent-Length: 0\r\n\r\n");
  });
  sim::CallerOptions caller_options;
  caller_options.address = address(6000);
  caller_options.proxy = address(5060);
  sim::Caller caller(network, caller_options);
  caller.start();

  Outcome outcome;
  if (!network.run(begin + 10min)) outcome.violations.emplace_back("something still happens after ten minutes");
  for (const auto& packet : network.trace())
    if (packet.bytes.starts_with("INVITE ") && packet.from == address(5060)) {
      const auto [state, added] = outcome.states.emplace(packet.to.port, header(packet.bytes, "X-State"));
      if (added) outcome.invited[packet.to.port] = packet.at - begin;
      if (!added && state->second != header(packet.bytes, "X-State")) outcome.violations.emplace_back("two different INVITEs");
    }
  outcome.finals = caller.seen().finals;
  outcome.dialogs = caller.seen().answered.size();
  for (const auto* gateway : {&busy, &third, &late}) {
    for (const auto& violation : gateway->violations()) outcome.violations.push_back(violation);
    if (gateway->transactions().size() != 1) outcome.violations.emplace_back("a gateway saw other than one INVITE");
  }
  for (const auto& [branch, transaction] : late.transactions()) outcome.late_canceled = transaction.canceled;
  if (node.open_transactions()) outcome.violations.emplace_back("transactions are left");
  if (node.used_bytes()) outcome.violations.emplace_back("bytes are left in the store");
  outcome.writes = node.writes();
  outcome.outputs = node.outputs();
  outcome.starts = node.starts();
  return outcome;
}

void expect_same(const Outcome& outcome, const std::string& where) {
  const std::map<int, std::string> states = {{7001, "second first 1 z true false true 1 1 1 0"},
                                             {7002, "second first 2 z true false true 1 1 1 1"},
                                             {7003, "second first 3 z true false true 1 1 1 2"},
                                             {7004, "second first 3 z true true false 1 1 1 3"}};
  ASSERT_EQ(outcome.states, states) << where;
  ASSERT_TRUE(outcome.violations.empty()) << where << ": " << outcome.violations.front();
  ASSERT_EQ(outcome.finals, std::set<std::uint16_t>{200}) << where;
  ASSERT_EQ(outcome.dialogs, 1U) << where;
  ASSERT_TRUE(outcome.late_canceled) << where;
  // The time that the script gave the second one; a death sets the clock back to the input before, at most a retransmission ago.
  const auto waited = outcome.invited.at(7003) - outcome.invited.at(7002);
  ASSERT_GE(waited, 2990ms) << where;
  ASSERT_LE(waited, 4500ms) << where;
}

TEST(CrashPoint, WhatAScriptHasSetIsTheSameAfterADeathAtEveryWriteOfASerialCall) {
  const auto whole = run({});
  expect_same(whole, "no death");
  ASSERT_EQ(whole.starts, 1U);
  ASSERT_GT(whole.writes, 500U);
  for (std::uint64_t at = 0; at < whole.writes; ++at) {
    const auto outcome = run({.at_write = at});
    expect_same(outcome, "write " + std::to_string(at));
    if (HasFatalFailure()) return;
    ASSERT_EQ(outcome.starts, 2U) << at;
  }
}

TEST(CrashPoint, WhatAScriptHasSetIsTheSameAfterADeathAfterEveryDatagramOfASerialCall) {
  const auto whole = run({});
  for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
    expect_same(run({.at_output = at}), "output " + std::to_string(at));
    if (HasFatalFailure()) return;
  }
}

// A fork whose failed branch is replaced, with another From towards the callees, and accounted.
const char* const replaced_text = R"(
function ksr_request_route()
  if KSR.is_CANCEL() then KSR.tm.t_relay_cancel() return end
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() > 0 then KSR.tm.t_relay() end
    return
  end
  KSR.rr.record_route()
  KSR.setflag(1)
  KSR.uac.uac_replace_from_uri('sip:anonymous@anonymous.invalid')
  KSR.tm.t_on_branch_failure('one_failed')
  KSR.seturi('sip:bob@127.0.0.1:7001')
  KSR.corex.append_branch_uri('sip:bob@127.0.0.1:7002')
  KSR.tm.t_relay()
end
function one_failed()
  if KSR.tm.t_check_status('503') < 0 then return end
  KSR.seturi('sip:bob@127.0.0.1:7003')
  KSR.tm.t_relay()
end
)";

struct Replaced {
  std::uint64_t writes = 0, outputs = 0;
  std::vector<std::string> violations;
};

Replaced run_replaced(const sim::CrashPlan& plan) {
  using namespace std::chrono_literals;
  sim::Network network(1, {});
  sim::NodeOptions options;
  proxy::LocalSocket socket;
  socket.address = address(5060);
  socket.advertised_host = "127.0.0.1";
  socket.advertised_port = 5060;
  options.proxy.sockets = {socket};
  options.proxy.secret = 42;
  options.proxy.accounting.log_flag = 1;
  options.crashes = plan;
  sim::ProxyNode node(network, options, [](unsigned worker) {
    ScriptOptions script;
    script.text = replaced_text;
    auto runner = ScriptRunner::create(script, worker, Random(1));
    EXPECT_TRUE(runner) << runner.error().message;
    return std::unique_ptr<proxy::RouteRunner>(std::move(*runner));
  });
  sim::Gateway fails(network, {address(7001), {{20ms, 180}, {100ms, 503}}, false});
  sim::Gateway rings(network, {address(7002), {{20ms, 180}}, false});
  sim::Gateway answers(network, {address(7003), {{20ms, 180}, {200ms, 200}}, false});
  sim::CallerOptions caller_options;
  caller_options.address = address(6000);
  caller_options.proxy = address(5060);
  sim::Caller caller(network, caller_options);
  caller.start();

  Replaced outcome;
  const auto violation = [&](std::string text) { outcome.violations.push_back(std::move(text)); };
  if (!network.run(network.now() + 10min)) violation("something still happens after ten minutes");
  for (const auto& packet : network.trace()) {
    if (packet.from != address(5060)) continue;
    const bool to_caller = packet.to == address(6000);
    const auto from = header(packet.bytes, "From");
    if (from.starts_with(to_caller ? "<sip:alice@" : "<sip:anonymous@anonymous.invalid>")) continue;
    violation((to_caller ? "the caller saw " : "a gateway saw ") + from + " in " + packet.bytes.substr(0, packet.bytes.find('\r')));
  }
  if (caller.seen().finals != std::set<std::uint16_t>{200}) violation("the caller saw another final response");
  if (caller.seen().answered.size() != 1 || caller.seen().answered.begin()->second != 200) violation("the dialog did not end with its BYE");
  for (const auto* gateway : {&fails, &rings, &answers}) {
    for (const auto& text : gateway->violations()) violation(text);
    if (gateway->transactions().size() != 1) violation("a gateway saw other than one INVITE");
  }
  for (const auto& [branch, transaction] : rings.transactions())
    if (!transaction.canceled) violation("the second gateway rings on");
  // Whoever reads the log drops what has the same id.
  const std::set<std::string> lines(node.account_lines().begin(), node.account_lines().end());
  if (lines.size() != 1) violation(std::to_string(lines.size()) + " different lines of accounting");
  if (!lines.empty() && lines.begin()->find(";code=200;reason=") == std::string::npos) violation(*lines.begin());
  if (node.open_transactions() || node.used_bytes()) violation("something is left in the store");
  outcome.writes = node.writes();
  outcome.outputs = node.outputs();
  return outcome;
}

TEST(CrashPoint, ReplacedBranchesAddressesAndAccountingAreRightAfterADeathAnywhere) {
  const auto whole = run_replaced({});
  ASSERT_TRUE(whole.violations.empty()) << whole.violations.front();
  for (std::uint64_t at = 0; at < whole.writes; ++at) {
    const auto outcome = run_replaced({.at_write = at});
    ASSERT_TRUE(outcome.violations.empty()) << "write " << at << ": " << outcome.violations.front();
  }
  for (std::uint64_t at = 1; at <= whole.outputs; ++at) {
    const auto outcome = run_replaced({.at_output = at});
    ASSERT_TRUE(outcome.violations.empty()) << "output " << at << ": " << outcome.violations.front();
  }
}

}  // namespace
}  // namespace perdure::script

// The life of a run: its end, its limits, its errors, and the reload of a script.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bench.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ScriptFile {
 public:
  explicit ScriptFile(const std::string& text) {
    char folder[] = "/tmp/perdure-script-XXXXXX";
    if (mkdtemp(folder)) folder_ = folder;
    write(text);
  }
  ~ScriptFile() { std::filesystem::remove_all(folder_); }
  void write(const std::string& text, const std::string& name = "routes.lua") const { std::ofstream(folder_ + "/" + name) << text; }
  [[nodiscard]] std::string path() const { return folder_ + "/routes.lua"; }

 private:
  std::string folder_;
};

const char* const answers = "function ksr_request_route() KSR.sl.send_reply(200, 'OK') end\n";

std::string load_error(const std::string& text) {
  const auto checked = check_script({.path = {}, .text = text});
  return checked ? "none" : checked.error().message;
}

TEST(Script, EmbeddedScriptLoads) {
  EXPECT_TRUE(check_script({}));
  EXPECT_THAT(std::string(embedded_script()), HasSubstr("function ksr_request_route()"));
}

TEST(Script, CheckNamesFileAndLine) {
  EXPECT_EQ(load_error("function ksr_request_route(\n  foo\n"), "default.lua:3: ')' expected near '<eof>'");
  EXPECT_EQ(load_error("\n\nnothing.field = 1\n"), "default.lua:3: attempt to index global 'nothing' (a nil value)");
  EXPECT_EQ(load_error("x = 1\n"), "default.lua: there is no function ksr_request_route");
  EXPECT_EQ(load_error("coroutine.yield()"), "default.lua: the script yields while it is loaded");
  EXPECT_EQ(load_error("while true do end"), "default.lua:1: stopped: the script runs too long");
  EXPECT_EQ(check_script({.path = "/nonexistent/routes.lua", .text = {}}).error().message, "/nonexistent/routes.lua: cannot be read");
  const ScriptFile file("function ksr_request_route() end\nKSR.tm.t_relay()\n");
  EXPECT_EQ(check_script({.path = file.path(), .text = {}}).error().message,
            "routes.lua:2: KSR.tm.t_relay: there is no message outside of a callback");
}

TEST(Script, LogsWhileItIsLoaded) {
  EXPECT_EQ(load_error(std::string("KSR.info('loading')\n") + answers), "none");
}

TEST(Script, FindsItsModulesBesideIt) {
  const ScriptFile file("require('parts')\n");
  file.write(answers, "parts.lua");
  EXPECT_TRUE(check_script({.path = file.path(), .text = {}}));
}

TEST(Script, LibrariesThatLiftTheLimitsAreMissing) {
  EXPECT_EQ(
      load_error(
          std::string(
              "assert(jit == nil and ffi == nil and os.exit == nil and os.execute == nil and io.popen == nil and "
              "debug.sethook == nil and newproxy == nil)\nassert(not pcall(require, 'ffi'))\nassert(os.time() and debug.traceback and "
              "string.format)\n") +
          answers),
      "none");
}

TEST(Script, BytecodeIsRefused) {
  EXPECT_EQ(load_error("\x1bLJ\x02"), "default.lua: compiled Lua is not accepted");
}

TEST(Script, ExitEndsTheCallbackAndKeepsWhatItDid) {
  Bench bench(
      "function deep() KSR.sl.send_reply(200, 'OK') pcall(KSR.x.exit) end\nfunction ksr_request_route() deep() error('not here') end");
  for (int i = 0; i < 3; ++i) {
    const auto sent = bench.receive(Request{.branch = "z9hG4bK-" + std::to_string(i)});
    ASSERT_THAT(sent, SizeIs(1));
    EXPECT_EQ(sent[0].line(), "SIP/2.0 200 OK");
  }
  EXPECT_EQ(bench.runner().counters().errors, 0U);
  EXPECT_EQ(bench.runner().counters().runs, 3U);
}

TEST(Script, RunAwayIsStoppedAndTheWorkerLives) {
  for (const char* body :
       {"while true do end", "while true do pcall(function() while true do end end) end", "while true do KSR.pv.get('$ru') end",
        "local function f() return f() end f()", "for i = 1, 1e12 do local x = i * 2 end",
        "coroutine.wrap(function() while true do end end)()", "local t = {} while true do t[#t + 1] = string.rep('x', 1000) end"}) {
    Bench bench(std::string("local first = true\nfunction ksr_request_route()\nif first then first = false\n") + body +
                "\nend\nKSR.sl.send_reply(200, 'OK')\nend");
    auto sent = bench.receive(Request{});
    EXPECT_THAT(bench.runner().counters().last_error, HasSubstr("stopped: the script")) << body;
    EXPECT_THAT(bench.runner().counters().last_error, HasSubstr("default.lua:")) << body;
    ASSERT_THAT(sent, SizeIs(1)) << body;
    EXPECT_EQ(sent[0].line(), "SIP/2.0 500 Server Internal Error");
    sent = bench.receive(Request{.call_id = "call-2", .branch = "z9hG4bK-2"});
    ASSERT_THAT(sent, SizeIs(1)) << body;
    EXPECT_EQ(sent[0].line(), "SIP/2.0 200 OK");
  }
}

TEST(Script, HeapIsBounded) {
  const std::string script = "function ksr_request_route()\n  local t = {}\n  for i = 1, 1e5 do t[i] = string.rep('x', 1000) .. i end\nend";
  Bench bench(script);
  bench.options().memory_limit_bytes = 8 << 20;
  bench.start();
  const auto sent = bench.receive(Request{});
  EXPECT_EQ(bench.runner().counters().last_error, "default.lua:3: stopped: the script uses too much memory");
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 500 Server Internal Error");
}

// The counters of a script that got one request, with a heap of 8 MiB.
ScriptRunner::Counters counters_after(const std::string& script) {
  Bench bench(script);
  bench.options().memory_limit_bytes = 8 << 20;
  bench.start();
  bench.receive(Request{});
  return bench.runner().counters();
}

TEST(Script, OneCallCannotTakeTheWholeMemory) {
  EXPECT_EQ(counters_after("function ksr_request_route()\n  local text = string.rep('x', 1e9)\nend").last_error,
            "default.lua:2: stopped: the script uses too much memory");
  EXPECT_EQ(
      counters_after("function ksr_request_route()\n  local n = 0 while true do n = n + 1 local text = string.rep('x', 1e6) .. n end\nend")
          .last_error,
      "default.lua:2: stopped: the script uses too much memory")
      << "garbage counts, too";
  EXPECT_EQ(load_error(std::string("local text = string.rep('x', 1e9)\n") + answers),
            "default.lua:1: stopped: the script uses too much memory");
}

TEST(Script, CallsThatAreMuchWorkEachAreStopped) {
  static std::int64_t used_us = 0;
  Bench bench("function ksr_request_route()\n  while true do local text = string.rep('x', 1e5) end\nend");
  bench.options().processor_us = [] { return used_us += 10'000; };
  bench.start();
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 500 "));
  EXPECT_EQ(bench.runner().counters().last_error, "default.lua:2: stopped: the script runs too long");
  EXPECT_LT(used_us, 700'000) << "500 ms after the first check";
}

TEST(Script, AScriptCanGoOnWithoutWhatItWasRefused) {
  Bench bench("function ksr_request_route()\n  if not pcall(string.rep, 'x', 1e9) then KSR.sl.send_reply(200, 'OK') end\nend");
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 200 "));
  EXPECT_EQ(bench.runner().counters().errors, 0U);
}

TEST(Script, GarbageIsCollectedBeforeTheHeapIsFull) {
  // More than half of the heap is in use: Lua alone would let it grow to the double before it collects.
  Bench bench(
      "local held = {}\nfor i = 1, 5000 do held[i] = string.rep('x', 1000) .. i end\n"
      "function ksr_request_route()\n  for i = 1, 10 do local garbage = string.rep('y', 20000) .. KSR.pv.get('$ci') .. i end\n"
      "  KSR.sl.send_reply(200, 'OK')\nend");
  bench.options().memory_limit_bytes = 8 << 20;
  bench.start();
  for (int i = 0; i < 200; ++i) bench.receive(Request{.call_id = "call-" + std::to_string(i), .branch = "z9hG4bK-" + std::to_string(i)});
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
  EXPECT_EQ(bench.runner().counters().runs, 200U);
}

TEST(Script, ABranchRouteThatIsStoppedStopsNotTheCallbackThatRelays) {
  for (const char* trouble : {"while true do end", "local t = {} while true do t[#t + 1] = string.rep('x', 10000) .. #t end"}) {
    const auto counters = counters_after(std::string("function each() ") + trouble +
                                         " end\nfunction ksr_request_route()\nKSR.tm.t_on_branch('each')\nKSR.tm.t_relay()\n"
                                         "for i = 1, 1000 do local t = {i} end\nKSR.dbg('goes on')\nend");
    EXPECT_EQ(counters.errors, 1U) << trouble << ": " << counters.last_error;
    EXPECT_THAT(counters.last_error, HasSubstr("default.lua:1: stopped: the script"));
  }
}

TEST(Script, BudgetIsThatOfTheOutermostRun) {
  // The branch route runs inside t_relay: were its budget a new one, this would never end.
  Bench bench(
      "function each() for i = 1, 1e5 do end end\n"
      "function ksr_request_route()\nKSR.tm.t_on_branch('each')\nfor i = 1, 1e9 do KSR.corex.append_branch() KSR.tm.t_relay() end\nend");
  bench.receive(Request{});
  EXPECT_THAT(bench.runner().counters().last_error, HasSubstr("stopped: the script runs too long"));
}

TEST(Script, ErrorAfterTheTransactionWasMadeIsAnsweredWithIt) {
  Bench bench("function ksr_request_route() KSR.tm.t_newtran() error('x') end");
  const auto sent = bench.receive(Request{});
  ASSERT_TRUE(first(sent, "SIP/2.0 500 "));
  // The transaction absorbs a retransmission with the same answer.
  const auto again = bench.receive(Request{});
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].line(), "SIP/2.0 500 Server Internal Error");
  EXPECT_EQ(bench.runner().counters().runs, 1U);
}

TEST(Script, KsrOfAnEarlierRunIsOfTheCurrentOne) {
  // What a script keeps of KSR is a function, not a message: it works on the message of the run in which it is called.
  Bench bench("local get\nfunction ksr_request_route() get = get or KSR.pv.get KSR.sl.send_reply(200, get('$ci')) end");
  bench.receive(Request{});
  const auto sent = bench.receive(Request{.call_id = "other", .branch = "z9hG4bK-2"});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 200 other");
}

TEST(Script, ReloadTakesTheNewScript) {
  const ScriptFile file(answers);
  Bench bench(answers);
  bench.options().path = file.path();
  bench.start();
  file.write("function ksr_request_route() KSR.sl.send_reply(404, 'New') end\n");
  ASSERT_TRUE(bench.runner().reload());
  const auto sent = bench.receive(Request{});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].line(), "SIP/2.0 404 New");
}

TEST(Script, ReloadWithAnErrorChangesNothing) {
  const ScriptFile file(answers);
  Bench bench(answers);
  bench.options().path = file.path();
  bench.start();
  for (const char* bad : {"function ksr_request_route(", "error('at load')", "x = 1", "while true do end"}) {
    file.write(bad);
    const auto reloaded = bench.runner().reload();
    ASSERT_FALSE(reloaded);
    EXPECT_THAT(reloaded.error().message, HasSubstr("routes.lua"));
    const auto sent = bench.receive(Request{});
    ASSERT_THAT(sent, SizeIs(1));
    EXPECT_EQ(sent[0].line(), "SIP/2.0 200 OK");
  }
  EXPECT_EQ(bench.runner().counters().reloads, 0U);
}

TEST(Script, CallbackThatIsGoneAfterAReloadIsAScriptError) {
  const ScriptFile file("function failed() end\nfunction ksr_request_route() KSR.tm.t_on_failure('failed') KSR.tm.t_relay() end\n");
  Bench bench(answers);
  bench.options().path = file.path();
  bench.start();
  const auto invite = bench.receive(Request{});
  const auto* forwarded = first(invite, "INVITE ");
  ASSERT_TRUE(forwarded);
  file.write(answers);
  ASSERT_TRUE(bench.runner().reload());
  const auto sent = bench.answer(*forwarded, 486);
  EXPECT_TRUE(first(sent, "ACK "));
  EXPECT_TRUE(first(sent, "SIP/2.0 500 "));
  EXPECT_EQ(bench.runner().counters().last_error, "routes.lua: there is no function failed");
}

TEST(Script, MemoryDoesNotGrow) {
  Bench bench(
      "function each() KSR.hdr.append('X-Branch: 1\\r\\n') end\n"
      "function ksr_request_route()\n"
      "  KSR.pv.sets('$avp(a)', KSR.pv.get('$ci'))\n"
      "  KSR.pv.sets('$var(a)', KSR.pv.get('$ci'))\n"
      "  if KSR.is_OPTIONS() then error('sometimes') end\n"
      "  KSR.sl.send_reply(404, 'Not Found')\n"
      "  KSR.x.exit()\n"
      "end\n");
  const auto run = [&](int from, int count) {
    for (int i = from; i < from + count; ++i)
      bench.receive(Request{
          .method = i % 3 == 0 ? "OPTIONS" : "INVITE", .call_id = "call-" + std::to_string(i), .branch = "z9hG4bK-" + std::to_string(i)});
  };
  run(0, 2000);
  std::size_t before = 0, after = 0;  // the collector works in cycles: compare the peaks of many
  for (int i = 0; i < 100; ++i) {
    run(2000 + i * 20, 20);
    before = std::max(before, bench.runner().memory_bytes());
  }
  run(4000, 16000);
  for (int i = 0; i < 100; ++i) {
    run(20000 + i * 20, 20);
    after = std::max(after, bench.runner().memory_bytes());
  }
  EXPECT_EQ(bench.runner().counters().runs, 22000U);
  EXPECT_LT(after, before * 5 / 4);
  EXPECT_LT(after, 4U << 20);
}

}  // namespace
}  // namespace perdure::script

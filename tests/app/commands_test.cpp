#include "app/commands.hpp"

#include <gtest/gtest.h>

#include "app/table.hpp"

namespace perdure::app {
namespace {

using admin::Json;

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"A", "LONG", "C"});
  table.add({"1", "2", "3"});
  table.add({"wide cell", "", "ü"});
  table.add({"ü", "x", ""});
  EXPECT_EQ(table.text(),
            "A          LONG  C\n"
            "1          2     3\n"
            "wide cell        ü\n"
            "ü          x\n");
}

TEST(Table, ControlCharactersDoNotReachTheTerminal) {
  Table table({"A"});
  table.add({"\x1b[2Jx\n\x7f"});
  EXPECT_EQ(table.text(), "A\n?[2Jx??\n");
}

TEST(Texts, UnitsFitTheSize) {
  EXPECT_EQ(uptime_text(59), "59 s");
  EXPECT_EQ(uptime_text(312), "5 min 12 s");
  EXPECT_EQ(uptime_text(7380), "2 h 3 min");
  EXPECT_EQ(uptime_text(349'200), "4 d 1 h");
  EXPECT_EQ(bytes_text(512), "512 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(3ULL << 30), "3.0 GiB");
  EXPECT_EQ(duration_text(850), "850 us");
  EXPECT_EQ(duration_text(1234), "1.2 ms");
  EXPECT_EQ(duration_text(2'500'000), "2.5 s");
}

TEST(Commands, ArgumentsAreJsonWhereTheyCanBe) {
  EXPECT_EQ(parse_argument("5"), Json(5));
  EXPECT_EQ(parse_argument("-1.5"), Json(-1.5));
  EXPECT_EQ(parse_argument("true"), Json(true));
  EXPECT_EQ(parse_argument("{\"a\":1}"), (Json{{"a", 1}}));
  EXPECT_EQ(parse_argument("s:5"), Json("5"));
  EXPECT_EQ(parse_argument("ip"), Json("ip"));
  EXPECT_EQ(parse_argument("sip:192.0.2.1:5060"), Json("sip:192.0.2.1:5060"));
  EXPECT_EQ(parse_argument(""), Json(""));
}

TEST(Commands, StatusNamesWhatHappened) {
  const Json status = Json::parse(R"({
    "version": "1.2.3", "uptime_s": 75, "serving": true, "workers": 2, "listen": ["udp:127.0.0.1:5060", "udp:[::1]:5060"],
    "pids": {"edge": 10, "engine": 11, "spare": 0}, "spare_error": "r.lua:3: broken", "engine_starts": 4,
    "last_start": {"recovered": 12, "dropped": 1, "redelivered": 2, "quarantined_messages": 1, "quarantined_records": 0,
                   "attach_us": 1200, "pause_us": 8000, "reason": "killed"},
    "transactions": 7, "store": {"used_bytes": 2048, "claimed_bytes": 131072, "max_bytes": 1048576},
    "script": {"runs": 100, "errors": 1, "reloads": 2, "last_error": "r.lua:9: oops"}})");
  EXPECT_EQ(status_text(status),
            "perdure 1.2.3  up 1 min 15 s, serving\n"
            "listen         udp:127.0.0.1:5060 udp:[::1]:5060\n"
            "workers        2\n"
            "processes      edge 10, engine 11, spare none\n"
            "no spare       r.lua:3: broken\n"
            "engine starts  4\n"
            "last start     12 open transactions in 1.2 ms, 1 damaged ones dropped, 2 messages done again, 1 in quarantine; pause 8.0 ms "
            "after the engine before it was killed\n"
            "transactions   7 open\n"
            "store          2.0 KiB used, 128.0 KiB claimed of 1.0 MiB\n"
            "script         100 runs, 1 errors, 2 reloads\n"
            "script error   r.lua:9: oops\n");
}

TEST(Commands, AnswersWithoutTheUsualMembersAreShownAsFarAsTheyGo) {
  for (const char* text : {"{}", "[]", "null", "5", R"({"pids":[],"listen":{},"store":7,"serving":"x"})"}) {
    EXPECT_NE(status_text(Json::parse(text)), "");
    EXPECT_EQ(gateways_text(Json::parse(text)), "no destinations\n");
  }
}

TEST(Commands, CallsAndGatewaysAreTables) {
  EXPECT_EQ(calls_text(Json::array()), "no calls in progress\n");
  EXPECT_EQ(calls_text(Json::parse(R"([{"age_ms": 61500, "method": "INVITE", "state": "Proceeding", "call_id": "abc@x",
              "request_uri": "sip:bob@example.org",
              "branches": [{"uri": "sip:b", "destination": "192.0.2.1:5060", "state": "Proceeding", "status": 180},
                           {"uri": "sip:b", "destination": "192.0.2.2:5060", "state": "Calling", "status": 0}]}])")),
            "AGE        METHOD  STATE       CALL-ID  REQUEST-URI          BRANCHES\n"
            "1 min 1 s  INVITE  Proceeding  abc@x    sip:bob@example.org  192.0.2.1:5060 Proceeding 180, 192.0.2.2:5060 Calling\n");
  EXPECT_EQ(gateways_text(Json::parse(R"({"NRSETS": 1, "RECORDS": [{"SET": {"ID": 1, "TARGETS": [{"DEST": {
              "URI": "sip:192.0.2.1", "FLAGS": "AP", "PRIORITY": 10, "FAILURES": 0, "LOAD": 3, "ATTRS": {"BODY": "weight=50"}}}]}}]})")),
            "SET  STATE  PRIORITY  FAILURES  LOAD  URI            ATTRIBUTES\n"
            "1    AP     10        0         3     sip:192.0.2.1  weight=50\n");
}

}  // namespace
}  // namespace perdure::app

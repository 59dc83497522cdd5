// Lists and hash tables of the real server that come from a database.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>

#include <chrono>
#include <functional>
#include <thread>

#include "server_process.hpp"

namespace perdure::app {
namespace {

class Lists : public testing::Test {
 protected:
  void sql(const std::string& statements) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(sandbox.path("lists.db").c_str(), &database), SQLITE_OK);
    (void)sqlite3_busy_timeout(database, 10'000);  // the server may be reading
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(database, statements.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(database);
  }
  void start(const std::string& sections) {
    sandbox.configure("", "[sql.db]\nurl = \"sqlite://" + sandbox.path("lists.db") + "\"\n" + sections);
    ASSERT_TRUE(sandbox.start());
  }
  nlohmann::json rpc(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "rpc");
    return nlohmann::json::parse(sandbox.command(arguments).out, nullptr, false);
  }
  std::string value(const std::string& key) {
    const auto got = rpc({"htable.get", "t", key});
    return got.is_object() && got.contains("item") ? got["item"]["value"].dump() : "none";
  }
  bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 500; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
  void stop() {
    EXPECT_EQ(sandbox.command({"stop"}).code, 0);
    EXPECT_EQ(sandbox.finish().code, 0);
  }

  Sandbox sandbox;
};

constexpr const char* htable_schema =
    "CREATE TABLE htable (id INTEGER PRIMARY KEY, key_name TEXT, key_type INT, value_type INT, key_value TEXT, expires INT);";

TEST_F(Lists, AHashTableBeginsWithARowsOfATable) {
  sql(std::string(htable_schema) +
      "INSERT INTO htable (key_name, key_type, value_type, key_value, expires) VALUES ('text', 0, 0, '12', 0), ('number', 0, 1, '12', 0),"
      "('gone', 0, 0, 'x', 1), ('soon', 0, 0, 'x', 9999999999), ('list', 1, 0, 'a', 0), ('list', 1, 0, 'b', 0);");
  start("[htable.t]\ndb = \"db\"\n");
  EXPECT_EQ(value("text"), "\"12\"");
  EXPECT_EQ(value("number"), "12");
  EXPECT_EQ(value("gone"), "none");
  EXPECT_EQ(value("soon"), "\"x\"");
  EXPECT_EQ(value("list[1]"), "\"b\"");
  EXPECT_EQ(value("list::size"), "2");

  sql("UPDATE htable SET key_value = '13' WHERE key_name = 'text'; DELETE FROM htable WHERE key_name = 'number';");
  EXPECT_EQ(sandbox.command({"rpc", "htable.seti", "t", "script", "1"}).code, 0);
  EXPECT_EQ(sandbox.command({"rpc", "htable.reload", "t"}).code, 0);
  EXPECT_EQ(value("text"), "\"13\"");
  EXPECT_EQ(value("number"), "none");
  EXPECT_EQ(value("script"), "none");

  sql("DROP TABLE htable;");
  const auto refused = sandbox.command({"rpc", "htable.reload", "t"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("[htable.t]: no such table: htable"), std::string::npos) << refused.err;
  EXPECT_EQ(value("text"), "\"13\"") << "an error changes nothing";
  stop();
}

TEST_F(Lists, AnEngineThatTakesOverHasWhatChangedMeanwhile) {
  sql("CREATE TABLE rates (prefix TEXT, rate INT); INSERT INTO rates VALUES ('49', 5), ('44', 6), ('1', 7);");
  start(
      "[htable.t]\ndb = \"db\"\ndb_table = \"rates\"\ndb_key = \"prefix\"\ndb_value = \"rate\"\ndb_value_type = \"\"\ndb_key_type = "
      "\"\"\ndb_expires = \"\"\n");
  EXPECT_EQ(value("49"), "5");
  ASSERT_TRUE(eventually([&] { return sandbox.status()["pids"]["spare"].get<int>() > 0; }));
  sql("UPDATE rates SET rate = 50 WHERE prefix = '49'; DELETE FROM rates WHERE prefix = '44'; INSERT INTO rates VALUES ('33', 8);");
  ASSERT_EQ(kill(sandbox.status()["pids"]["engine"].get<pid_t>(), SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return value("49") == "50" && value("44") == "none" && value("33") == "8"; }));
  EXPECT_EQ(value("1"), "7");
  stop();
}

TEST_F(Lists, TheStartSaysWhatIsWrong) {
  sql(htable_schema);
  const auto check = [&](const std::string& sections) {
    sandbox.configure("", "[sql.db]\nurl = \"sqlite://" + sandbox.path("lists.db") + "\"\n" + sections);
    return sandbox.command({"check"}).err;
  };
  EXPECT_NE(check("[htable.t]\ndb = \"other\"\n").find("[htable.t]: there is no section [sql.other]"), std::string::npos);
  EXPECT_NE(check("[htable.t]\ndb = \"db\"\ndb_table = \"no\"\n").find("[htable.t]: no such table: no"), std::string::npos);
  EXPECT_NE(check("[htable.t]\ndb = \"db\"\ndb_table = \"a; b\"\n").find("is not a name of letters"), std::string::npos);
  EXPECT_NE(check("[dialplan]\ndb = \"db\"\n").find("[dialplan]: no such table: dialplan"), std::string::npos);
  EXPECT_NE(check("[dialplan]\ndb = \"db\"\nlist = \"x\"\n").find("[dialplan]: `list` and `db` cannot both be given"), std::string::npos);
  EXPECT_NE(check("[mtree.t]\ndb = \"db\"\n").find("[mtree.t]: no such table: mtree"), std::string::npos);
  EXPECT_NE(check("[mtree.t]\ndb = \"db\"\nfile = \"x\"\n").find("[mtree.t]: `file` and `db` cannot both be given"), std::string::npos);
  EXPECT_NE(check("[permissions]\ndb = \"db\"\n").find("[permissions]: no such table: address"), std::string::npos);
}

TEST_F(Lists, DialplansAndPrefixesComeFromTables) {
  sql("CREATE TABLE dialplan (id INTEGER PRIMARY KEY, dpid INT, pr INT, match_op INT, match_exp TEXT, match_len INT, subst_exp TEXT, "
      "repl_exp TEXT, attrs TEXT);"
      "INSERT INTO dialplan (dpid, pr, match_op, match_exp, match_len, subst_exp, repl_exp, attrs) VALUES "
      "(1, 2, 1, '^00', 0, '^00(.*)$', '+\\1', 'world'), (1, 1, 0, '110', 0, '', '112', NULL);"
      "CREATE TABLE prices (tprefix TEXT, tvalue TEXT); INSERT INTO prices VALUES ('49', '5'), ('4930', '7');");
  start("[dialplan]\ndb = \"db\"\n[mtree.prices]\ndb = \"db\"\ndb_table = \"prices\"\nintegers = true\n");
  EXPECT_EQ(rpc({"dialplan.translate", "1", "0049"})["output"], "+49");
  EXPECT_EQ(rpc({"dialplan.translate", "1", "110"})["output"], "112");
  EXPECT_EQ(rpc({"mtree.match", "prices", "49301"})["tvalue"], 7);
  sql("UPDATE dialplan SET repl_exp = '011\\1' WHERE pr = 2; DELETE FROM prices WHERE tprefix = '4930';");
  EXPECT_EQ(sandbox.command({"rpc", "dialplan.reload"}).code, 0);
  EXPECT_EQ(rpc({"dialplan.translate", "1", "0049"})["output"], "01149");
  EXPECT_EQ(rpc({"mtree.match", "prices", "49301"})["tvalue"], 5);
  sql("UPDATE dialplan SET match_exp = '(' WHERE pr = 2;");
  const auto refused = sandbox.command({"rpc", "dialplan.reload"});
  EXPECT_NE(refused.err.find("table dialplan: row 1: "), std::string::npos) << refused.err;
  sql("DELETE FROM dialplan; INSERT INTO prices VALUES ('1', 'x');");
  EXPECT_NE(sandbox.command({"rpc", "mtree.reload"}).err.find("table prices: row 2: 'x' is not a number"), std::string::npos);
  EXPECT_EQ(rpc({"dialplan.translate", "1", "0049"})["output"], "01149") << "an error changes nothing";
  stop();
}

TEST_F(Lists, AddressesAndTrustedSourcesComeFromTables) {
  sql("CREATE TABLE address (id INTEGER PRIMARY KEY, grp INT DEFAULT 1, ip_addr TEXT, mask INT DEFAULT 32, port INT DEFAULT 0, tag TEXT);"
      "INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES (1, '192.0.2.0', 24, 0, 'net'), (2, '2001:db8::1', 128, 5060, NULL);"
      "CREATE TABLE trusted (id INTEGER PRIMARY KEY, src_ip TEXT, proto TEXT, from_pattern TEXT, ruri_pattern TEXT, tag TEXT, priority INT "
      "DEFAULT 0);"
      "INSERT INTO trusted (src_ip, proto, from_pattern, tag) VALUES ('192.0.2.1', 'any', '^sip:a', 'one');");
  start("[permissions]\ndb = \"db\"\ntrusted_table = \"trusted\"\n");
  EXPECT_EQ(rpc({"permissions.addressDump"}).size(), 2U);
  EXPECT_EQ(rpc({"permissions.addressDump"})[0]["tag"], "net");
  EXPECT_EQ(rpc({"permissions.trustedDump"})[0]["from_pattern"], "^sip:a");
  sql("DELETE FROM address WHERE grp = 2; UPDATE trusted SET tag = 'two';");
  EXPECT_EQ(sandbox.command({"rpc", "permissions.trustedReload"}).code, 0);
  EXPECT_EQ(rpc({"permissions.addressDump"}).size(), 1U);
  EXPECT_EQ(rpc({"permissions.trustedDump"})[0]["tag"], "two");
  sql("UPDATE address SET ip_addr = 'nonsense';");
  const auto refused = sandbox.command({"rpc", "permissions.addressReload"});
  EXPECT_NE(refused.err.find("table address: row 1: 'nonsense' is not a numeric address"), std::string::npos) << refused.err;
  EXPECT_EQ(rpc({"permissions.addressDump"})[0]["address"], "192.0.2.0");
  const auto services = rpc({"services.list"});
  ASSERT_EQ(services.size(), 2U);
  EXPECT_EQ(services[0]["kind"], "sql");
  EXPECT_EQ(services[1]["kind"], "http");
  stop();
}

}  // namespace
}  // namespace perdure::app

#include "app/config.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "app/options.hpp"

namespace perdure::app {
namespace {

constexpr const char* file = "/etc/perdure/perdure.toml";

std::string error_of(std::string_view text) {
  const auto config = parse_config(text, file);
  return config ? "" : config.error().message;
}

// One other than default value of each option, and how it shows.
struct Sample {
  const char* name;
  const char* value;
  std::function<bool(const Config&)> is_set;
};
const Sample samples[] = {
    {"listen", R"(["udp:127.0.0.1:5080", "udp:[::1]:5080"])",
     [](const Config& c) { return c.listen.size() == 2 && c.listen[1].address.text() == "[::1]:5080"; }},
    {"advertise", R"("sip.example.org:5070")",
     [](const Config& c) { return c.advertised_host == "sip.example.org" && c.advertised_port == 5070; }},
    {"alias", R"(["example.org", "example.net:5080"])", [](const Config& c) { return c.aliases.size() == 2; }},
    {"workers", "3", [](const Config& c) { return c.workers == 3; }},
    {"script", R"("scripts/routes.lua")", [](const Config& c) { return c.script == "/etc/perdure/scripts/routes.lua"; }},
    {"state.directory", R"("../state")", [](const Config& c) { return c.state.directory == "/etc/state"; }},
    {"state.durability", R"("host")", [](const Config& c) { return c.state.durability == store::Durability::Host; }},
    {"state.max_bytes", R"("64MiB")", [](const Config& c) { return c.state.max_bytes == 64ULL << 20; }},
    {"state.persist", R"("routes")", [](const Config& c) { return c.state.persist == proxy::Persist::Routes; }},
    {"state.clock", R"("elapsed")", [](const Config& c) { return c.state.clock == store::ClockPolicy::Elapsed; }},
    {"state.partitions", "64", [](const Config& c) { return c.state.partitions == 64; }},
    {"transaction.t1", R"("250ms")", [](const Config& c) { return c.transaction.t1 == 250ms; }},
    {"transaction.t2", R"("8s")", [](const Config& c) { return c.transaction.t2 == 8s; }},
    {"transaction.t4", R"("6s")", [](const Config& c) { return c.transaction.t4 == 6s; }},
    {"transaction.timer_c", R"("5m")", [](const Config& c) { return c.transaction.timer_c == 5min; }},
    {"transaction.fr_timer", R"("10s")", [](const Config& c) { return c.transaction.fr_timer == 10s; }},
    {"transaction.stray_responses", R"("drop")", [](const Config& c) { return !c.transaction.forward_stray_responses; }},
    {"transaction.cancel_unknown", R"("reject")", [](const Config& c) { return !c.transaction.cancel_unknown_forwards; }},
    {"transaction.branches_max", "4", [](const Config& c) { return c.transaction.branches_max == 4; }},
    {"transaction.max_breadth", "20", [](const Config& c) { return c.transaction.max_breadth == 20; }},
    {"dispatcher.list", R"("dispatcher.list")", [](const Config& c) { return c.dispatcher.list == "/etc/perdure/dispatcher.list"; }},
    {"dispatcher.probing_interval", R"("10s")", [](const Config& c) { return c.dispatcher.options.probing_interval == 10s; }},
    {"dispatcher.probing_mode", R"("only-flagged")",
     [](const Config& c) { return c.dispatcher.options.probing_mode == dispatch::ProbingMode::OnlyFlagged; }},
    {"dispatcher.probing_threshold", "3", [](const Config& c) { return c.dispatcher.options.probing_threshold == 3; }},
    {"dispatcher.inactive_threshold", "2", [](const Config& c) { return c.dispatcher.options.inactive_threshold == 2; }},
    {"dispatcher.ping_method", R"("INFO")", [](const Config& c) { return c.dispatcher.options.ping_method == "INFO"; }},
    {"transaction.udp_request_max", "1400", [](const Config& c) { return c.transaction.udp_request_max == 1400; }},
    {"transaction.waiting_max", "77", [](const Config& c) { return c.transaction.waiting_max == 77; }},
    {"dialplan.list", R"("d.list")", [](const Config& c) { return c.dialplan.list == "/etc/perdure/d.list"; }},
    {"script_instructions", "2000000", [](const Config& c) { return c.script_instructions == 2'000'000; }},
    {"script_time", R"("250ms")", [](const Config& c) { return c.script_time == 250ms; }},
    {"script_memory", R"("32MiB")", [](const Config& c) { return c.script_memory_bytes == 32 << 20; }},
    {"nathelper.received_avp", R"("RECEIVED")", [](const Config& c) { return c.nathelper.received_avp == "RECEIVED"; }},
    {"dialplan.db", R"("routes")", [](const Config& c) { return c.dialplan.database == "routes"; }},
    {"dialplan.db_table", R"("rules")", [](const Config& c) { return c.dialplan.table == "rules"; }},
    {"mtree.t.db", R"("routes")", [](const Config& c) { return !c.trees.empty() && c.trees[0].database == "routes"; }},
    {"mtree.t.db_table", R"("prices")", [](const Config& c) { return !c.trees.empty() && c.trees[0].table == "prices"; }},
    {"dialplan.attributes_avp", R"("attrs")", [](const Config& c) { return c.dialplan.attributes_avp == "attrs"; }},
    {"mtree.t.file", R"("t.tree")", [](const Config& c) { return !c.trees.empty() && c.trees[0].file == "/etc/perdure/t.tree"; }},
    {"mtree.t.integers", "true", [](const Config& c) { return !c.trees.empty() && c.trees[0].integers; }},
    {"lcr.list", R"("l.list")", [](const Config& c) { return c.lcr.list == "/etc/perdure/l.list"; }},
    {"lcr.tag_avp", R"("tag")", [](const Config& c) { return c.lcr.tag_avp == "tag"; }},
    {"lcr.flags_avp", R"("flags")", [](const Config& c) { return c.lcr.flags_avp == "flags"; }},
    {"lcr.inactivate_threshold", "3", [](const Config& c) { return c.lcr.options.inactivate_threshold == 3; }},
    {"lcr.inactive_time", R"("30s")", [](const Config& c) { return c.lcr.options.inactive_time == 30s; }},
    {"acc.log_flag", "1", [](const Config& c) { return c.acc.log_flag == 1; }},
    {"acc.log_missed_flag", "2", [](const Config& c) { return c.acc.log_missed_flag == 2; }},
    {"acc.failed_transaction_flag", "3", [](const Config& c) { return c.acc.failed_transaction_flag == 3; }},
    {"acc.log_extra", R"(["ua=$ua"])",
     [](const Config& c) { return c.acc.extra.size() == 1 && c.acc.extra[0].first == "ua" && c.acc.extra[0].second == "$ua"; }},
    {"acc.log_file", R"("acc.log")", [](const Config& c) { return c.acc.log_file == "/etc/perdure/acc.log"; }},
    {"uac.restore_mode", R"("manual")",
     [](const Config& c) { return c.uac.restore_mode == proxy::ProxyOptions::RestoreAddresses::Manual; }},
    {"uac.restore_passwd", R"("secret")", [](const Config& c) { return c.uac.restore_password == "secret"; }},
    {"event_callback.core", R"("on_core")", [](const Config& c) { return c.event_callback.core == "on_core"; }},
    {"event_callback.dispatcher", R"("on_dst")", [](const Config& c) { return c.event_callback.dispatcher == "on_dst"; }},
    {"event_callback.htable", R"("on_table")", [](const Config& c) { return c.event_callback.htable == "on_table"; }},
    {"event_callback.tm", R"("on_tm")", [](const Config& c) { return c.event_callback.tm == "on_tm"; }},
    {"timer.t.interval", "\"3s\"\ntimer.t.route = \"tick\"",
     [](const Config& c) { return !c.timers.empty() && c.timers[0].interval == 3s; }},
    {"timer.t.route", R"("tick")", [](const Config& c) { return !c.timers.empty() && c.timers[0].route == "tick"; }},
    {"async.delay_max", R"("2h")", [](const Config& c) { return c.async.delay_max == 2h; }},
    {"connections.max", "9", [](const Config& c) { return c.connections.connections_max == 9; }},
    {"connections.per_source", "7", [](const Config& c) { return c.connections.connections_per_source_max == 7; }},
    {"connections.outbound", "8", [](const Config& c) { return c.connections.outbound_max == 8; }},
    {"connections.message_size", R"("16KiB")", [](const Config& c) { return c.connections.message_bytes_max == 16U << 10; }},
    {"connections.send_queue", R"("2MiB")", [](const Config& c) { return c.connections.queue_bytes_max == 2U << 20; }},
    {"connections.buffers", R"("2GiB")", [](const Config& c) { return c.connections.buffers_max == 2ULL << 30; }},
    {"connections.messages_per_second", "50", [](const Config& c) { return c.connections.messages_per_second_max == 50; }},
    {"connections.idle_timeout", R"("5m")", [](const Config& c) { return c.connections.idle_timeout == 5min; }},
    {"connections.ping_interval", R"("40s")", [](const Config& c) { return c.connections.ping_interval == 40s; }},
    {"connections.handshake_timeout", R"("3s")", [](const Config& c) { return c.connections.handshake_timeout == 3s; }},
    {"connections.message_timeout", R"("4s")", [](const Config& c) { return c.connections.message_timeout == 4s; }},
    {"connections.write_timeout", R"("6s")", [](const Config& c) { return c.connections.write_timeout == 6s; }},
    {"connections.connect_timeout", R"("2s")", [](const Config& c) { return c.connections.connect_timeout == 2s; }},
    {"connections.back_off", R"("20s")", [](const Config& c) { return c.connections.back_off_max == 20s; }},
    {"connections.ring", R"("1MiB")", [](const Config& c) { return c.connections_ring_bytes == 1ULL << 20; }},
    {"connections.proxy_protocol", R"(["tcp:192.0.2.1:5060"])",
     [](const Config& c) { return c.proxy_protocol.size() == 1 && c.proxy_protocol[0].transport == Transport::Tcp; }},
    {"tls.certificates", R"(["a.pem"])",
     [](const Config& c) { return c.connections.tls.certificates == std::vector<std::string>{"/etc/perdure/a.pem"}; }},
    {"tls.private_keys", R"(["a.key"])",
     [](const Config& c) { return c.connections.tls.private_keys == std::vector<std::string>{"/etc/perdure/a.key"}; }},
    {"tls.ca_file", R"("ca.pem")", [](const Config& c) { return c.connections.tls.ca_file == "/etc/perdure/ca.pem"; }},
    {"tls.client_certificate", R"("required")",
     [](const Config& c) { return c.connections.tls.client_certificate == edge::TlsOptions::ClientCertificate::Required; }},
    {"tls.verify_server", R"("chain")", [](const Config& c) { return c.connections.tls.verify_server == edge::TlsOptions::Verify::Chain; }},
    {"tls.min_version", R"("1.3")", [](const Config& c) { return c.connections.tls.tls_1_3_only; }},
    {"tls.ciphers", R"("ECDHE+AESGCM")", [](const Config& c) { return c.connections.tls.ciphers == "ECDHE+AESGCM"; }},
    {"tls.session_tickets", "false", [](const Config& c) { return !c.connections.tls.session_tickets; }},
    {"websocket.origins", R"(["https://a.example"])",
     [](const Config& c) { return c.connections.web_origins == std::vector<std::string>{"https://a.example"}; }},
    {"engine.probation", R"("3s")", [](const Config& c) { return c.engine.probation == 3s; }},
    {"dispatcher.ping_from", R"("sip:ping@example.org")",
     [](const Config& c) { return c.dispatcher.options.ping_from == "sip:ping@example.org"; }},
    {"dispatcher.ping_reply_codes", R"(["404", "5xx"])",
     [](const Config& c) {
       const auto& codes = c.dispatcher.options.ping_reply_codes;
       return codes.size() == 2 && codes[0].first == 404 && codes[0].last == 404 && codes[1].first == 500 && codes[1].last == 599;
     }},
    {"dispatcher.load_expire", R"("1h")", [](const Config& c) { return c.dispatcher.options.load_expire == 1h; }},
    {"shv", R"(["x=i:5", "name=s:a text"])",
     [](const Config& c) {
       return c.shared_variables.size() == 2 && c.shared_variables[0].second == Value::of(std::int64_t{5}) &&
              c.shared_variables[1].second == Value::of("a text");
     }},
    {"state.tables_max_bytes", R"("16MiB")", [](const Config& c) { return c.state.tables_max_bytes == 16ULL << 20; }},
    {"htable.t.autoexpire", R"("30s")", [](const Config& c) { return !c.htables.empty() && c.htables[0].autoexpire == 30s; }},
    {"htable.t.initval", "-7", [](const Config& c) { return !c.htables.empty() && c.htables[0].initval == -7; }},
    {"htable.t.updateexpire", "false", [](const Config& c) { return !c.htables.empty() && !c.htables[0].update_expire; }},
    {"htable.t.max_entries", "12", [](const Config& c) { return !c.htables.empty() && c.htables[0].entries_max == 12; }},
    {"htable.t.max_bytes", R"("1MiB")", [](const Config& c) { return !c.htables.empty() && c.htables[0].bytes_max == 1ULL << 20; }},
    {"htable.t.persist", "true", [](const Config& c) { return !c.htables.empty() && c.htables[0].persist; }},
    {"htable.t.load", R"("t.list")",
     [](const Config& c) { return !c.htables.empty() && c.htables[0].load == "/etc/perdure/t.list" && c.htables[0].name == "t"; }},
    {"htable.t.db", R"("routes")", [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].database == "routes"; }},
    {"htable.t.db_table", R"("tariffs.t")",
     [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].table == "tariffs.t"; }},
    {"htable.t.db_key", R"("k")", [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].key == "k"; }},
    {"htable.t.db_value", R"("v")", [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].value == "v"; }},
    {"htable.t.db_value_type", R"("")", [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].value_type == ""; }},
    {"htable.t.db_key_type", R"("kt")", [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].key_type == "kt"; }},
    {"htable.t.db_expires", R"("")", [](const Config& c) { return !c.table_sources.empty() && c.table_sources[0].expires == ""; }},
    {"permissions.address_file", R"("a.list")", [](const Config& c) { return c.permissions.address_file == "/etc/perdure/a.list"; }},
    {"permissions.trusted_file", R"("t.list")", [](const Config& c) { return c.permissions.trusted_file == "/etc/perdure/t.list"; }},
    {"permissions.db", R"("lists")", [](const Config& c) { return c.permissions.database == "lists"; }},
    {"permissions.address_table", R"("addresses")", [](const Config& c) { return c.permissions.address_table == "addresses"; }},
    {"permissions.trusted_table", R"("trusted")", [](const Config& c) { return c.permissions.trusted_table == "trusted"; }},
    {"permissions.tag_avp", R"("tag")", [](const Config& c) { return c.permissions.tag_avp == "tag"; }},
    {"pike.sampling_time_unit", R"("5s")", [](const Config& c) { return c.pike.interval == 5s; }},
    {"pike.reqs_density_per_unit", "100", [](const Config& c) { return c.pike.requests_max == 100; }},
    {"pike.max_sources", "2048", [](const Config& c) { return c.pike.sources_max == 2048; }},
    {"pike.ipv6_bits", "56", [](const Config& c) { return c.pike.ipv6_bits == 56; }},
    {"pipelimit.interval", R"("1s")", [](const Config& c) { return c.pipelimit.interval == 1s; }},
    {"pipe.t.algorithm", R"("RED")", [](const Config& c) { return !c.pipes.empty() && c.pipes[0].algorithm == limit::PipeAlgorithm::Red; }},
    {"pipe.t.limit", "7", [](const Config& c) { return !c.pipes.empty() && c.pipes[0].limit == 7 && c.pipes[0].name == "t"; }},
    {"sql.t.url", R"("sqlite:///t.db")",
     [](const Config& c) { return !c.databases.empty() && c.databases[0].options.url == "sqlite:///t.db" && c.databases[0].name == "t"; }},
    {"sql.t.connections", "9", [](const Config& c) { return !c.databases.empty() && c.databases[0].options.connections == 9; }},
    {"sql.t.queue_max", "11", [](const Config& c) { return !c.databases.empty() && c.databases[0].options.queue_max == 11; }},
    {"sql.t.timeout", R"("3s")", [](const Config& c) { return !c.databases.empty() && c.databases[0].timeout == 3s; }},
    {"dns.servers", R"(["192.0.2.53", "[2001:db8::53]:5353"])", [](const Config& c) { return c.dns.resolver.servers.size() == 2; }},
    {"dns.hosts_file", R"("hosts")", [](const Config& c) { return c.dns.resolver.hosts_file == "/etc/perdure/hosts"; }},
    {"dns.timeout", R"("3s")", [](const Config& c) { return c.dns.resolver.timeout == 3s; }},
    {"dns.tries", "5", [](const Config& c) { return c.dns.resolver.tries == 5; }},
    {"dns.cache_max", "77", [](const Config& c) { return c.dns.resolver.cache.entries_max == 77; }},
    {"dns.ttl_min", R"("1s")", [](const Config& c) { return c.dns.resolver.cache.ttl_min == 1s; }},
    {"dns.ttl_max", R"("2h")", [](const Config& c) { return c.dns.resolver.cache.ttl_max == 2h; }},
    {"dns.negative_ttl", R"("7s")", [](const Config& c) { return c.dns.resolver.cache.negative_ttl == 7s; }},
    {"dns.stale_max", R"("0s")", [](const Config& c) { return c.dns.resolver.cache.stale_max == 0s; }},
    {"dns.queries_max", "50", [](const Config& c) { return c.dns.resolver.queries_max == 50; }},
    {"dns.queries_of_domain_max", "5", [](const Config& c) { return c.dns.resolver.queries_of_domain_max == 5; }},
    {"redis.t.url", R"("redis://r/1")", [](const Config& c) { return !c.redis.empty() && c.redis[0].options.url == "redis://r/1"; }},
    {"redis.t.connections", "9", [](const Config& c) { return !c.redis.empty() && c.redis[0].options.connections == 9; }},
    {"redis.t.queue_max", "11", [](const Config& c) { return !c.redis.empty() && c.redis[0].options.queue_max == 11; }},
    {"redis.t.timeout", R"("3s")", [](const Config& c) { return !c.redis.empty() && c.redis[0].options.timeout == 3s; }},
    {"redis.t.reply_max", R"("2MiB")", [](const Config& c) { return !c.redis.empty() && c.redis[0].options.bytes_max == 2U << 20; }},
    {"http_client.timeout", R"("3s")", [](const Config& c) { return c.http.timeout == 3s; }},
    {"http_client.result", R"("full")", [](const Config& c) { return c.http.first_line_only == false; }},
    {"http_client.connections", "9", [](const Config& c) { return c.http.options.connections == 9; }},
    {"http_client.queue_max", "11", [](const Config& c) { return c.http.options.queue_max == 11; }},
    {"http_client.body_max", R"("2MiB")", [](const Config& c) { return c.http.options.body_max == 2U << 20; }},
    {"http_client.ca_file", R"("ca.pem")", [](const Config& c) { return c.http.options.ca_file == "/etc/perdure/ca.pem"; }},
    {"http_client.user_agent", R"("")", [](const Config& c) { return c.http.options.user_agent.empty(); }},
    {"http_client.follow_redirects", "true", [](const Config& c) { return c.http.options.follow_redirects; }},
    {"http_connection.t.url", R"("https://api/base/")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.url == "https://api/base"; }},
    {"http_connection.t.username", R"("me")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.user == "me"; }},
    {"http_connection.t.password", R"("secret")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.password == "secret"; }},
    {"http_connection.t.content_type", R"("a/b")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.content_type == "a/b"; }},
    {"http_connection.t.timeout", R"("3s")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.timeout == 3s; }},
    {"http_connection.t.ca_file", R"("ca.pem")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.ca_file == "/etc/perdure/ca.pem"; }},
    {"http_connection.t.client_cert", R"("c.pem")",
     [](const Config&
            c) { return !c.http_connections.empty() && c.http_connections[0].second.client_certificate == "/etc/perdure/c.pem"; }},
    {"http_connection.t.client_key", R"("k.pem")",
     [](const Config& c) { return !c.http_connections.empty() && c.http_connections[0].second.client_key == "/etc/perdure/k.pem"; }},
    {"log.level", R"("debug")", [](const Config& c) { return c.log.level == log::Level::Debug; }},
    {"log.components", R"(["script=debug", "edge=error"])",
     [](const Config&
            c) { return c.log.components.size() == 2 && c.log.components.at("script") == log::Level::Debug && c.log.components.at("edge") == log::Level::Error; }},
    {"log.format", R"("json")", [](const Config& c) { return c.log.style == log::Style::Json; }},
    {"log.rate", "7", [](const Config& c) { return c.log.rate == 7; }},
    {"dns.search_timeout", R"("2s")", [](const Config& c) { return c.dns.locating.timeout == 2s; }},
    {"dns.naptr", "false", [](const Config& c) { return !c.dns.locating.policy.use_naptr; }},
    {"dns.prefer_ipv6", "true", [](const Config& c) { return c.dns.locating.policy.prefer_ipv6; }},
    {"dns.targets_max", "3", [](const Config& c) { return c.dns.locating.policy.servers_max == 3; }},
    {"dns.failover", "false", [](const Config& c) { return !c.dns.locating.failover; }},
    {"dns.blocked_for", R"("9s")", [](const Config& c) { return c.dns.locating.blocked_for == 9s; }},
    {"trace.bytes", R"("1MiB")", [](const Config& c) { return c.trace.bytes == 1ULL << 20; }},
    {"trace.hep", "\"tcp:192.0.2.1:9060\"\ntrace.bytes = 1048576",
     [](const Config&
            c) { return c.trace.hep.transport == Transport::Tcp && c.trace.hep.collector == SocketAddress::parse("192.0.2.1", 9060); }},
    {"trace.hep_capture_id", "7", [](const Config& c) { return c.trace.hep.capture_id == 7; }},
    {"trace.hep_password", R"("secret")", [](const Config& c) { return c.trace.hep.password == "secret"; }},
    {"trace.hep_node_name", R"("edge-1")", [](const Config& c) { return c.trace.hep.node_name == "edge-1"; }},
    {"admin.http", R"("[::1]:8090")", [](const Config& c) { return c.admin.http == *SocketAddress::parse("[::1]", 8090); }},
    {"admin.token_file", R"("token")", [](const Config& c) { return c.admin.token_file == "/etc/perdure/token"; }},
    {"admin.certificate", R"("a.pem")", [](const Config& c) { return c.admin.certificate == "/etc/perdure/a.pem"; }},
    {"admin.private_key", R"("a.key")", [](const Config& c) { return c.admin.private_key == "/etc/perdure/a.key"; }},
    {"admin.client_ca", R"("ca.pem")", [](const Config& c) { return c.admin.client_ca == "/etc/perdure/ca.pem"; }},
    {"admin.connections", "8", [](const Config& c) { return c.admin.connections == 8; }},
    {"admin.requests_per_second", "9", [](const Config& c) { return c.admin.requests_per_second == 9; }},
    {"admin.group", R"("root")", [](const Config& c) { return c.admin.group == "root"; }},
    {"engine.gather", R"("2ms")", [](const Config& c) { return c.engine.gather == 2ms; }},
    {"engine.watchdog", R"("5s")", [](const Config& c) { return c.engine.watchdog == 5s; }},
    {"engine.receive_buffer", R"("1MiB")", [](const Config& c) { return c.engine.receive_buffer_bytes == 1ULL << 20; }},
};

std::string name_of(const Option& option) {
  // Of sections that there can be several of, the samples name one `t`.
  const auto section =
      option.section.ends_with('*') ? fmt::format("{}t", option.section.substr(0, option.section.size() - 1)) : std::string(option.section);
  return section.empty() ? std::string(option.key) : fmt::format("{}.{}", section, option.key);
}

TEST(Config, EveryOptionHasASample) {
  std::set<std::string> known, sampled;
  for (const auto& option : options()) known.insert(name_of(option));
  for (const auto& sample : samples) sampled.insert(sample.name);
  EXPECT_EQ(known, sampled);
}

TEST(Config, EveryOptionIsReadAndDiffersFromItsDefault) {
  const auto defaults = parse_config("", file);
  ASSERT_TRUE(defaults.has_value()) << defaults.error().message;
  for (const auto& sample : samples) {
    const auto config = parse_config(fmt::format("{} = {}\n", sample.name, sample.value), file);
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_TRUE(sample.is_set(*config)) << sample.name;
    EXPECT_FALSE(sample.is_set(*defaults)) << sample.name;
  }
}

TEST(Config, EveryOptionRefusesAnotherTypeWithFileAndLine) {
  for (const auto& sample : samples) {
    const auto error = error_of(fmt::format("# a comment\n{} = 1.5\n", sample.name));
    EXPECT_TRUE(error.starts_with(fmt::format("{}:2: {} ", file, sample.name))) << sample.name << ": " << error;
  }
}

TEST(Config, DefaultsAreThoseOfTheReference) {
  const auto config = parse_config("", file);
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->path, file);
  ASSERT_EQ(config->listen.size(), 1u);
  EXPECT_EQ(config->listen[0].address.text(), "127.0.0.1:5060");
  EXPECT_EQ(config->state.directory, "/var/lib/perdure");
  EXPECT_EQ(config->state.durability, store::Durability::Process);
  EXPECT_EQ(config->state.persist, proxy::Persist::Full);
  EXPECT_EQ(config->state.clock, store::ClockPolicy::Frozen);
  EXPECT_EQ(config->state.max_bytes, 1ULL << 30);
  EXPECT_EQ(config->transaction.t1, 500ms);
  EXPECT_EQ(config->transaction.timer_c, 180s);
  EXPECT_TRUE(config->transaction.forward_stray_responses);
  EXPECT_TRUE(config->transaction.cancel_unknown_forwards);
  EXPECT_EQ(config->log.level, log::Level::Notice);
  EXPECT_EQ(config->engine.watchdog, 2s);
  EXPECT_EQ(config->engine.gather, 500us);
}

TEST(Config, UnknownKeysAreErrorsThatNameTheNearest) {
  EXPECT_EQ(error_of("listn = []\n"), "/etc/perdure/perdure.toml:1: unknown key 'listn'; is 'listen' meant?");
  EXPECT_EQ(error_of("\n\n[state]\npersists = \"full\"\n"),
            "/etc/perdure/perdure.toml:4: unknown key 'persists' in [state]; is 'persist' meant?");
  EXPECT_EQ(error_of("[stat]\npersist = \"full\"\n"), "/etc/perdure/perdure.toml:1: unknown key 'stat'; is 'state' meant?");
  EXPECT_EQ(error_of("nothing_like_it = 1\n"), "/etc/perdure/perdure.toml:1: unknown key 'nothing_like_it'");
}

TEST(Config, SyntaxErrorsNameTheLine) {
  EXPECT_TRUE(error_of("workers = 1\nscript = \"open\n").starts_with("/etc/perdure/perdure.toml:2: "))
      << error_of("workers = 1\nscript = \"open\n");
  EXPECT_TRUE(error_of("workers = 1\nworkers = 2\n").starts_with("/etc/perdure/perdure.toml:2: "));
  EXPECT_NE(error_of("\xff\xfe"), "");
}

TEST(Config, ValuesOutOfRangeAreErrors) {
  for (const char* text : {"workers = -1",
                           "workers = 65",
                           "transaction.t1 = \"9ms\"",
                           "transaction.t1 = \"11s\"",
                           "transaction.t1 = \"fast\"",
                           "transaction.t1 = \"-5s\"",
                           "transaction.timer_c = \"99999999999999999999s\"",
                           "state.max_bytes = \"1MiB\"",
                           "state.max_bytes = -1",
                           "state.max_bytes = \"1 gigabyte\"",
                           "state.persist = \"some\"",
                           "state.partitions = 0",
                           "listen = []",
                           "listen = [5060]",
                           "listen = [\"127.0.0.1:5060\"]",
                           "listen = [\"udp:localhost:5060\"]",
                           "listen = [\"udp:127.0.0.1:99999\"]",
                           "listen = [\"udp:::1:5060\"]",
                           "listen = [\"sctp:127.0.0.1:5060\"]",
                           "listen = [\"udp:127.0.0.1:5060\", \"udp:127.0.0.1:5060\"]",
                           "advertise = \"a b\"",
                           "advertise = \"user@host\"",
                           "alias = [\"sip:host\"]",
                           "script = \"\"",
                           "dns.servers = [\"localhost\"]",
                           "dns.servers = [\"192.0.2.1:0\"]",
                           "dns.servers = [\"192.0.2.1:domain\"]",
                           "dns.servers = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\", \"192.0.2.4\", \"192.0.2.5\"]",
                           "dispatcher.ping_method = \"INVITE\"",
                           "dispatcher.ping_from = \"nobody\"",
                           "dispatcher.ping_reply_codes = [\"99\"]",
                           "dispatcher.ping_reply_codes = [\"1xx\"]",
                           "dispatcher.ping_reply_codes = [\"abc\"]",
                           "dispatcher.ping_reply_codes = [404]"})
    EXPECT_TRUE(error_of(text).starts_with(fmt::format("{}:1: ", file))) << text << ": " << error_of(text);
}

TEST(Config, OptionsThatContradictEachOtherAreErrors) {
  EXPECT_EQ(error_of("workers = 1\nlisten = [\"udp:0.0.0.0:5060\"]"),
            "/etc/perdure/perdure.toml:2: listen on 0.0.0.0:5060 needs `advertise`: Via must name an address that answers come to");
  EXPECT_EQ(error_of("listen = [\"udp:[::]:5060\"]\nadvertise = \"sip.example.org\""), "");
  EXPECT_EQ(error_of("[transaction]\nt1 = \"1s\"\nt2 = \"500ms\""), "/etc/perdure/perdure.toml:3: transaction.t2 is less than t1");
  EXPECT_EQ(error_of("workers = 8\n[state]\npartitions = 4"),
            "/etc/perdure/perdure.toml:1: 8 workers need as many state.partitions, which is 4");
}

TEST(Config, AbsolutePathsStayAsTheyAre) {
  const auto config = parse_config("script = \"/opt/a/../routes.lua\"", file);
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->script, "/opt/routes.lua");
}

TEST(Config, PathsAreRelativeToTheFolderOfTheFileNotOfTheProcess) {
  char folder[] = "/tmp/perdure-config-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::filesystem::path path = std::filesystem::path(folder) / "p.toml";
  std::ofstream(path) << "script = \"r.lua\"\n";
  std::string text;
  const auto config = load_config(path, &text);
  const auto relative = load_config(std::filesystem::relative(path));
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(config.has_value() && relative.has_value());
  EXPECT_EQ(config->script, std::string(folder) + "/r.lua");
  EXPECT_EQ(relative->script, config->script);
  EXPECT_EQ(relative->path, path);
  EXPECT_EQ(text, "script = \"r.lua\"\n");
}

TEST(Config, FilesThatCannotBeReadAreErrors) {
  EXPECT_EQ(load_config("/nowhere/p.toml").error().message, "/nowhere/p.toml: No such file or directory");
  EXPECT_EQ(load_config("/tmp").error().message, "/tmp: Is a directory");
}

TEST(Config, Durations) {
  EXPECT_EQ(parse_duration("1us"), 1us);
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("4 s"), 4s);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  for (const char* bad : {"", "5", "s", "1.5s", "5 sec", "5s ", "99999999999d"}) EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
}

TEST(Config, Sizes) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("2 GiB"), 2ULL << 30);
  for (const char* bad : {"", "KiB", "1KB", "99999999999GiB"}) EXPECT_FALSE(parse_size(bad).has_value()) << bad;
}

TEST(Config, PortZeroLetsTheKernelChoose) {
  const auto listen = parse_listen("udp:127.0.0.1:0");
  ASSERT_TRUE(listen.has_value());
  EXPECT_EQ(listen->address.port, 0);
}

TEST(Config, SectionsOfANameEachBeginWithTheDefaults) {
  const auto config = parse_config("[htable.a]\npersist = true\n[htable.b]\n", file);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->htables.size(), 2U);
  EXPECT_TRUE(config->htables[0].persist);
  EXPECT_FALSE(config->htables[1].persist);
  EXPECT_EQ(config->htables[1].entries_max, 100'000U);
  EXPECT_EQ(error_of("[htable.a]\n[htable.b]\npersits = true\n"),
            std::string(file) + ":3: unknown key 'persits' in [htable.b]; is 'persist' meant?");
  EXPECT_EQ(error_of("[htable]\nsize = 5\n"), std::string(file) + ":2: 'size' must be a section: [htable.size]");
  EXPECT_EQ(error_of("[htable.\"a b\"]\n"), std::string(file) + ":1: 'a b' is not a name of letters, digits, _ and -");
  EXPECT_EQ(error_of("shv = [\"x\"]\n").substr(0, std::string(file).size() + 4), std::string(file) + ":1: ");
}

TEST(Config, WorkersAreAtMostPartitionsAndAtLeastOne) {
  const auto few = parse_config("state.partitions = 1", file);
  EXPECT_EQ(worker_count(*few), 1u);
  EXPECT_EQ(worker_count(*parse_config("workers = 7", file)), 7u);
  EXPECT_GE(worker_count(*parse_config("", file)), 1u);
}

TEST(Config, AdministrationThatOthersReachNeedsProofOfWhoAsks) {
  const auto http = [](const char* rest) { return fmt::format("[admin]\nhttp = \"192.0.2.1:8090\"\n{}", rest); };
  EXPECT_TRUE(error_of(http("")).starts_with(fmt::format("{}:2: admin.http on an address that others reach", file)));
  EXPECT_TRUE(parse_config(http("token_file = \"t\""), file).has_value());
  EXPECT_TRUE(parse_config(http("certificate = \"c\"\nprivate_key = \"k\"\nclient_ca = \"a\""), file).has_value());
  EXPECT_FALSE(parse_config(http("certificate = \"c\"\nprivate_key = \"k\""), file).has_value());
  EXPECT_FALSE(parse_config(http("token_file = \"t\"\nclient_ca = \"a\""), file).has_value());
  EXPECT_TRUE(parse_config("[admin]\nhttp = \"127.0.0.1:8090\"", file).has_value());
  EXPECT_TRUE(parse_config("[admin]\nhttp = \"[::1]:8090\"", file).has_value());
  EXPECT_FALSE(parse_config("[admin]\nhttp = \"localhost:8090\"", file).has_value());
}

TEST(Config, EmbeddedOneListensOnLoopbackOnly) {
  const auto config = embedded_config();
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->path, "");
  EXPECT_EQ(config->script, "");
  ASSERT_EQ(config->listen.size(), 1u);
  EXPECT_EQ(config->listen[0].address.ip_text(), "127.0.0.1");
}

TEST(Config, ExampleFileIsGoodAndNamesEveryOption) {
  const std::string path = PERDURE_SOURCE_DIR "/etc/perdure.toml";
  std::string text;
  const auto config = load_config(path, &text);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  for (const auto& option : options())
    EXPECT_NE(text.find(fmt::format("{} = ", option.key)), std::string::npos) << name_of(option) << " is not in etc/perdure.toml";
}

}  // namespace
}  // namespace perdure::app

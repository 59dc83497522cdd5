#include "app/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text_file.hpp"
#include "script/pseudo_variable.hpp"
#include "shared/state.hpp"
#include "sip/uri.hpp"
#include "transaction/record.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array durabilities = {"process"sv, "host"sv};
constexpr std::array persists = {"full"sv, "routes"sv, "off"sv};
constexpr std::array clocks = {"frozen"sv, "elapsed"sv};
constexpr std::array strays = {"forward"sv, "drop"sv};
constexpr std::array unknown_cancels = {"forward"sv, "reject"sv};
constexpr std::array probing_modes = {"flagged"sv, "all"sv, "inactive"sv, "only-flagged"sv};
constexpr std::array levels = {"debug"sv, "info"sv, "notice"sv, "warning"sv, "error"sv, "critical"sv};

Result<> set_listen(Config& config, const std::vector<std::string>& texts) {
  if (texts.empty()) return fail("needs at least one address");
  config.listen.clear();
  for (const auto& text : texts) {
    const auto listen = parse_listen(text);
    if (!listen) return std::unexpected(listen.error());
    for (const auto& other : config.listen)
      if (other == *listen) return fail(fmt::format("\"{}\" stands there twice", text));
    config.listen.push_back(*listen);
  }
  return {};
}

// "host", "host:port", "[2001:db8::1]:port"
Result<> check_host(std::string_view text, std::string& host, std::uint16_t& port) {
  const std::string uri_text = fmt::format("sip:{}", text);
  const auto uri = sip::Uri::parse(uri_text);
  if (!uri || uri->has_user || !uri->params.empty() || uri->has_headers || uri->host.empty())
    return fail(fmt::format("\"{}\" is not a host or host:port", text));
  host = uri->host;
  port = uri->port;
  return {};
}

Result<> set_advertise(Config& config, std::string_view text) {
  return check_host(text, config.advertised_host, config.advertised_port);
}

Result<> set_aliases(Config& config, const std::vector<std::string>& texts) {
  std::string host;
  std::uint16_t port = 0;
  for (const auto& text : texts)
    if (auto checked = check_host(text, host, port); !checked) return checked;
  config.aliases = texts;
  return {};
}

Result<> set_ping_method(Config& config, std::string_view text) {
  if (text != "OPTIONS" && text != "INFO" && text != "NOTIFY") return fail("is one of OPTIONS, INFO, NOTIFY");
  config.dispatcher.options.ping_method = text;
  return {};
}

Result<> set_ping_from(Config& config, std::string_view text) {
  if (!text.empty() && !sip::Uri::parse(text)) return fail(fmt::format("\"{}\" is not a URI", text));
  config.dispatcher.options.ping_from = text;
  return {};
}

// "404" or "4xx"
Result<> set_reply_codes(Config& config, const std::vector<std::string>& texts) {
  auto& codes = config.dispatcher.options.ping_reply_codes;
  codes.clear();
  for (const auto& text : texts) {
    std::uint16_t code = 0;
    const bool whole_class = text.size() == 3 && text.ends_with("xx");
    const char* const end = text.data() + (whole_class ? 1 : text.size());
    const auto [parsed, error] = std::from_chars(text.data(), end, code);
    if (whole_class) code = static_cast<std::uint16_t>(code * 100);
    if (error != std::errc{} || parsed != end || text.size() != 3 || code < 200 || code > 699)
      return fail(fmt::format("\"{}\" is not a response code (\"404\") or class (\"4xx\")", text));
    codes.push_back({.first = code, .last = whole_class ? static_cast<std::uint16_t>(code + 99) : code});
  }
  return {};
}

// Names that can be written in scripts and commands without quotes.
Result<> check_name(std::string_view name) {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 64 || !std::ranges::all_of(name, is_good))
    return fail(fmt::format("'{}' is not a name of letters, digits, _ and -", name));
  return {};
}

// "name=i:5" or "name=s:text", as Kamailio's shvset has it.
Result<> set_shared_variables(Config& config, const std::vector<std::string>& texts) {
  config.shared_variables.clear();
  if (texts.size() > shared::variables_max) return fail(fmt::format("has more than {} variables", shared::variables_max));
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (auto checked = check_name(name); !checked) return checked;
    const std::string_view value = equals == text.npos ? std::string_view{} : text.substr(equals + 1);
    const auto number = value.starts_with("i:") ? number_from<std::int64_t>(value.substr(2)) : std::nullopt;
    if (!number && !value.starts_with("s:")) return fail(fmt::format("\"{}\" is not name=i:NUMBER or name=s:TEXT", text));
    config.shared_variables.emplace_back(name, number ? Value::of(*number) : Value::of(value.substr(2)));
  }
  return {};
}

Result<> begin_htable(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.htables.size() >= htable::tables_max) return fail(fmt::format("more than {} hash tables", htable::tables_max));
  config.htables.emplace_back().name = name;
  config.table_sources.emplace_back().htable = name;
  return {};
}

// A name that goes into a query as it is: of a table or column. May be empty if `optional`.
Result<> check_sql_name(std::string_view text, bool optional = false) {
  if (text.empty() && optional) return {};
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  if (text.empty() || text.size() > 128 || !std::ranges::all_of(text, is_good))
    return fail(fmt::format("\"{}\" is not a name of letters, digits, _ and .", text));
  return {};
}

template <std::string Config::TableSource::*member, bool optional>
Result<> set_table_source(Config& config, std::string_view text) {
  if (auto checked = check_sql_name(text, optional); !checked) return checked;
  config.table_sources.back().*member = text;
  return {};
}
template <std::string Config::Permissions::*member>
Result<> set_permissions_table(Config& config, std::string_view text) {
  if (auto checked = check_sql_name(text, true); !checked) return checked;
  config.permissions.*member = text;
  return {};
}

Result<> begin_pipe(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.pipes.size() >= limit::pipes_max / 2) return fail(fmt::format("more than {} pipes", limit::pipes_max / 2));
  config.pipes.emplace_back().name = name;
  return {};
}

Result<> begin_tree(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.trees.size() >= prefix::trees_max) return fail(fmt::format("more than {} trees", prefix::trees_max));
  config.trees.emplace_back().name = name;
  return {};
}

constexpr std::array pipe_algorithms = {"TAILDROP"sv, "RED"sv};

// Where the name of an AVP goes, empty for none.
template <auto member>
Result<> set_avp(Config& config, std::string_view text) {
  if (!text.empty())
    if (auto checked = check_name(text); !checked) return checked;
  member(config) = text;
  return {};
}

constexpr std::array client_certificates = {"off"sv, "optional"sv, "required"sv};
constexpr std::array verify_servers = {"off"sv, "chain"sv, "name"sv};
constexpr std::array tls_versions = {"1.2"sv, "1.3"sv};

Result<> set_proxy_protocol(Config& config, const std::vector<std::string>& texts) {
  config.proxy_protocol.clear();
  for (const auto& text : texts) {
    const auto listen = parse_listen(text);
    if (!listen) return std::unexpected(listen.error());
    if (listen->transport == Transport::Udp) return fail(fmt::format("\"{}\" has no connections", text));
    config.proxy_protocol.push_back(*listen);
  }
  return {};
}

constexpr std::size_t name_servers_max = 4;

// "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"
Result<> set_name_servers(Config& config, const std::vector<std::string>& texts) {
  if (texts.size() > name_servers_max) return fail(fmt::format("has more than {} servers", name_servers_max));
  for (const std::string_view text : texts) {
    bool good = SocketAddress::parse(text, 53).has_value();
    if (const std::size_t colon = text.rfind(':'); !good && colon != text.npos) {
      const auto port = number_from<std::uint16_t>(text.substr(colon + 1));
      good = port && *port && SocketAddress::parse(text.substr(0, colon), *port);
    }
    if (!good) return fail(fmt::format("\"{}\" is not an address or address:port", text));
  }
  config.dns.resolver.servers = texts;
  return {};
}

constexpr std::size_t databases_max = 64;

Result<> begin_database(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.databases.size() >= databases_max) return fail(fmt::format("more than {} databases", databases_max));
  config.databases.emplace_back().name = name;
  return {};
}

Result<> set_database_url(Config& config, std::string_view text) {
  auto& options = config.databases.back().options;
  options.url = text;
  if (auto target = net::SqlTarget::parse(options); !target) return std::unexpected(target.error());
  return {};
}

// "name=$variable"
Result<> set_log_extra(Config& config, const std::vector<std::string>& texts) {
  constexpr std::size_t extra_max = 64;
  config.acc.extra.clear();
  if (texts.size() > extra_max) return fail(fmt::format("has more than {} fields", extra_max));
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (auto checked = check_name(name); !checked) return checked;
    const std::string_view variable = equals == text.npos ? std::string_view{} : text.substr(equals + 1);
    if (auto parsed = script::PseudoVariable::parse(variable); !parsed)
      return fail(fmt::format("\"{}\" is not name=$variable: {}", text, parsed.error().message));
    config.acc.extra.emplace_back(name, variable);
  }
  return {};
}

Result<> set_restore_password(Config& config, std::string_view text) {
  config.uac.restore_password = text;
  return {};
}

constexpr std::array restore_modes = {"none"sv, "manual"sv, "auto"sv};
constexpr std::size_t timers_max = 64;

Result<> begin_timer(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.timers.size() >= timers_max) return fail(fmt::format("more than {} timers", timers_max));
  config.timers.emplace_back().name = name;
  return {};
}

// A global function of the script.
template <std::string& (*member)(Config&)>
Result<> set_function(Config& config, std::string_view text) {
  if (!text.empty())
    if (auto checked = check_name(text); !checked) return checked;
  member(config) = text;
  return {};
}
template <std::string Config::EventCallback::*member>
std::string& event_callback(Config& config) {
  return config.event_callback.*member;
}
std::string& timer_route(Config& config) {
  return config.timers.back().route;
}

constexpr std::size_t redis_servers_max = 64, http_connections_max = 256;

Result<> begin_redis(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.redis.size() >= redis_servers_max) return fail(fmt::format("more than {} Redis servers", redis_servers_max));
  config.redis.emplace_back().name = name;
  return {};
}

Result<> set_redis_url(Config& config, std::string_view text) {
  if (auto target = net::RedisTarget::parse(text); !target) return std::unexpected(target.error());
  config.redis.back().options.url = text;
  return {};
}

constexpr std::array http_results = {"first-line"sv, "full"sv};

Result<> begin_http_connection(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.http_connections.size() >= http_connections_max) return fail(fmt::format("more than {} connections", http_connections_max));
  config.http_connections.emplace_back().first = name;
  return {};
}

script::HttpConnection& last_http_connection(Config& config) {
  return config.http_connections.back().second;
}

Result<> set_http_url(Config& config, std::string_view text) {
  if (!text.starts_with("http://") && !text.starts_with("https://")) return fail("begins with http:// or https://");
  while (text.ends_with('/')) text.remove_suffix(1);
  last_http_connection(config).url = text;
  return {};
}

constexpr SectionFamily families[] = {{"htable", begin_htable},
                                      {"pipe", begin_pipe},
                                      {"mtree", begin_tree},
                                      {"sql", begin_database},
                                      {"timer", begin_timer},
                                      {"redis", begin_redis},
                                      {"http_connection", begin_http_connection}};

const Option table[] = {
    {"", "listen", R"(["udp:127.0.0.1:5060"])",
     "Addresses to receive on, each \"transport:address:port\" with the transport udp, tcp, tls, ws or wss and a numeric IPv4 address or "
     "an IPv6 address in brackets. tls and wss need `tls.certificates`. 0.0.0.0 and [::] need `advertise`. Port 0: the kernel chooses one, "
     "which the line `ready` tells.",
     TextsOption{set_listen}},
    {"", "advertise", "",
     "Host, or host:port, that stands in Via and Record-Route instead of the address itself, for example behind a NAT or for a name in "
     "DNS.",
     TextOption{set_advertise}},
    {"", "alias", "[]",
     "Further names that are this server, each a host or host:port: a Request-URI or Route with one of them is ours (`is_myself`).",
     TextsOption{set_aliases}},
    {"", "workers", "0", "Threads that route calls. 0: one for each processor.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.workers; }, 0, 64}},
    {"", "script", "",
     "The routing script in Lua. Without it an embedded one runs, which relays to the numeric address in the Request-URI; it is for trying "
     "out on loopback only.",
     PathOption{[](Config& c) -> std::string& { return c.script; }}},

    {"", "shv", "[]",
     "Variables that the scripts of all workers share, `$shv(name)`, and what they begin with: each \"name=i:5\" or \"name=s:text\". "
     "Others "
     "begin with 0. They are lost with the engine; a persistent hash table is not.",
     TextsOption{set_shared_variables}},

    {"state", "directory", R"("/var/lib/perdure")",
     "Folder for the control socket, process ids, snapshot and quarantine; made with access for the owner only. The live files are on "
     "tmpfs (`/dev/shm`) unless `durability` says otherwise. One server per directory.",
     PathOption{[](Config& c) -> std::string& { return c.state.directory; }}},
    {"state", "durability", R"("process")",
     "What open calls survive: \"process\" the death of the server's processes; \"host\" also that of the machine, with live files in "
     "`directory` that "
     "are synced in the background.",
     ChoiceOption{durabilities, [](Config& c, std::size_t i) { c.state.durability = static_cast<store::Durability>(i); }}},
    {"state", "max_bytes", R"("1GiB")",
     "Most room for open calls. When it is used up, new INVITEs get 503 with Retry-After and existing calls go on.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.state.max_bytes; }, 16ULL << 20, 64ULL << 30}},
    {"state", "persist", R"("full")",
     "What of a transaction survives the engine: \"full\" all of it; \"routes\" where each INVITE branch went, enough for the right CANCEL "
     "and ACK; "
     "\"off\" nothing.",
     ChoiceOption{persists, [](Config& c, std::size_t i) { c.state.persist = static_cast<proxy::Persist>(i); }}},
    {"state", "clock", R"("frozen")",
     "What the time without a server counts for timers: \"frozen\" nothing, deadlines move; \"elapsed\" as it is, what is overdue fires at "
     "the start.",
     ChoiceOption{clocks, [](Config& c, std::size_t i) { c.state.clock = static_cast<store::ClockPolicy>(i); }}},
    {"state", "partitions", "16",
     "Parts of the store that workers share out. Fixed when the live file is made; at least the number of workers.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.state.partitions; }, 1, 256}},
    {"state", "tables_max_bytes", R"("64MiB")",
     "Most room for hash tables with `persist = true`, all together, in a store of their own. Fixed when the live file is made.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.state.tables_max_bytes; }, 8ULL << 20, 64ULL << 30}},

    {"transaction", "t1", R"("500ms")", "Estimate of the round-trip time: the first retransmission comes after T1 (RFC 3261 17.1.1.1).",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.t1; }, 10ms, 10s}},
    {"transaction", "t2", R"("4s")", "Longest interval between retransmissions of a response to INVITE or of another request.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.t2; }, 10ms, 60s}},
    {"transaction", "t4", R"("5s")", "How long a message stays in the network.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.t4; }, 10ms, 60s}},
    {"transaction", "timer_c", R"("180s")",
     "How long an INVITE may ring without a final response; begins anew with each provisional one but 100. RFC 3261 16.6 wants more than "
     "three minutes.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.timer_c; }, 1s, 24h}},
    {"transaction", "fr_timer", R"("32s")",
     "How long a branch may stay without any response before the next is tried (Timer B; Kamailio's fr_timer). RFC 3261 wants 64*T1.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.fr_timer; }, 100ms, 10min}},
    {"transaction", "stray_responses", R"("forward")", "A response whose transaction is unknown: \"forward\" it by Via, or \"drop\" it.",
     ChoiceOption{strays, [](Config& c, std::size_t i) { c.transaction.forward_stray_responses = i == 0; }}},
    {"transaction", "cancel_unknown", R"("forward")",
     "A CANCEL whose transaction is unknown: \"forward\" it statelessly (RFC 3261 16.10), or \"reject\" it with 481.",
     ChoiceOption{unknown_cancels, [](Config& c, std::size_t i) { c.transaction.cancel_unknown_forwards = i == 0; }}},
    {"transaction", "branches_max", "12", "Most branches of one request.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.branches_max; }, 1, transaction::branches_max}},
    {"transaction", "max_breadth", "60", "Max-Breadth of requests that carry none (RFC 5393).",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.max_breadth; }, 1, 1000}},
    {"transaction", "udp_request_max", "1300",
     "Bytes of the largest request that goes by UDP unless its target asks for UDP: a larger one goes by TCP if there is a TCP socket of "
     "that "
     "address family, and by UDP if TCP is refused (RFC 3261 18.1.1). Responses, and requests forwarded without a transaction, are not "
     "switched. 0: no limit.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.udp_request_max; }, 0, 65535}},
    {"transaction", "waiting_max", "10000",
     "Most callbacks of a worker that wait at a time: for a database, another service, or the time of `KSR.async`. In a further one the "
     "function that would wait is a script error, and its request gets 500; `waits_refused` counts them.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.waiting_max; }, 1, 1'000'000}},

    {"dispatcher", "list", "",
     "The destination list in Kamailio's text format: set, URI, flags, priority, attributes. Read again by `perdure reload`.",
     PathOption{[](Config& c) -> std::string& { return c.dispatcher.list; }}},
    {"dispatcher", "probing_interval", R"("0s")", "How often destinations are probed. 0: never.",
     DurationOption{[](Config& c) -> Duration& { return c.dispatcher.options.probing_interval; }, 0s, 24h}},
    {"dispatcher", "probing_mode", R"("flagged")",
     "Which destinations are probed (Kamailio's ds_probing_mode 0 to 3): \"flagged\" those in state probing, until they answer; \"all\"; "
     "\"inactive\" "
     "those inactive and probing; \"only-flagged\" those in state probing, which stays.",
     ChoiceOption{probing_modes,
                  [](Config& c, std::size_t i) { c.dispatcher.options.probing_mode = static_cast<dispatch::ProbingMode>(i); }}},
    {"dispatcher", "probing_threshold", "1", "Failures in a row until a destination is inactive.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dispatcher.options.probing_threshold; }, 1, 1000}},
    {"dispatcher", "inactive_threshold", "1", "Answers in a row until an inactive destination is active again.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dispatcher.options.inactive_threshold; }, 1, 1000}},
    {"dispatcher", "ping_method", R"("OPTIONS")", "Method of probes.", TextOption{set_ping_method}},
    {"dispatcher", "ping_from", R"("")", "From URI of probes. Empty: sip:dispatcher@ and the address they are sent from.",
     TextOption{set_ping_from}},
    {"dispatcher", "ping_reply_codes", "[]", "Response codes (\"404\") or classes (\"4xx\") that count as alive beside 2xx.",
     TextsOption{set_reply_codes}},
    {"dispatcher", "load_expire", R"("2h")", "How long a call counts as load of its destination (algorithm 10) if nothing ends it.",
     DurationOption{[](Config& c) -> Duration& { return c.dispatcher.options.load_expire; }, 1s, 168h}},

    {"htable.*", "autoexpire", R"("0s")", "How long an entry lives after its last change. 0: until it is removed. (Kamailio's autoexpire)",
     DurationOption{[](Config& c) -> Duration& { return c.htables.back().autoexpire; }, 0s, 87600h}},
    {"htable.*", "initval", "", "Value of a key that is not there, and what sht_inc begins with.",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.htables.back().initval; }}},
    {"htable.*", "updateexpire", "true", "A change of the value begins `autoexpire` anew.",
     BooleanOption{[](Config& c) -> bool& { return c.htables.back().update_expire; }}},
    {"htable.*", "max_entries", "100000", "Most entries. When there are so many, a further one is refused (-1) and counted.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.htables.back().entries_max; }, 1, 100'000'000}},
    {"htable.*", "max_bytes", R"("64MiB")", "Most bytes of keys and texts, with 128 bytes for each entry.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.htables.back().bytes_max; }, 4ULL << 10, 64ULL << 30}},
    {"htable.*", "persist", "false",
     "The table lives in the store: it survives the death of the engine at any instruction, a restart and, with `durability = \"host\"`, "
     "the "
     "machine. Each change is one commit.",
     BooleanOption{[](Config& c) -> bool& { return c.htables.back().persist; }}},
    {"htable.*", "load", "",
     "File with the first entries, a line each: `key i:5` or `key s:text`; a key with blanks stands in quotes. Read at the start, by a "
     "persistent table only if it is empty, and by the method `htable.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.htables.back().load; }}},

    {"htable.*", "db", "",
     "Name of a database, [sql.NAME]: the table begins with the rows of `db_table`, a persistent one only if it is empty. They are read "
     "before `ready`, and an error is one of the start; the method `htable.reload` reads them again. An engine that takes over begins with "
     "what was read when it was made, and takes what has changed since within the next second.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       if (auto checked = check_name(text); !checked) return checked;
       c.table_sources.back().database = text;
       return {};
     }}},
    {"htable.*", "db_table", R"("htable")", "The table in the database, with Kamailio's columns unless the next options say otherwise.",
     TextOption{set_table_source<&Config::TableSource::table, false>}},
    {"htable.*", "db_key", R"("key_name")", "Column of the keys.", TextOption{set_table_source<&Config::TableSource::key, false>}},
    {"htable.*", "db_value", R"("key_value")", "Column of the values.", TextOption{set_table_source<&Config::TableSource::value, false>}},
    {"htable.*", "db_value_type", R"("value_type")",
     "Column that says what the value is: 0 a text, 1 a number. Empty: it is what the database says.",
     TextOption{set_table_source<&Config::TableSource::value_type, true>}},
    {"htable.*", "db_key_type", R"("key_type")",
     "Column that says what the key is: 0 a key, 1 that of an array, whose elements become `key[0]`, `key[1]` … and `key::size`. Empty: "
     "all "
     "are keys.",
     TextOption{set_table_source<&Config::TableSource::key_type, true>}},
    {"htable.*", "db_expires", R"("expires")",
     "Column with the end of the entry in seconds since 1970, 0 for never. Empty: as `autoexpire` says.",
     TextOption{set_table_source<&Config::TableSource::expires, true>}},

    {"permissions", "address_file", "",
     "List of addresses for `KSR.permissions`, a line each: group address[/bits] [bits [port [tag]]], as Kamailio's address_file. Read "
     "again "
     "by `perdure reload` and the method `permissions.addressReload`.",
     PathOption{[](Config& c) -> std::string& { return c.permissions.address_file; }}},
    {"permissions", "trusted_file", "",
     "List of sources for `KSR.permissions.allow_trusted`, a line each: address transport [from_pattern [uri_pattern [tag [priority]]]], "
     "`-` "
     "for an empty pattern or tag. Transport is udp, tcp, tls, ws, wss, any, or none for a line that is not used; patterns are basic "
     "regular "
     "expressions. Read again as the address list is.",
     PathOption{[](Config& c) -> std::string& { return c.permissions.trusted_file; }}},
    {"permissions", "db", "",
     "Name of a database, [sql.NAME], with the lists: `address_table` and `trusted_table` in place of the files. They are read before "
     "`ready`, and when the files are.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       if (auto checked = check_name(text); !checked) return checked;
       c.permissions.database = text;
       return {};
     }}},
    {"permissions", "address_table", R"("address")", "Table with the columns grp, ip_addr, mask, port and tag. Empty: none.",
     TextOption{set_permissions_table<&Config::Permissions::address_table>}},
    {"permissions", "trusted_table", R"("")",
     "Table with the columns src_ip, proto, from_pattern, ruri_pattern, tag and priority, for example \"trusted\". Empty: none.",
     TextOption{set_permissions_table<&Config::Permissions::trusted_table>}},
    {"permissions", "tag_avp", R"("")", "Name of the AVP that gets the tag of the matching line. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.permissions.tag_avp; }>}},

    {"dialplan", "list", "",
     "Rules for `KSR.dialplan`, a line each: dialplan priority kind match length expression replacement [attributes]; kind is equal, regex "
     "(PCRE) or wildcard; words with blanks stand in double quotes, - is an empty one. Read again by `perdure reload` and the method "
     "`dialplan.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.dialplan.list; }}},
    {"dialplan", "attributes_avp", R"("")", "Name of the AVP that gets the attributes of the rule that matched (attrs_pvar). Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.dialplan.attributes_avp; }>}},

    {"mtree.*", "file", "",
     "A tree for `KSR.mtree`: a line each with a prefix and its value, which is the rest of the line. Read again by `perdure reload` and "
     "the "
     "method `mtree.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.trees.back().file; }}},
    {"mtree.*", "integers", "false", "The values are numbers (Kamailio's type 2).",
     BooleanOption{[](Config& c) -> bool& { return c.trees.back().integers; }}},

    {"lcr", "list", "",
     "Gateways and rules for `KSR.lcr`, lines `gateway INSTANCE NAME URI [strip=N] [prefix=X] [tag=X] [flags=N] [host=NAME]` and `rule "
     "INSTANCE "
     "PREFIX GATEWAY[/PRIORITY[/WEIGHT]],… [from=EXPRESSION] [request=EXPRESSION] [stop]`; PREFIX - is that of all numbers, a smaller "
     "priority "
     "comes first. Read again by `perdure reload` and the method `lcr.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.lcr.list; }}},
    {"lcr", "tag_avp", R"("")", "Name of the AVP that gets the tag of the gateway. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.lcr.tag_avp; }>}},
    {"lcr", "flags_avp", R"("")", "Name of the AVP that gets the flags of the gateway. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.lcr.flags_avp; }>}},
    {"lcr", "inactivate_threshold", "1", "Failures (`inactivate_gw`) after which a gateway gets no calls (ping_inactivate_threshold).",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.lcr.options.inactivate_threshold; }, 1, 1000}},
    {"lcr", "inactive_time", R"("60s")", "For how long it gets none.",
     DurationOption{[](Config& c) -> Duration& { return c.lcr.options.inactive_time; }, 1s, 24h}},

    {"pike", "sampling_time_unit", R"("2s")", "Interval in which the requests of a source are counted.",
     DurationOption{[](Config& c) -> Duration& { return c.pike.interval; }, 100ms, 1h}},
    {"pike", "reqs_density_per_unit", "30", "Most requests of a source in an interval; with more it is blocked until it sends less.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pike.requests_max; }, 1, 1'000'000}},
    {"pike", "max_sources", "65536", "Sources that are counted at a time. In a flood of more the least active ones are forgotten first.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pike.sources_max; }, 1024, 16'777'216}},
    {"pike", "ipv6_bits", "64", "IPv6 addresses that share so many bits are one source.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pike.ipv6_bits; }, 16, 128}},

    {"pipelimit", "interval", R"("10s")", "Interval in which the messages of a pipe are counted (Kamailio's timer_interval).",
     DurationOption{[](Config& c) -> Duration& { return c.pipelimit.interval; }, 100ms, 1h}},

    {"pipe.*", "algorithm", R"("TAILDROP")",
     "\"TAILDROP\": the first `limit` messages of an interval pass; \"RED\": each n-th, n by how much the interval before was over the "
     "limit.",
     ChoiceOption{pipe_algorithms, [](Config& c, std::size_t i) { c.pipes.back().algorithm = static_cast<limit::PipeAlgorithm>(i); }}},
    {"pipe.*", "limit", "100", "Messages in an interval.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pipes.back().limit; }, 0, UINT32_MAX}},

    {"sql.*", "url", "",
     "A database for `KSR.sqlops`: sqlite:///absolute/path, postgres://user:password@host:port/name or "
     "mysql://user:password@host:port/name, "
     "reserved characters of user and password as %XX. It is connected to when it is first asked.",
     TextOption{set_database_url}},
    {"sql.*", "connections", "4", "Connections to it, each with a thread; further queries wait.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.databases.back().options.connections; }, 1, 256}},
    {"sql.*", "queue_max", "10000", "Most queries that wait for a connection; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.databases.back().options.queue_max; }, 1, 1'000'000}},
    {"sql.*", "timeout", R"("5s")",
     "How long a callback waits for an answer, waiting for a connection included. PostgreSQL and MySQL are told to end a statement that "
     "takes so long.",
     DurationOption{[](Config& c) -> Duration& { return c.databases.back().timeout; }, 10ms, 60s}},

    {"acc", "log_flag", "",
     "Message flag, 0 to 31, of transactions that get a line in the accounting log when they are answered with 2xx: `ACC: "
     "transaction answered: timestamp=…;method=…;from_tag=…;to_tag=…;call_id=…;code=…;reason=…;id=…`. The line is made with the commit of "
     "the final response and kept with the transaction till it is written: a death of the engine loses none. It may double the last ones, "
     "which have the same `id`. A second 2xx of a forked INVITE has no line. Left out: none. (Kamailio's log_flag)",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.acc.log_flag; }}},
    {"acc", "log_missed_flag", "",
     "Message flag of INVITE transactions that get a line `ACC: call missed: …` when they end without success, once for the whole "
     "transaction. (Kamailio's log_missed_flag, which has one for each failed attempt)",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.acc.log_missed_flag; }}},
    {"acc", "failed_transaction_flag", "",
     "Message flag of transactions whose line by `log_flag` is also written when they fail. One that has the missed flag, too, gets just "
     "that line.",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.acc.failed_transaction_flag; }}},
    {"acc", "log_extra", "[]",
     "More fields of each line: \"name=$variable\", with the variable of the request, as [\"ua=$ua\", \"account=$avp(account)\"]. "
     "(Kamailio's log_extra)",
     TextsOption{set_log_extra}},
    {"acc", "log_file", "",
     "File that lines of accounting are appended to, instead of standard error. A program that rotates it copies and truncates it.",
     PathOption{[](Config& c) -> std::string& { return c.acc.log_file; }}},

    {"uac", "restore_mode", R"("auto")",
     "What becomes of the From and To of a dialog whose From or To `KSR.uac` has replaced: \"auto\" `loose_route` translates each request "
     "both ways; \"manual\" `uac_restore_from` and `uac_restore_to` do; \"none\" nothing, and Record-Route says nothing of it. Replies are "
     "always restored.",
     ChoiceOption{restore_modes,
                  [](Config& c, std::size_t i) { c.uac.restore_mode = static_cast<proxy::ProxyOptions::RestoreAddresses>(i); }}},
    {"uac", "restore_passwd", R"("")",
     "Mixed into what Record-Route carries of the two URIs. Without it the callee can work out the URI that was replaced; with it only "
     "whoever finds out the password, which is the same on all servers of a dialog. It is no strong cipher.",
     TextOption{set_restore_password}},

    {"event_callback", "core", R"("")",
     "Function of the script that is called with \"core:worker-one-init\" when an engine has started, before it takes messages, in worker "
     "0. "
     "In KEMI scripts a function `ksr_core_event` or the like.",
     TextOption{set_function<event_callback<&Config::EventCallback::core>>}},
    {"event_callback", "dispatcher", R"("")",
     "Function of the script that is called with \"dispatcher:dst-up\" or \"dispatcher:dst-down\" when a destination goes up or down, in "
     "worker 0; `$ru` and `$du` are its URI. A change at the moment of an engine's death may go unreported. (Kamailio's event_callback)",
     TextOption{set_function<event_callback<&Config::EventCallback::dispatcher>>}},
    {"event_callback", "htable", R"("")",
     "Function of the script that is called with \"htable:mod-init\" at the start of each engine, before it takes messages, in worker 0. "
     "Tables are loaded; persistent ones have what they had. (Kamailio's event_callback)",
     TextOption{set_function<event_callback<&Config::EventCallback::htable>>}},
    {"event_callback", "tm", R"("")",
     "Function of the script that is called with \"tm:local-request\" for each request of our own, probes included, before it is sent: it "
     "may change headers and Request-URI, and `KSR.drop()` stops the request. It cannot wait. (Kamailio's event_callback)",
     TextOption{set_function<event_callback<&Config::EventCallback::tm>>}},

    {"timer.*", "interval", R"("10s")",
     "A function of the script is called so often, in worker 0, with \"rtimer\". It may wait; turns that come meanwhile are left out. "
     "(Kamailio's rtimer)",
     DurationOption{[](Config& c) -> Duration& { return c.timers.back().interval; }, 100ms, 168h}},
    {"timer.*", "route", "", "That function.", TextOption{set_function<timer_route>}},

    {"async", "delay_max", R"("24h")",
     "Longest delay of `KSR.async.route` and `ms_route`. The transaction is kept for so long, and the caller must still be there.",
     DurationOption{[](Config& c) -> Duration& { return c.async.delay_max; }, 1s, 168h}},
    {"dns", "servers", "[]",
     "Name servers, \"192.0.2.53\" or \"192.0.2.53:5353\", asked in this order. Empty: those of /etc/resolv.conf. Names are taken as "
     "they are: no search list.",
     TextsOption{set_name_servers}},
    {"dns", "hosts_file", R"("/etc/hosts")",
     "Names in it have the addresses that stand there, and no server is asked for these. Read at the start of an engine. \"/dev/null\": "
     "none.",
     PathOption{[](Config& c) -> std::string& { return c.dns.resolver.hosts_file; }}},
    {"dns", "timeout", R"("1s")", "How long the first try of a server waits for its answer; each further round waits twice as long.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.timeout; }, 10ms, 30s}},
    {"dns", "tries", "2", "How often each server is asked.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.tries; }, 1, 10}},
    {"dns", "cache_max", "10000", "Most answers that are kept. When there are so many, what was asked for the longest ago makes room.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.cache.entries_max; }, 0, 10'000'000}},
    {"dns", "ttl_min", R"("10s")", "An answer is kept at least so long, whatever its TTL.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.ttl_min; }, 0s, 24h}},
    {"dns", "ttl_max", R"("1h")", "An answer is kept at most so long.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.ttl_max; }, 1s, 168h}},
    {"dns", "negative_ttl", R"("60s")",
     "That there is no such name or record is kept at most so long. That no server could say is kept for five seconds.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.negative_ttl; }, 0s, 24h}},
    {"dns", "stale_max", R"("1h")", "When no server can say, an answer that is older than its TTL by at most this stands in.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.stale_max; }, 0s, 168h}},
    {"dns", "queries_max", "1000", "Most queries on their way at a time; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.queries_max; }, 1, 30'000}},
    {"dns", "queries_of_domain_max", "100",
     "Most of them for names with the same last two labels, so that nobody takes them all by having us ask for names of his own.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.queries_of_domain_max; }, 1, 30'000}},

    {"redis.*", "url", "",
     "A server for `KSR.ndb_redis`: redis://user:password@host:port/number or unix:///path/of/the/socket, reserved characters of user and "
     "password as %XX. It is connected to when it is first asked; after a failure again after 100 ms, then twice as long, up to 5 s.",
     TextOption{set_redis_url}},
    {"redis.*", "connections", "4", "Connections to it, each with a thread; further commands wait.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.redis.back().options.connections; }, 1, 256}},
    {"redis.*", "queue_max", "10000", "Most commands that wait for a connection; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.redis.back().options.queue_max; }, 1, 1'000'000}},
    {"redis.*", "timeout", R"("1s")", "How long a callback waits for a reply, waiting for a connection included.",
     DurationOption{[](Config& c) -> Duration& { return c.redis.back().options.timeout; }, 10ms, 60s}},
    {"redis.*", "reply_max", R"("1MiB")", "Largest reply; a larger one is an error and closes its connection.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.redis.back().options.bytes_max; }, 1ULL << 10, 256ULL << 20}},

    {"http_client", "timeout", R"("4s")", "How long `KSR.http_client` and `KSR.http_async_client` wait for a response.",
     DurationOption{[](Config& c) -> Duration& { return c.http.timeout; }, 10ms, 60s}},
    {"http_client", "result", R"("first-line")",
     "What `KSR.http_client` gives to a variable: the \"first-line\" of the body, or all of it, \"full\" (Kamailio's query_result 1 and "
     "0).",
     ChoiceOption{http_results, [](Config& c, std::size_t i) { c.http.first_line_only = i == 0; }}},
    {"http_client", "connections", "64", "Requests that are under way at a time; further ones wait.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.http.options.connections; }, 1, 10'000}},
    {"http_client", "queue_max", "1000", "Most requests that wait for their turn; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.http.options.queue_max; }, 1, 1'000'000}},
    {"http_client", "body_max", R"("1MiB")", "Largest body of a response; a larger one is an error.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.http.options.body_max; }, 1ULL << 10, 64ULL << 20}},
    {"http_client", "ca_file", "", "Certificates that servers are verified with, in PEM. Without it those of the system. They always are.",
     PathOption{[](Config& c) -> std::string& { return c.http.options.ca_file; }}},
    {"http_client", "user_agent", R"("perdure")", "What the header User-Agent says; empty: it is not sent.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       c.http.options.user_agent = text;
       return {};
     }}},
    {"http_client", "follow_redirects", "false", "Go where a response of 300 to 399 sends us, five times at most.",
     BooleanOption{[](Config& c) -> bool& { return c.http.options.follow_redirects; }}},

    {"http_connection.*", "url", "", "A server for `KSR.http_client.curl_connect`, and what stands before each path.",
     TextOption{set_http_url}},
    {"http_connection.*", "username", R"("")", "For Basic or Digest authentication; empty: none.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       last_http_connection(c).user = text;
       return {};
     }}},
    {"http_connection.*", "password", R"("")", "For that user.", TextOption{[](Config& c, std::string_view text) -> Result<> {
       last_http_connection(c).password = text;
       return {};
     }}},
    {"http_connection.*", "content_type", R"("text/plain")", "Of what is posted without one.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       last_http_connection(c).content_type = text;
       return {};
     }}},
    {"http_connection.*", "timeout", R"("4s")", "How long a callback waits for a response.",
     DurationOption{[](Config& c) -> Duration& { return last_http_connection(c).timeout; }, 10ms, 60s}},
    {"http_connection.*", "ca_file", "", "Certificates that the server is verified with, in place of `http_client.ca_file`.",
     PathOption{[](Config& c) -> std::string& { return last_http_connection(c).ca_file; }}},
    {"http_connection.*", "client_cert", "", "Certificate to show to the server, in PEM.",
     PathOption{[](Config& c) -> std::string& { return last_http_connection(c).client_certificate; }}},
    {"http_connection.*", "client_key", "", "Its key, in PEM.",
     PathOption{[](Config& c) -> std::string& { return last_http_connection(c).client_key; }}},

    {"log", "level", R"("notice")", "Least serious lines that are written to standard error.",
     ChoiceOption{levels, [](Config& c, std::size_t i) { c.log_level = static_cast<log::Level>(i); }}},

    {"connections", "max", "16384", "Most connections at a time, of all transports; a further one is closed at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.connections_max; }, 1, 1'000'000}},
    {"connections", "per_source", "4096",
     "Most of them from one IPv4 address, or from one IPv6 network of 64 bits. Devices behind one NAT are one source.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.connections_per_source_max; }, 1, 1'000'000}},
    {"connections", "outbound", "4096",
     "Most of them that this server has opened. A message that would need a further one counts as not deliverable.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.outbound_max; }, 1, 1'000'000}},
    {"connections", "message_size", R"("65535")",
     "Longest message by a connection. A longer one is answered with 513, and the connection is closed.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections.message_bytes_max; }, 1024, 65'535}},
    {"connections", "send_queue", R"("1MiB")",
     "What may wait to be sent on one connection. When it is full, the connection is closed and what waits is failed as not deliverable.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections.queue_bytes_max; }, 64ULL << 10, 64ULL << 20}},
    {"connections", "buffers", R"("256MiB")",
     "What all connections together may hold of messages received in part or not yet sent. A connection that needs more is closed.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections.buffers_max; }, 1ULL << 20, 64ULL << 30}},
    {"connections", "messages_per_second", "0",
     "Messages that are read from one source in a second; further ones wait in its connections. 0: any number.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.messages_per_second_max; }, 0, 1'000'000}},
    {"connections", "idle_timeout", R"("10m")", "A connection without message or keep-alive for so long is closed.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.idle_timeout; }, 1s, 24h}},
    {"connections", "handshake_timeout", R"("5s")",
     "How long a peer may take until messages can come: for TLS, WebSocket and the PROXY protocol.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.handshake_timeout; }, 500ms, 60s}},
    {"connections", "message_timeout", R"("10s")", "How long a message may take from its first byte to its last.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.message_timeout; }, 500ms, 5min}},
    {"connections", "write_timeout", R"("15s")", "A peer that takes nothing of what waits for it for so long is given up.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.write_timeout; }, 500ms, 5min}},
    {"connections", "connect_timeout", R"("3s")", "How long it may take to connect to a peer.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.connect_timeout; }, 100ms, 60s}},
    {"connections", "back_off", R"("30s")",
     "A peer that could not be connected to is not tried again for one second, then two, and so on up to this.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.back_off_max; }, 1s, 1h}},
    {"connections", "ring", R"("4MiB")",
     "Memory for messages between the connections and each worker, in each direction: what waits while the next engine takes over. Cut to "
     "a power of two.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections_ring_bytes; }, 256ULL << 10, 1ULL << 30}},

    {"connections", "proxy_protocol", "[]",
     "Listen addresses, as they stand in `listen`, whose connections come from a load balancer that says whom they are from (PROXY "
     "protocol, "
     "version 1 or 2). A connection that does not begin so is closed: nobody else must reach such an address.",
     TextsOption{set_proxy_protocol}},

    {"tls", "certificates", "[]",
     "PEM files, each a certificate and its chain. A peer that names a host gets the one with that name in its subjectAltName, others get "
     "the first, which is also shown when this server connects to a peer. Read again by `perdure rpc tls.reload`.",
     PathsOption{[](Config& c) -> std::vector<std::string>& { return c.connections.tls.certificates; }}},
    {"tls", "private_keys", "[]", "The PEM files of their keys, in the same order.",
     PathsOption{[](Config& c) -> std::vector<std::string>& { return c.connections.tls.private_keys; }}},
    {"tls", "ca_file", "", "PEM file of the authorities whose certificates are believed. Without it the system's list.",
     PathOption{[](Config& c) -> std::string& { return c.connections.tls.ca_file; }}},
    {"tls", "client_certificate", R"("off")",
     "Whether a peer that connects shows a certificate: \"off\" it is not asked; \"optional\" it may, and a bad one ends the handshake; "
     "\"required\" without one there is no connection.",
     ChoiceOption{
         client_certificates,
         [](Config& c, std::size_t i) { c.connections.tls.client_certificate = static_cast<edge::TlsOptions::ClientCertificate>(i); }}},
    {"tls", "verify_server", R"("name")",
     "What a peer that this server connects to must prove: \"off\" nothing; \"chain\" that an authority knows it; \"name\" also that it is "
     "the host of the URI that led there (RFC 5922: without wildcards), or has the address that stands there.",
     ChoiceOption{verify_servers,
                  [](Config& c, std::size_t i) { c.connections.tls.verify_server = static_cast<edge::TlsOptions::Verify>(i); }}},
    {"tls", "min_version", R"("1.2")", "Oldest version of TLS.",
     ChoiceOption{tls_versions, [](Config& c, std::size_t i) { c.connections.tls.tls_1_3_only = i == 1; }}},
    {"tls", "ciphers", "", "Ciphers for TLS 1.2, as OpenSSL writes them. Without it OpenSSL's default.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       c.connections.tls.ciphers = text;
       return {};
     }}},
    {"tls", "session_tickets", "true", "Whether peers may resume a session without a full handshake. Tickets end with `tls.reload`.",
     BooleanOption{[](Config& c) -> bool& { return c.connections.tls.session_tickets; }}},

    {"websocket", "origins", "[]",
     "Origins of the web pages that may connect, such as \"https://phone.example.org\"; then who names none may not either. Empty: any.",
     TextsOption{[](Config& c, const std::vector<std::string>& texts) -> Result<> {
       c.connections.web_origins = texts;
       return {};
     }}},

    {"engine", "watchdog", R"("2s")", "A worker that makes no progress for so long is taken for dead, and the next engine takes over.",
     DurationOption{[](Config& c) -> Duration& { return c.engine.watchdog; }, 100ms, 60s}},
    {"engine", "probation", R"("10s")",
     "An upgraded engine that ends sooner than that after it took over is replaced by one of the binary before; `perdure upgrade` waits so "
     "long.",
     DurationOption{[](Config& c) -> Duration& { return c.engine.probation; }, 100ms, 1h}},
    {"engine", "receive_buffer", R"("16MiB")",
     "Receive buffer of each UDP socket: it holds what arrives while the next engine takes over. The kernel's net.core.rmem_max limits it.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.engine.receive_buffer_bytes; }, 64ULL << 10, 1ULL << 30}},
};

std::string duration_text(Duration duration) {
  const auto us = duration.count();
  if (us == 0) return "0s";
  if (us % 3'600'000'000 == 0) return fmt::format("{}h", us / 3'600'000'000);
  if (us % 60'000'000 == 0) return fmt::format("{}m", us / 60'000'000);
  if (us % 1'000'000 == 0) return fmt::format("{}s", us / 1'000'000);
  return fmt::format("{}ms", us / 1000);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= 1ULL << 30) return fmt::format("{}GiB", bytes >> 30);
  if (bytes >= 1ULL << 20) return fmt::format("{}MiB", bytes >> 20);
  return fmt::format("{}KiB", bytes >> 10);
}

struct TypeText {
  std::string operator()(const TextOption&) const { return "text"; }
  std::string operator()(const PathOption&) const { return "path"; }
  std::string operator()(const PathsOption&) const { return "list of paths"; }
  std::string operator()(const TextsOption&) const { return "list of texts"; }
  std::string operator()(const DurationOption& o) const {
    return fmt::format("duration, {} to {}", duration_text(o.least), duration_text(o.most));
  }
  std::string operator()(const SizeOption& o) const { return fmt::format("size, {} to {}", size_text(o.least), size_text(o.most)); }
  std::string operator()(const NumberOption& o) const { return fmt::format("number, {} to {}", o.least, o.most); }
  std::string operator()(const BooleanOption&) const { return "true | false"; }
  std::string operator()(const OptionalNumberOption&) const { return "number"; }
  std::string operator()(const ChoiceOption& o) const {
    std::string text;
    for (const auto choice : o.choices) text += fmt::format("{}\"{}\"", text.empty() ? "" : " | ", choice);
    return text;
  }
};

// "htable.NAME" for the options of a family.
std::string shown_section(std::string_view section) {
  return section.ends_with('*') ? std::string(section.substr(0, section.size() - 1)) + "NAME" : std::string(section);
}

}  // namespace

std::span<const Option> options() {
  return table;
}
std::span<const SectionFamily> section_families() {
  return families;
}

std::string describe_type(const Option& option) {
  return std::visit(TypeText{}, option.value);
}

std::string configuration_reference() {
  std::string out =
      "# Configuration\n\n"
      "One TOML file, given with `-c`. A key that is not here is an error, and so is a value of another type or out of its range; errors "
      "name file and\n"
      "line. Paths are relative to the folder of the file. Durations are texts with a unit: `500ms`, `4s`, `10m`, `2h`, `1d`. Sizes are "
      "texts or numbers\n"
      "of bytes: `64KiB`, `16MiB`, `1GiB`. Without `-c` a default runs that listens on loopback only.\n\n"
      "This page is written by `perdure options`, from the table that the parser reads. A change of the file takes effect at the next "
      "start; "
      "`perdure\n"
      "reload` reads the script and the lists again, nothing else.\n";
  std::string_view section = "-";
  for (const auto& option : table) {
    if (option.section != section) {
      section = option.section;
      out += section.empty() ? "\n## Top level\n" : fmt::format("\n## [{}]\n", shown_section(section));
    }
    out += fmt::format("\n### {}{}{}\n\n{}\n\n- Type: {}\n- Default: {}\n", shown_section(option.section),
                       option.section.empty() ? "" : ".", option.key, option.text, describe_type(option),
                       option.default_value.empty() ? "none" : fmt::format("`{}`", option.default_value));
  }
  return out;
}

}  // namespace perdure::app

#pragma once
// The configuration as the rest of the program uses it: checked, with absolute paths. options/ says what every key means.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/logging.hpp"
#include "base/result.hpp"
#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "base/value.hpp"
#include "dispatch/options.hpp"
#include "edge/connections/options.hpp"
#include "htable/options.hpp"
#include "lcr/router.hpp"
#include "limit/pipes.hpp"
#include "limit/sources.hpp"
#include "net/http_types.hpp"
#include "net/redis_types.hpp"
#include "net/resolver.hpp"
#include "net/sql_types.hpp"
#include "prefix/tree.hpp"
#include "proxy/proxy.hpp"
#include "script/service_results.hpp"
#include "store/types.hpp"
#include "trace/hep.hpp"

namespace perdure::app {

struct ListenAddress {
  Transport transport = Transport::Udp;
  SocketAddress address;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct Config {
  std::string path;  // of the file, absolute; empty: the embedded default
  std::vector<ListenAddress> listen;
  std::string advertised_host;        // empty: the address itself
  std::uint16_t advertised_port = 0;  // 0: the port of the address
  std::vector<std::string> aliases;
  std::uint32_t workers = 0;
  std::string script;  // absolute; empty: the embedded script
  std::uint32_t script_instructions = 1'000'000;
  std::uint64_t script_memory_bytes = 64ULL << 20;
  Duration script_time = std::chrono::milliseconds(500);

  struct State {
    std::string directory;  // absolute
    store::Durability durability = store::Durability::Process;
    std::uint64_t max_bytes = 0;
    proxy::Persist persist = proxy::Persist::Full;
    store::ClockPolicy clock = store::ClockPolicy::Frozen;
    std::uint32_t partitions = 0;
    std::uint64_t tables_max_bytes = 0;
  } state;

  struct Transaction {
    Duration t1{}, t2{}, t4{}, timer_c{}, fr_timer{};
    bool forward_stray_responses = false, cancel_unknown_forwards = false;
    std::uint32_t branches_max = 0, max_breadth = 0, udp_request_max = 0, waiting_max = 0;
  } transaction;

  struct Dispatcher {
    std::string list;  // absolute; empty: no destinations
    dispatch::DispatcherOptions options;
  } dispatcher;

  struct EventCallback {
    std::string core, dispatcher, htable, tm;  // functions of the script; empty: none
  } event_callback;

  struct Timer {
    std::string name, route;
    Duration interval{};
  };
  std::vector<Timer> timers;  // [timer.NAME]

  struct Accounting {
    std::string log_file;                                                            // absolute; empty: standard error
    std::optional<std::int64_t> log_flag, log_missed_flag, failed_transaction_flag;  // 0 to 31
    std::vector<std::pair<std::string, std::string>> extra;                          // name, variable
  } acc;

  struct Uac {
    proxy::ProxyOptions::RestoreAddresses restore_mode = proxy::ProxyOptions::RestoreAddresses::Auto;
    std::string restore_password;
  } uac;

  struct Async {
    Duration delay_max{};
  } async;

  std::vector<std::pair<std::string, Value>> shared_variables;  // what $shv(name) begins with
  struct Permissions {
    std::string address_file, trusted_file;  // absolute; empty: none
    std::string database;                    // the name of a [sql.NAME] with the tables below; empty: none
    std::string address_table, trusted_table;
    std::string tag_avp;
    [[nodiscard]] bool any() const { return !address_file.empty() || !trusted_file.empty() || !database.empty(); }  // else it is nil
  } permissions;

  struct Nathelper {
    std::string received_avp;
  } nathelper;

  limit::SourceOptions pike;
  struct Pipelimit {
    Duration interval{};
  } pipelimit;
  std::vector<limit::PipeOptions> pipes;  // [pipe.NAME]

  std::vector<prefix::TreeOptions> trees;  // [mtree.NAME]
  struct Dialplan {
    std::string list;                                                              // absolute
    std::string database, table;                                                   // of a [sql.NAME], instead of a list
    [[nodiscard]] bool any() const { return !list.empty() || !database.empty(); }  // else KSR.dialplan is nil
    std::string attributes_avp;
  } dialplan;
  struct Lcr {
    std::string list;  // absolute; empty: KSR.lcr is nil
    std::string tag_avp, flags_avp;
    lcr::Options options;
  } lcr;

  std::vector<htable::TableOptions> htables;  // [htable.NAME]
  // Where a hash table begins with the rows of a table of a database.
  struct TableSource {
    std::string htable;
    std::string database;  // the name of a [sql.NAME]; empty: none
    std::string table, key, value;
    std::string key_type, value_type, expires;  // columns; empty: there is none
  };
  std::vector<TableSource> table_sources;  // one for each of htables

  struct Database {
    std::string name;
    net::SqlOptions options;
    Duration timeout{};
  };
  std::vector<Database> databases;  // [sql.NAME]

  struct Dns {
    net::ResolverOptions resolver;
    proxy::Locating locating;  // but for whom to ask
  } dns;
  struct Redis {
    std::string name;
    net::RedisOptions options;
  };
  std::vector<Redis> redis;  // [redis.NAME]

  struct Http {
    net::HttpOptions options;
    Duration timeout{};
    bool first_line_only = true;
  } http;
  std::vector<std::pair<std::string, script::HttpConnection>> http_connections;  // [http_connection.NAME]

  struct Admin {
    SocketAddress http;                                           // family None: there is no HTTP
    std::string token_file, certificate, private_key, client_ca;  // absolute; empty: none
    std::uint32_t connections = 0, requests_per_second = 0;
    std::string group;  // whose members may use the control socket; empty: that of the process
  } admin;
  struct Trace {
    std::uint64_t bytes = 0;  // 0: messages are not kept
    trace::HepOptions hep;
  } trace;

  log::Options log;

  edge::ConnectionOptions connections;        // but for the listeners
  std::vector<ListenAddress> proxy_protocol;  // those of `listen` that are behind a load balancer
  std::uint64_t connections_ring_bytes = 0;

  struct Engine {
    Duration watchdog{}, probation{}, gather{};
    std::uint64_t receive_buffer_bytes = 0;
  } engine;
};

// Reads `path`. The first thing that is wrong is the error: "file:line: what".
// `text`, if given, gets the content of the file.
[[nodiscard]] Result<Config> load_config(const std::string& path, std::string* text = nullptr);
// `path` is where the text is from: it stands in errors, and paths in the text are relative to its folder.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& path);
// What runs without -c: loopback, the embedded script, a state directory that this user may write.
[[nodiscard]] Result<Config> embedded_config();
[[nodiscard]] std::string_view embedded_config_text();

// Threads that route: `workers`, or one per processor that this process may use, and never more than partitions.
[[nodiscard]] std::uint32_t worker_count(const Config& config);

// "500ms", "4s", "10m", "2h", "1d"; "1GiB", "64KiB", "4096" (bytes); "udp:127.0.0.1:5060", "udp:[::1]:5060"; port 0: the
// kernel chooses.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace perdure::app

#pragma once
// What scripts of one engine can use beside proxy and dispatcher, made from one configuration.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/config.hpp"
#include "app/database_lists.hpp"
#include "base/result.hpp"
#include "dialplan/rules.hpp"
#include "htable/tables.hpp"
#include "lcr/router.hpp"
#include "limit/pipes.hpp"
#include "limit/sources.hpp"
#include "locate/block_list.hpp"
#include "net/http_client.hpp"
#include "net/redis_pool.hpp"
#include "net/resolver.hpp"
#include "net/sql_pool.hpp"
#include "permissions/address_list.hpp"
#include "prefix/tree.hpp"
#include "script/script_runner.hpp"
#include "shared/state.hpp"
#include "store/store.hpp"

namespace perdure::app {

class Capabilities {
 public:
  // Reads all lists; an error names file and line.
  [[nodiscard]] static Result<std::unique_ptr<Capabilities>> create(const Config& config);

  ~Capabilities() { stopping_ = true; }
  Capabilities(const Capabilities&) = delete;
  Capabilities& operator=(const Capabilities&) = delete;

  // What a reload reads anew: all of it or, with an error, nothing.
  struct Lists {
    permissions::AddressList addresses;
    dialplan::Rules rules;
    std::vector<std::shared_ptr<const prefix::Tree>> trees;
    lcr::List gateways;
    permissions::TrustedList trusted;
  };
  [[nodiscard]] Result<Lists> read_lists() const;
  void take_lists(Lists lists);

  // Persistent tables take over what the last engine left in the store that `store` names; tables get the entries of their files. Before
  // workers run. Calls do not wait for tables: what fails is logged, and they begin empty.
  void attach(store::Options store, Time now);
  // Reads the file or the table of a database that a hash table has, anew. Blocks.
  [[nodiscard]] Result<> reload(htable::Table& table, Time now);
  // Ends what is asked of other services: nothing speaks to the workers after it. They do not run any more, but all are still there.
  void disconnect();
  // Lets go of the store. Nothing here is used after it.
  void close();
  // About once a second, one thread.
  void on_tick(Time now, std::int64_t wall_us);

  void offer_to(script::ScriptOptions& options);
  [[nodiscard]] htable::Tables& tables() { return tables_; }
  [[nodiscard]] shared::State& shared() { return shared_; }
  [[nodiscard]] limit::Sources& sources() { return sources_; }
  [[nodiscard]] limit::Pipes& pipes() { return pipes_; }
  [[nodiscard]] permissions::Permissions& permissions() { return permissions_; }
  [[nodiscard]] dialplan::Dialplan& dialplan() { return dialplan_; }
  [[nodiscard]] prefix::Trees& trees() { return trees_; }
  [[nodiscard]] lcr::Router& lcr() { return lcr_; }
  // Until disconnect().
  [[nodiscard]] net::Resolver& resolver() { return *resolver_; }
  // Servers that have failed of late.
  [[nodiscard]] locate::BlockList& blocked() { return blocked_; }
  // Databases, Redis and HTTP servers, each with what it has counted.
  struct Service {
    std::string_view kind;
    std::string name;
    net::ServiceCounters counters;
  };
  [[nodiscard]] std::vector<Service> services() const;

 private:
  explicit Capabilities(const Config& config);
  [[nodiscard]] Result<> connect(const Config& config);
  [[nodiscard]] Result<> read_tables();
  [[nodiscard]] static Result<> put(htable::Table& table, const LoadedTable& loaded, Time now);
  void catch_up(Time attached);

  struct Database {
    std::string name;
    Duration timeout;
    std::unique_ptr<net::SqlPool> pool;
  };
  const Config config_;
  htable::Tables tables_;
  // What the databases said when this was made, by the names of the hash tables.
  std::vector<std::pair<std::string, LoadedTable>> loaded_;
  std::atomic<bool> stopping_{false};
  std::jthread catching_up_;
  shared::State shared_;
  permissions::Permissions permissions_;
  const Config::Dialplan dialplan_options_;
  dialplan::Dialplan dialplan_;
  prefix::Trees trees_;
  const Config::Lcr lcr_options_;
  lcr::Router lcr_;
  limit::Sources sources_;
  limit::Pipes pipes_;
  std::vector<Database> databases_;
  std::unique_ptr<net::Resolver> resolver_;
  locate::BlockList blocked_;
  struct Redis {
    std::string name;
    Duration timeout;
    std::unique_ptr<net::RedisPool> pool;
  };
  std::vector<Redis> redis_;
  std::unique_ptr<net::HttpClient> http_client_;
  script::HttpService http_;
};

}  // namespace perdure::app

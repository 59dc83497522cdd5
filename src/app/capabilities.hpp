#pragma once
// What scripts of one engine can use beside proxy and dispatcher, made from one configuration.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "base/result.hpp"
#include "dialplan/rules.hpp"
#include "htable/tables.hpp"
#include "lcr/router.hpp"
#include "limit/pipes.hpp"
#include "limit/sources.hpp"
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

  // What a reload reads anew: all of it or, with an error, nothing.
  struct Lists {
    permissions::AddressList addresses;
    dialplan::Rules rules;
    std::vector<std::shared_ptr<const prefix::Tree>> trees;
    lcr::List gateways;
  };
  [[nodiscard]] Result<Lists> read_lists() const;
  void take_lists(Lists lists);

  // Persistent tables take over what the last engine left in the store that `store` names; tables get the entries of their files. Before
  // workers run. Calls do not wait for tables: what fails is logged, and they begin empty.
  void attach(store::Options store, Time now);
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

 private:
  explicit Capabilities(const Config& config);
  [[nodiscard]] Result<> connect(const Config& config);

  struct Database {
    std::string name;
    Duration timeout;
    std::unique_ptr<net::SqlPool> pool;
  };
  htable::Tables tables_;
  shared::State shared_;
  const Config::Permissions permissions_options_;
  permissions::Permissions permissions_;
  const Config::Dialplan dialplan_options_;
  dialplan::Dialplan dialplan_;
  prefix::Trees trees_;
  const Config::Lcr lcr_options_;
  lcr::Router lcr_;
  limit::Sources sources_;
  limit::Pipes pipes_;
  std::vector<Database> databases_;
};

}  // namespace perdure::app

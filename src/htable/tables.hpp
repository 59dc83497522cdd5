#pragma once
// The hash tables of one engine.
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "htable/table.hpp"

namespace perdure::htable {

class Tables {
 public:
  explicit Tables(std::vector<TableOptions> options);

  // Null: there is no such table. Tables live as long as this.
  [[nodiscard]] Table* find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Table>>& all() const { return tables_; }
  [[nodiscard]] bool any_persistent() const;

  // What the store of persistent tables needs to be opened with.
  [[nodiscard]] static std::vector<store::KindInfo> store_kinds();

  struct AttachReport {
    std::uint64_t entries = 0;
    std::uint64_t damaged = 0;  // in a place where the table would not look for them
    std::uint64_t orphans = 0;  // of tables that are not configured as persistent any more
  };
  // Persistent tables live in `store` from now on and begin with what it holds; the rest is erased. Before workers run. `now` and
  // `monotonic_us` are of the same moment.
  [[nodiscard]] AttachReport attach(std::unique_ptr<store::Store> store, Time now, std::int64_t monotonic_us);
  // Lets go of the store, and of all tables with it. When no worker runs any more.
  void close();
  // Reads the files of all tables: an error names file and line. Tables that hold something already (persistent ones) stay as they are.
  [[nodiscard]] Result<> load(Time now) const;
  // The same for one, which loses what it held.
  [[nodiscard]] Result<> reload(Table& table, Time now) const;
  // Only reads the files.
  [[nodiscard]] static Result<> check(const std::vector<TableOptions>& options);

  // Removes what has expired, a part of each table per call, and lets the store know the time. One thread, about once a second.
  void on_tick(Time now, std::int64_t wall_us);
  // Of the store behind persistent tables; none without.
  [[nodiscard]] store::Usage store_usage() const { return backing_ ? backing_->store->usage() : store::Usage{}; }

 private:
  std::unique_ptr<Backing> backing_;  // outlives the tables
  std::vector<std::unique_ptr<Table>> tables_;
  Duration offset_{};  // store time minus `now`
};

}  // namespace perdure::htable

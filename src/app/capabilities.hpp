#pragma once
// What scripts of one engine can use beside proxy and dispatcher, made from one configuration.
#include <cstdint>
#include <memory>

#include "app/config.hpp"
#include "base/result.hpp"
#include "htable/tables.hpp"
#include "script/script_runner.hpp"
#include "shared/state.hpp"
#include "store/store.hpp"

namespace perdure::app {

class Capabilities {
 public:
  // Reads all lists; an error names file and line.
  [[nodiscard]] static Result<std::unique_ptr<Capabilities>> create(const Config& config);

  // Persistent tables take over what the last engine left in the store that `store` names; tables get the entries of their files. Before
  // workers run. Calls do not wait for tables: what fails is logged, and they begin empty.
  void attach(store::Options store, Time now);
  // Lets go of the store. No worker runs any more, and nothing here is used after it.
  void close();
  // About once a second, one thread.
  void on_tick(Time now, std::int64_t wall_us);

  void offer_to(script::ScriptOptions& options);
  [[nodiscard]] htable::Tables& tables() { return tables_; }
  [[nodiscard]] shared::State& shared() { return shared_; }

 private:
  explicit Capabilities(const Config& config);

  htable::Tables tables_;
  shared::State shared_;
};

}  // namespace perdure::app

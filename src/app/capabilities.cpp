#include "app/capabilities.hpp"

#include "base/logging.hpp"

namespace perdure::app {

Capabilities::Capabilities(const Config& config) : tables_(config.htables) {
  for (const auto& [name, value] : config.shared_variables) (void)shared_.set_variable(name, value);
}

Result<std::unique_ptr<Capabilities>> Capabilities::create(const Config& config) {
  if (auto checked = htable::Tables::check(config.htables); !checked) return std::unexpected(checked.error());
  return std::unique_ptr<Capabilities>(new Capabilities(config));
}

void Capabilities::attach(store::Options options, Time now) {
  if (tables_.any_persistent()) {
    options.kinds = htable::Tables::store_kinds();
    if (auto store = store::Store::open(options); !store) {
      log::error("hash tables begin empty and do not outlive this engine: {}", store.error().message);
    } else {
      const auto report = tables_.attach(std::move(*store), now, options.monotonic_us);
      log::notice("hash tables: {} entries recovered", report.entries);
    }
  }
  if (auto loaded = tables_.load(now); !loaded) log::error("{}", loaded.error().message);
}

void Capabilities::close() {
  tables_.close();
}

void Capabilities::on_tick(Time now, std::int64_t wall_us) {
  tables_.on_tick(now, wall_us);
}

void Capabilities::offer_to(script::ScriptOptions& options) {
  options.tables = tables_.all().empty() ? nullptr : &tables_;
  options.shared = &shared_;
}

}  // namespace perdure::app

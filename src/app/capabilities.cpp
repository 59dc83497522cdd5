#include "app/capabilities.hpp"

#include <fmt/format.h>

#include "base/logging.hpp"

namespace perdure::app {

Capabilities::Capabilities(const Config& config)
    : tables_(config.htables),
      permissions_options_(config.permissions),
      sources_(config.pike),
      pipes_(config.pipes, config.pipelimit.interval) {
  for (const auto& [name, value] : config.shared_variables) (void)shared_.set_variable(name, value);
}

Result<std::unique_ptr<Capabilities>> Capabilities::create(const Config& config) {
  if (auto checked = htable::Tables::check(config.htables); !checked) return std::unexpected(checked.error());
  std::unique_ptr<Capabilities> made(new Capabilities(config));
  auto lists = made->read_lists();
  if (!lists) return std::unexpected(lists.error());
  made->take_lists(std::move(*lists));
  if (auto connected = made->connect(config); !connected) return std::unexpected(connected.error());
  return made;
}

Result<> Capabilities::connect(const Config& config) {
  for (const auto& database : config.databases) {
    net::SqlOptions options = database.options;
    options.statement_timeout = database.timeout;
    auto pool = net::SqlPool::create(std::move(options));
    if (!pool) return fail(fmt::format("[sql.{}]: {}", database.name, pool.error().message));
    databases_.push_back({database.name, database.timeout, std::move(*pool)});
  }
  return {};
}

void Capabilities::disconnect() {
  databases_.clear();
}

Result<Capabilities::Lists> Capabilities::read_lists() const {
  Lists lists;
  if (!permissions_options_.address_file.empty()) {
    auto addresses = permissions::AddressList::load(permissions_options_.address_file);
    if (!addresses) return std::unexpected(addresses.error());
    lists.addresses = std::move(*addresses);
  }
  return lists;
}

void Capabilities::take_lists(Lists lists) {
  permissions_.replace(std::move(lists.addresses));
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
  for (const auto& database : databases_) options.databases[database.name] = {.pool = database.pool.get(), .timeout = database.timeout};
  options.permissions.permissions = permissions_options_.address_file.empty() ? nullptr : &permissions_;
  options.permissions.tag_avp = permissions_options_.tag_avp;
  options.sources = &sources_;
  options.pipes = &pipes_;
}

}  // namespace perdure::app

#include "app/capabilities.hpp"

#include <fmt/format.h>

#include "base/logging.hpp"

namespace perdure::app {

Capabilities::Capabilities(const Config& config)
    : tables_(config.htables),
      permissions_options_(config.permissions),
      dialplan_options_(config.dialplan),
      trees_(config.trees),
      lcr_options_(config.lcr),
      lcr_(config.lcr.options),
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
  if (!dialplan_options_.list.empty()) {
    auto rules = dialplan::Rules::load(dialplan_options_.list);
    if (!rules) return std::unexpected(rules.error());
    lists.rules = std::move(*rules);
  }
  auto trees = trees_.load();
  if (!trees) return std::unexpected(trees.error());
  lists.trees = std::move(*trees);
  if (!lcr_options_.list.empty()) {
    auto gateways = lcr::List::load(lcr_options_.list);
    if (!gateways) return std::unexpected(gateways.error());
    lists.gateways = std::move(*gateways);
  }
  return lists;
}

void Capabilities::take_lists(Lists lists) {
  permissions_.replace(std::move(lists.addresses));
  dialplan_.replace(std::move(lists.rules));
  trees_.replace(std::move(lists.trees));
  lcr_.replace(std::move(lists.gateways));
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
  options.routing.dialplan = dialplan_options_.list.empty() ? nullptr : &dialplan_;
  options.routing.attributes_avp = dialplan_options_.attributes_avp;
  options.routing.trees = trees_.options().empty() ? nullptr : &trees_;
  options.routing.lcr = lcr_options_.list.empty() ? nullptr : &lcr_;
  options.routing.tag_avp = lcr_options_.tag_avp;
  options.routing.flags_avp = lcr_options_.flags_avp;
  options.sources = &sources_;
  options.pipes = &pipes_;
}

}  // namespace perdure::app

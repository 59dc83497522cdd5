#include "app/capabilities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/logging.hpp"
#include "engine/clock.hpp"

namespace perdure::app {

Capabilities::Capabilities(const Config& config)
    : config_(config),
      tables_(config.htables),
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
  if (auto read = made->read_tables(); !read) return std::unexpected(read.error());
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
  net::ResolverOptions resolver_options = config.dns.resolver;
  resolver_options.searches_of_asker_max = config.transaction.waiting_max;
  auto resolver = net::Resolver::create(std::move(resolver_options));
  if (!resolver) return std::unexpected(resolver.error());
  resolver_ = std::move(*resolver);
  for (const auto& server : config.redis) {
    auto pool = net::RedisPool::create(server.options);
    if (!pool) return fail(fmt::format("[redis.{}]: {}", server.name, pool.error().message));
    redis_.push_back({server.name, server.options.timeout, std::move(*pool)});
  }
  http_client_ = std::make_unique<net::HttpClient>(config.http.options);
  http_ = {.client = http_client_.get(), .timeout = config.http.timeout, .first_line_only = config.http.first_line_only, .connections = {}};
  for (const auto& [name, connection] : config.http_connections) {
    if (connection.url.empty()) return fail(fmt::format("[http_connection.{}]: there is no url", name));
    http_.connections.emplace(name, connection);
  }
  return {};
}

void Capabilities::disconnect() {
  resolver_.reset();
  stopping_ = true;
  if (catching_up_.joinable()) catching_up_.join();
  databases_.clear();
  redis_.clear();
  http_client_.reset();
}

std::vector<Capabilities::Service> Capabilities::services() const {
  std::vector<Service> all;
  for (const auto& database : databases_) all.push_back({"sql", database.name, database.pool->counters()});
  for (const auto& server : redis_) all.push_back({"redis", server.name, server.pool->counters()});
  if (http_client_) all.push_back({"http", "", http_client_->counters()});
  return all;
}

Result<Capabilities::Lists> Capabilities::read_lists() const {
  Lists lists;
  const auto& from = config_.permissions;
  const bool has_database = !from.database.empty();
  const auto take = [](auto& list, auto read) -> Result<> {
    if (!read) return std::unexpected(read.error());
    list = std::move(*read);
    return {};
  };
  Result<> done;
  if (has_database && !from.address_table.empty())
    done = take(lists.addresses, load_addresses(config_));
  else if (!from.address_file.empty())
    done = take(lists.addresses, permissions::AddressList::load(from.address_file));
  if (!done) return std::unexpected(done.error());
  if (has_database && !from.trusted_table.empty())
    done = take(lists.trusted, load_trusted(config_));
  else if (!from.trusted_file.empty())
    done = take(lists.trusted, permissions::TrustedList::load(from.trusted_file));
  if (!done) return std::unexpected(done.error());
  if (dialplan_options_.any()) {
    if (!dialplan_options_.list.empty() && !dialplan_options_.database.empty())
      return fail("[dialplan]: `list` and `db` cannot both be given");
    auto rules = dialplan_options_.database.empty() ? dialplan::Rules::load(dialplan_options_.list) : load_rules(config_);
    if (!rules) return std::unexpected(rules.error());
    lists.rules = std::move(*rules);
  }
  for (const auto& options : trees_.options()) {
    if (!options.file.empty() && !options.database.empty())
      return fail(fmt::format("[mtree.{}]: `file` and `db` cannot both be given", options.name));
    auto tree = options.database.empty() ? prefix::Tree::load(options) : load_tree(config_, options);
    if (!tree) return std::unexpected(tree.error());
    lists.trees.push_back(std::make_shared<const prefix::Tree>(std::move(*tree)));
  }
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
  permissions_.replace(std::move(lists.trusted));
}

// ---- hash tables from databases ----

Result<> Capabilities::read_tables() {
  for (const auto& source : config_.table_sources) {
    if (source.database.empty()) continue;
    if (!std::ranges::find(config_.htables, source.htable, &htable::TableOptions::name)->load.empty())
      return fail(fmt::format("[htable.{}]: `load` and `db` cannot both be given", source.htable));
    auto loaded = load_htable(config_, source, engine::wall_us(), stopping_);
    if (!loaded) return std::unexpected(loaded.error());
    loaded_.emplace_back(source.htable, std::move(*loaded));
  }
  return {};
}

Result<> Capabilities::put(htable::Table& table, const LoadedTable& loaded, Time now) {
  if (table.replace(loaded.entries, now) != htable::Change::Done)
    return fail(fmt::format("[htable.{}]: there is no room for what the database holds", table.name()));
  // What has no end in the database any more has none here, either.
  if (table.options().autoexpire == Duration::zero())
    for (const auto& [key, value] : loaded.entries)
      if (table.lifetime(key, now) > Duration::zero()) (void)table.set_lifetime(key, Duration::zero(), now);
  for (const auto& [key, lifetime] : loaded.lifetimes) (void)table.set_lifetime(key, lifetime, now);
  return {};
}

Result<> Capabilities::reload(htable::Table& table, Time now) {
  const auto source = std::ranges::find(config_.table_sources, table.name(), &Config::TableSource::htable);
  if (source->database.empty()) return tables_.reload(table, now);
  auto loaded = load_htable(config_, *source, engine::wall_us(), stopping_);
  if (!loaded) return std::unexpected(loaded.error());
  return put(table, *loaded, now);
}

// Between the reading of this engine and its work hours may have passed. What has changed in the database since is taken over, but for keys
// that the script has changed meanwhile. In a thread of its own: calls do not wait for a database.
void Capabilities::catch_up(Time attached) {
  const auto begun = net::service_now();
  for (const auto& [name, before] : loaded_) {
    if (stopping_.load()) return;
    htable::Table& table = *tables_.find(name);
    const auto source = std::ranges::find(config_.table_sources, name, &Config::TableSource::htable);
    const auto fresh = load_htable(config_, *source, engine::wall_us(), stopping_);
    if (!fresh) {
      log::error("{}; the table goes on with what was read before", fresh.error().message);
      continue;
    }
    const Time now = attached + std::chrono::duration_cast<Duration>(net::service_now() - begun);
    std::unordered_map<std::string_view, const Value*> was, is;
    for (const auto& [key, value] : before.entries) was.emplace(key, &value);
    for (const auto& [key, value] : fresh->entries) is.emplace(key, &value);
    const auto untouched = [&](const std::string& key) {
      Value current;
      const bool there = table.get(key, now, current);
      const auto old = was.find(key);
      return old == was.end() ? !there : there && current == *old->second;
    };
    std::size_t changes = 0;
    for (const auto& [key, value] : fresh->entries) {
      const auto old = was.find(key);
      if ((old != was.end() && *old->second == value) || !untouched(key)) continue;
      changes += table.set(key, value, now) == htable::Change::Done;
    }
    for (const auto& [key, lifetime] : fresh->lifetimes)
      if (untouched(key) || !was.contains(key)) (void)table.set_lifetime(key, lifetime, now);
    for (const auto& [key, value] : before.entries)
      if (!is.contains(key) && untouched(key)) changes += table.erase(key);
    if (changes) log::notice("hash table {}: {} changes of the database since this engine was made", name, changes);
  }
  loaded_.clear();
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
  std::erase_if(loaded_, [&](const auto& one) { return tables_.find(one.first)->size() > 0; });  // persistent ones go on
  for (const auto& [name, loaded] : loaded_)
    if (auto done = put(*tables_.find(name), loaded, now); !done) log::error("{}", done.error().message);
  if (!loaded_.empty()) catching_up_ = std::jthread([this, now] { catch_up(now); });
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
  for (const auto& server : redis_) options.redis[server.name] = {.pool = server.pool.get(), .timeout = server.timeout};
  options.http = &http_;
  options.permissions.permissions = config_.permissions.any() ? &permissions_ : nullptr;
  options.permissions.tag_avp = config_.permissions.tag_avp;
  options.received_avp = config_.nathelper.received_avp;
  options.routing.dialplan = dialplan_options_.any() ? &dialplan_ : nullptr;
  options.routing.attributes_avp = dialplan_options_.attributes_avp;
  options.routing.trees = trees_.options().empty() ? nullptr : &trees_;
  options.routing.lcr = lcr_options_.list.empty() ? nullptr : &lcr_;
  options.routing.tag_avp = lcr_options_.tag_avp;
  options.routing.flags_avp = lcr_options_.flags_avp;
  options.sources = &sources_;
  options.pipes = &pipes_;
}

}  // namespace perdure::app

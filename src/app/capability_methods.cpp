#include "app/capability_methods.hpp"

#include <fmt/format.h>

#include "app/dns_methods.hpp"
#include "base/text_file.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using admin::rpc_code::invalid_params;
using htable::Table;

// A key or text: numbers stand for their text.
std::optional<std::string> text_of(const Json& params, std::size_t index, std::string_view name) {
  const Json& given = admin::parameter(params, index, name);
  if (given.is_string()) return given.get<std::string>();
  if (given.is_number_integer()) return std::to_string(given.get<std::int64_t>());
  return std::nullopt;
}

Json value_json(const Value& value) {
  return value.is_number ? Json(value.number) : Json(value.text);
}

// ---- hash tables ----

// Calls `f` with the table that the first parameter names.
template <class F>
RpcResult with_table(Capabilities& capabilities, const Json& params, F&& f) {
  const auto name = text_of(params, 0, "table");
  if (!name) return rpc_fail("the first parameter is the name of a hash table", invalid_params);
  Table* const table = capabilities.tables().find(*name);
  if (!table) return rpc_fail(fmt::format("there is no hash table '{}'", *name));
  return f(*table);
}
template <class F>
RpcResult with_entry(Capabilities& capabilities, const Json& params, F&& f) {
  return with_table(capabilities, params, [&](Table& table) -> RpcResult {
    const auto key = text_of(params, 1, "key");
    return key ? f(table, *key) : rpc_fail("the second parameter is a key", invalid_params);
  });
}

Json dump(const Table& table, Time now) {
  Json parts = Json::array();
  std::vector<Table::View> views;
  for (std::size_t i = 0; i < table.shard_count(); ++i) {
    views.clear();
    table.list(i, now, views);
    if (views.empty()) continue;
    Json entries = Json::array();
    for (const auto& view : views)
      entries.push_back({{"name", view.key}, {"value", value_json(view.value)}, {"type", view.value.is_number ? "int" : "str"}});
    parts.push_back({{"entry", i}, {"size", views.size()}, {"slot", std::move(entries)}});
  }
  return parts;
}

RpcResult get(const Table& table, const std::string& key, Time now) {
  Value value;
  if (!table.get(key, now, value)) return rpc_fail(fmt::format("there is no key '{}' in hash table '{}'", key, table.name()));
  return Json{{"item", {{"name", key}, {"value", value_json(value)}}}};
}

RpcResult set(Table& table, const std::string& key, const Value& value, Time now) {
  switch (table.set(key, value, now)) {
    case htable::Change::Full:
      return rpc_fail(fmt::format("hash table '{}' is full", table.name()));
    case htable::Change::TooLong:
      return rpc_fail("the key or the text is too long", invalid_params);
    case htable::Change::Done:
    case htable::Change::NoNumber:
      break;
  }
  return Json::object();
}

Json list(const htable::Tables& tables) {
  Json all = Json::array();
  for (const auto& table : tables.all()) {
    const auto& options = table->options();
    all.push_back({{"name", options.name},
                   {"dbtable", ""},
                   {"dbmode", 0},
                   {"expire", options.autoexpire.count() / 1'000'000},
                   {"updateexpire", options.update_expire ? 1 : 0},
                   {"size", table->shard_count()},
                   {"dmqreplicate", 0},
                   {"persist", options.persist},
                   {"load", options.load}});
  }
  return all;
}

Json statistics(const htable::Tables& tables) {
  Json all = Json::array();
  for (const auto& table : tables.all()) {
    const auto one = table->statistics();
    all.push_back({{"name", table->name()},
                   {"slots", one.shards},
                   {"all", one.entries},
                   {"min", one.fewest},
                   {"max", one.most},
                   {"bytes", one.bytes},
                   {"refused", one.refused},
                   {"expired", one.expired}});
  }
  return all;
}

void add_htable_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& all) {
  methods.add("htable.dump", [&](const Json& params) {
    return with_table(all, params, [&](Table& table) -> RpcResult { return dump(table, engine.now()); });
  });
  methods.add("htable.get", [&](const Json& params) {
    return with_entry(all, params, [&](Table& table, const std::string& key) { return get(table, key, engine.now()); });
  });
  methods.add("htable.sets", [&](const Json& params) {
    return with_entry(all, params, [&](Table& table, const std::string& key) -> RpcResult {
      const auto text = text_of(params, 2, "value");
      return text ? set(table, key, Value::of(std::string_view(*text)), engine.now())
                  : rpc_fail("the third parameter is a text", invalid_params);
    });
  });
  methods.add("htable.seti", [&](const Json& params) {
    return with_entry(all, params, [&](Table& table, const std::string& key) -> RpcResult {
      const Json& number = admin::parameter(params, 2, "value");
      if (!number.is_number_integer()) return rpc_fail("the third parameter is a number", invalid_params);
      return set(table, key, Value::of(number.get<std::int64_t>()), engine.now());
    });
  });
  methods.add("htable.delete", [&](const Json& params) {
    return with_entry(all, params, [](Table& table, const std::string& key) -> RpcResult {
      (void)table.erase(key);
      return Json::object();
    });
  });
  methods.add("htable.reload", [&](const Json& params) {
    return with_table(all, params, [&](Table& table) -> RpcResult {
      if (auto done = all.reload(table, engine.now()); !done) return rpc_fail(done.error().message);
      return Json::object();
    });
  });
  methods.add("htable.listTables", [&](const Json&) -> RpcResult { return list(all.tables()); });
  methods.add("htable.stats", [&](const Json&) -> RpcResult { return statistics(all.tables()); });
}

// ---- shared variables ----

Json variable_json(const std::string& name, const Value& value) {
  return {{"name", name}, {"type", value.is_number ? "int" : "string"}, {"value", value_json(value)}};
}

RpcResult get_variables(shared::State& state, const Json& params) {
  const auto wanted = text_of(params, 0, "name");
  if (!wanted) {
    Json all = Json::array();
    for (const auto& [name, value] : state.variables()) all.push_back(variable_json(name, value));
    return all;
  }
  const auto value = state.variable(*wanted);
  if (!value) return rpc_fail(fmt::format("there is no shared variable '{}'", *wanted));
  return variable_json(*wanted, *value);
}

RpcResult set_variable(shared::State& state, const Json& params) {
  const auto name = text_of(params, 0, "name"), type = text_of(params, 1, "type"), text = text_of(params, 2, "value");
  const bool is_number = type == "int";
  if (!name || !text || (!is_number && type != "str" && type != "string"))
    return rpc_fail("parameters are: name, type (int or str), value", invalid_params);
  const auto number = is_number ? number_from<std::int64_t>(*text) : std::optional<std::int64_t>(0);
  if (!number) return rpc_fail(fmt::format("'{}' is not a number", *text), invalid_params);
  if (!state.set_variable(*name, is_number ? Value::of(*number) : Value::of(std::string_view(*text))))
    return rpc_fail("there is no room for the variable");
  return Json::object();
}

// ---- sources, pipes, addresses ----

constexpr std::size_t sources_shown_max = 1000;

Json sources_json(const limit::Sources& sources, const Json& params, Time now) {
  const bool all = text_of(params, 0, "all") == "all";
  Json list = Json::array();
  for (const auto& view : sources.view(now, !all, sources_shown_max))
    list.push_back({{"ip", view.address.ip_text()}, {"previous", view.previous}, {"current", view.current}, {"blocked", view.blocked}});
  return list;
}

// Kamailio's pike.top.
RpcResult top_sources(const limit::Sources& sources, const Json& params, Time now) {
  const auto filter = text_of(params, 0, "filter").value_or("HOT");
  std::optional<limit::Heat> heat;
  if (filter == "HOT")
    heat = limit::Heat::Hot;
  else if (filter == "WARM")
    heat = limit::Heat::Warm;
  else if (filter != "ALL")
    return rpc_fail("the filter is ALL, HOT or WARM", invalid_params);
  Json list = Json::array();
  for (const auto& view : sources.top(now, heat, sources_shown_max))
    list.push_back({{"ip_addr", view.address.ip_text()},
                    {"leaf_hits_prev", view.previous},
                    {"leaf_hits_curr", view.current},
                    {"expires", std::chrono::ceil<std::chrono::seconds>(view.forgotten_in).count()},
                    {"status", view.heat == limit::Heat::Hot    ? "HOT"
                               : view.heat == limit::Heat::Warm ? "WARM"
                                                                : ""}});
  const auto rows = list.size();
  return Json{{"max_hits", sources.options().requests_max}, {"list", std::move(list)}, {"number_of_rows", rows}};
}

Json pipes_json(const limit::Pipes& pipes, Time now) {
  Json list = Json::array();
  for (const auto& view : pipes.view(now))
    list.push_back({{"name", view.name},
                    {"algorithm", limit::name(view.algorithm)},
                    {"limit", view.limit},
                    {"counter", view.counter},
                    {"last_counter", view.last_counter},
                    {"configured", view.configured}});
  return list;
}

RpcResult set_pipe(limit::Pipes& pipes, const Json& params) {
  const auto name = text_of(params, 0, "name"), algorithm_text = text_of(params, 1, "algorithm");
  const Json& most = admin::parameter(params, 2, "limit");
  const auto algorithm = limit::pipe_algorithm_from(algorithm_text.value_or(""));
  if (!name || !algorithm || !most.is_number_unsigned() || most.get<std::uint64_t>() > UINT32_MAX)
    return rpc_fail("parameters are: name, algorithm (TAILDROP or RED), limit", invalid_params);
  if (!pipes.set(*name, *algorithm, most.get<std::uint32_t>())) return rpc_fail(fmt::format("there is no pipe '{}'", *name));
  return Json::object();
}

Json addresses_json(const permissions::AddressList& addresses) {
  Json list = Json::array();
  for (const auto& entry : addresses.entries())
    list.push_back(
        {{"group", entry.group}, {"address", entry.network.ip_text()}, {"bits", entry.bits}, {"port", entry.port}, {"tag", entry.tag}});
  return list;
}

Json trusted_json(const permissions::TrustedList& trusted) {
  Json list = Json::array();
  for (const auto& row : trusted.rows())
    list.push_back({{"source", row.source},
                    {"transport", row.transport},
                    {"from_pattern", row.from_pattern},
                    {"uri_pattern", row.uri_pattern},
                    {"tag", row.tag},
                    {"priority", row.priority}});
  return list;
}

}  // namespace

Json services_json(const std::vector<Capabilities::Service>& services) {
  Json list = Json::array();
  for (const auto& [kind, name, counters] : services)
    list.push_back({{"kind", kind},
                    {"name", name},
                    {"requests", counters.requests},
                    {"errors", counters.errors},
                    {"timeouts", counters.timeouts},
                    {"overloads", counters.overloads},
                    {"connects", counters.connects},
                    {"latency_us", counters.latency_us},
                    {"waiting", counters.waiting},
                    {"in_flight", counters.in_flight}});
  return list;
}

void add_capability_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& capabilities) {
  add_htable_methods(methods, engine, capabilities);
  add_dns_methods(methods, engine, capabilities);
  methods.add("pike.list", [&](const Json& params) -> RpcResult { return sources_json(capabilities.sources(), params, engine.now()); });
  methods.add("pike.top", [&](const Json& params) { return top_sources(capabilities.sources(), params, engine.now()); });
  methods.add("pl.get_pipes", [&](const Json&) -> RpcResult { return pipes_json(capabilities.pipes(), engine.now()); });
  methods.add("pl.set_pipe", [&](const Json& params) { return set_pipe(capabilities.pipes(), params); });
  methods.add("permissions.addressDump", [&](const Json&) -> RpcResult { return addresses_json(*capabilities.permissions().list()); });
  methods.add("permissions.trustedDump", [&](const Json&) -> RpcResult { return trusted_json(*capabilities.permissions().trusted()); });
  methods.add("services.list", [&](const Json&) -> RpcResult { return services_json(capabilities.services()); });
  methods.add("pv.shvGet", [&](const Json& params) { return get_variables(capabilities.shared(), params); });
  methods.add("pv.shvSet", [&](const Json& params) { return set_variable(capabilities.shared(), params); });
}

}  // namespace perdure::app

#include "app/engine_methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <memory>

#include "app/engine_counters.hpp"
#include "app/metrics/collect.hpp"
#include "base/checksum.hpp"
#include "proxy/routing_context.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using admin::rpc_code::invalid_params;

constexpr Duration worker_deadline = 2s;
constexpr std::size_t list_default = 50, list_max = 10'000;

Json usage_json(const store::Usage& usage) {
  return {{"used_bytes", usage.used_bytes}, {"claimed_bytes", usage.claimed_bytes}, {"max_bytes", usage.max_bytes}};
}

Json counters_json(const engine::EngineCounters& counters) {
  Json json = Json::object();
  for (const auto& counter : named_counters(counters)) json[std::string(counter.name)] = counter.value;
  return json;
}

RpcResult script_status(EngineParts parts) {
  Json json = {{"runs", 0}, {"errors", 0}, {"reloads", 0}, {"last_error", ""}, {"memory_bytes", 0}};
  std::uint64_t runs = 0, errors = 0, reloads = 0, memory = 0;
  std::string last_error;
  const bool all = parts.engine.run_on_all(
      [&](std::uint32_t worker, proxy::Proxy&) {
        const auto& runner = *parts.runners[worker];
        runs += runner.counters().runs;
        errors += runner.counters().errors;
        reloads = std::max(reloads, runner.counters().reloads);
        memory += runner.memory_bytes();
        if (!runner.counters().last_error.empty()) last_error = runner.counters().last_error;
      },
      worker_deadline);
  if (!all) return rpc_fail("a worker did not answer in time");
  return Json{{"runs", runs}, {"errors", errors}, {"reloads", reloads}, {"last_error", last_error}, {"memory_bytes", memory}};
}

RpcResult status(EngineParts parts) {
  const auto counters = parts.engine.counters();
  auto script = script_status(parts);
  if (!script) return script;
  const auto list = parts.dispatcher.list();
  return Json{{"transactions", counters.open_transactions},
              {"waiting", counters.waiting},
              {"counters", counters_json(counters)},
              {"store", usage_json(parts.engine.store_usage())},
              {"script", std::move(*script)},
              {"dispatcher", {{"sets", list ? list->sets.size() : 0}, {"destinations", list ? list->size() : 0}}}};
}

Json transaction_json(const proxy::TransactionView& view) {
  Json branches = Json::array();
  for (const auto& branch : view.branches)
    branches.push_back({{"uri", branch.uri}, {"destination", branch.destination}, {"state", branch.state}, {"status", branch.status}});
  return {{"call_id", view.call_id},
          {"method", view.method},
          {"from", view.from},
          {"to", view.to},
          {"request_uri", view.request_uri},
          {"state", view.state},
          {"age_ms", view.age.count() / 1000},
          {"branches", std::move(branches)}};
}

RpcResult list_transactions(EngineParts parts, const Json& params) {
  std::size_t limit = list_default;
  if (const Json& given = admin::parameter(params, 0, "limit"); !given.is_null()) {
    if (!given.is_number_unsigned() || given.get<std::uint64_t>() == 0 || given.get<std::uint64_t>() > list_max)
      return rpc_fail(fmt::format("limit must be a number from 1 to {}", list_max), invalid_params);
    limit = given.get<std::size_t>();
  }
  std::vector<proxy::TransactionView> views;
  const Time now = parts.engine.now();
  const bool all = parts.engine.run_on_all(
      [&](std::uint32_t, const proxy::Proxy& proxy) {
        if (views.size() >= limit) return;
        auto more = proxy.transactions(limit - views.size(), now);
        std::ranges::move(more, std::back_inserter(views));
      },
      worker_deadline);
  if (!all) return rpc_fail("a worker did not answer in time");
  std::ranges::sort(views, std::ranges::greater(), &proxy::TransactionView::age);
  Json json = Json::array();
  for (const auto& view : views) json.push_back(transaction_json(view));
  return json;
}

// Kamailio's tm.cancel: the Call-ID and the number of its CSeq.
RpcResult cancel_call(engine::Engine& engine, const Json& params) {
  const Json &call_id = admin::parameter(params, 0, "call_id"), &cseq = admin::parameter(params, 1, "cseq");
  if (!call_id.is_string() || (!cseq.is_string() && !cseq.is_number_unsigned()))
    return rpc_fail("parameters are: call_id, cseq", invalid_params);
  const auto id = call_id.get<std::string>();
  const auto number = cseq.is_string() ? cseq.get<std::string>() : cseq.dump();
  const auto canceled = std::make_shared<std::promise<bool>>();  // outlives this call if the worker is late
  auto answer = canceled->get_future();
  const auto worker = static_cast<std::uint32_t>(checksum(id) % engine.partition_count()) % engine.workers();
  engine.run_on_worker(worker, [canceled, id, number](proxy::Proxy& proxy, Time now, proxy::Outputs& outputs) {
    proxy::RoutingContext context(proxy);
    context.outputs = &outputs;
    context.now = now;
    canceled->set_value(context.cancel_call(id, number, 0, 0) > 0);
  });
  if (answer.wait_for(worker_deadline) != std::future_status::ready) return rpc_fail("a worker did not answer in time");
  return answer.get() ? RpcResult(Json::object()) : rpc_fail("there is no such transaction without a final response");
}

Json transaction_stats(const engine::EngineCounters& counters) {
  const auto& proxy = counters.proxy;
  return {{"current", counters.open_transactions},
          {"total", proxy.transactions_created + proxy.transactions_recovered},
          {"created", proxy.transactions_created},
          {"recovered", proxy.transactions_recovered},
          {"rpl_received", proxy.responses},
          {"2xx", proxy.responses_2xx},
          {"3xx", proxy.responses_3xx},
          {"4xx", proxy.responses_4xx},
          {"5xx", proxy.responses_5xx},
          {"6xx", proxy.responses_6xx}};
}

// Layout of Kamailio's dispatcher.list.
Json destinations_json(const dispatch::Dispatcher& dispatcher) {
  Json sets = Json::array();
  for (const auto& view : dispatcher.view()) {
    if (sets.empty() || sets.back()["SET"]["ID"] != view.set) sets.push_back({{"SET", {{"ID", view.set}, {"TARGETS", Json::array()}}}});
    Json attributes = {
        {"BODY", view.attrs}, {"DUID", view.duid}, {"MAXLOAD", view.maxload}, {"WEIGHT", view.weight}, {"RWEIGHT", view.relative_weight}};
    sets.back()["SET"]["TARGETS"].push_back({{"DEST",
                                              {{"URI", view.uri},
                                               {"FLAGS", dispatch::state_text(view.flags)},
                                               {"PRIORITY", view.priority},
                                               {"FAILURES", view.failures},
                                               {"LOAD", view.load},
                                               {"ATTRS", std::move(attributes)}}}});
  }
  return {{"NRSETS", sets.size()}, {"RECORDS", std::move(sets)}};
}

RpcResult set_state(dispatch::Dispatcher& dispatcher, const Json& params) {
  const Json &letters = admin::parameter(params, 0, "state"), &set = admin::parameter(params, 1, "set"),
             &uri = admin::parameter(params, 2, "uri");
  if (!letters.is_string() || !set.is_number_integer() || !uri.is_string())
    return rpc_fail("parameters are: state (letters), set (number), uri", invalid_params);
  const auto text = letters.get<std::string>();
  const int flags = text.empty() ? -1 : dispatch::state_from_letters(text);
  if (flags < 0) return rpc_fail(fmt::format("'{}' is no state: a, i, t or d, each also with p", text), invalid_params);
  const auto set_id = set.get<std::int64_t>();
  std::size_t changed = 0;
  for (const auto& view : dispatcher.view())
    if (view.set == set_id && (uri == "all" || uri == view.uri))
      changed += dispatcher.set_state(view.set, view.uri, static_cast<std::uint8_t>(flags)) ? 1 : 0;
  if (changed == 0) return rpc_fail(fmt::format("there is no destination {} in set {}", uri.get<std::string>(), set_id));
  return Json{{"changed", changed}};
}

// Kamailio's dispatcher.ping_active: without a state what it is, with one what it was as well.
RpcResult ping_active(dispatch::Dispatcher& dispatcher, const Json& params) {
  const Json& state = admin::parameter(params, 0, "state");
  const int before = dispatcher.pings() ? 1 : 0;
  if (state.is_null()) return Json{{"OldPingState", before}};
  if (state != 0 && state != 1) return rpc_fail("the state is 0 (no probes) or 1", invalid_params);
  dispatcher.set_pings(state == 1);
  return Json{{"NewPingState", state}, {"OldPingState", before}};
}

RpcResult statistics(EngineParts parts, const Json& params) {
  const auto counters = parts.engine.counters();
  const auto script_counters = parts.capabilities.shared().counters();
  if (!params.is_array()) return rpc_fail("parameters are names", invalid_params);
  std::vector<std::string> wanted;
  for (const auto& param : params) wanted.push_back(param.get<std::string>());
  if (wanted.empty()) wanted.emplace_back("all");
  Json out = Json::array();
  for (const auto& name : wanted) {
    const std::size_t before = out.size();
    for (const auto& counter : named_counters(counters))
      if (name == "all" || name == fmt::format("{}:", counter.group) || name == counter.name)
        out.push_back(fmt::format("{}:{} = {}", counter.group, counter.name, counter.value));
    for (const auto& [counter, value] : script_counters)
      if (name == "all" || name == "script:" || name == counter) out.push_back(fmt::format("script:{} = {}", counter, value));
    if (out.size() == before) return rpc_fail(fmt::format("there is no counter or group '{}'", name), invalid_params);
  }
  return out;
}

}  // namespace

void add_engine_methods(admin::MethodTable& methods, EngineParts parts) {
  methods.add("engine.status", [parts](const Json&) { return status(parts); });
  methods.add("engine.gauges", [parts](const Json&) -> RpcResult { return engine_gauges(parts); });
  methods.add("tm.list", [parts](const Json& params) { return list_transactions(parts, params); });
  methods.add("tm.cancel", [parts](const Json& params) { return cancel_call(parts.engine, params); });
  methods.add("tm.stats", [parts](const Json&) -> RpcResult { return transaction_stats(parts.engine.counters()); });
  methods.add("store.usage", [parts](const Json&) -> RpcResult { return usage_json(parts.engine.store_usage()); });
  methods.add("dispatcher.list", [parts](const Json&) -> RpcResult { return destinations_json(parts.dispatcher); });
  methods.add("dispatcher.ping_active", [parts](const Json& params) { return ping_active(parts.dispatcher, params); });
  methods.add("dispatcher.set_state", [parts](const Json& params) { return set_state(parts.dispatcher, params); });
  methods.add("stats.get_statistics", [parts](const Json& params) { return statistics(parts, params); });
}

}  // namespace perdure::app

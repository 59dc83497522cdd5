#include <fmt/format.h>

#include "app/capability_methods.hpp"
#include "app/dns_methods.hpp"
#include "app/metrics/collect.hpp"

namespace perdure::app {
namespace {

using admin::Json;

Json destinations(const dispatch::Dispatcher& dispatcher) {
  Json list = Json::array();
  for (const auto& view : dispatcher.view())
    list.push_back({{"set", view.set},
                    {"uri", view.uri},
                    {"up", dispatch::is_usable(view.flags) ? 1 : 0},
                    {"load", view.load},
                    {"failures", view.failures}});
  return list;
}

Json tables(htable::Tables& all) {
  Json list = Json::array();
  for (const auto& table : all.all()) {
    const auto statistics = table->statistics();
    list.push_back(
        {{"name", table->name()}, {"entries", statistics.entries}, {"bytes", statistics.bytes}, {"refused", statistics.refused}});
  }
  return list;
}

// Members of what the engine has said, which may be of another version.
double number(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}
std::string text(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) return {};
  return found->is_string() ? found->get<std::string>() : admin::to_text(*found);
}
const Json& list(const Json& object, const char* name) {
  static const Json none = Json::array();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_array() ? *found : none;
}

void collect_services(MetricSet& set, const Json& gauges, Continued& continued) {
  for (const auto& service : list(gauges, "services")) {
    const MetricLabels labels = {{"kind", text(service, "kind")}, {"name", text(service, "name")}};
    const auto sum = [&](const char* member) {
      return continued.value(fmt::format("service {} {} {}", labels[0].second, labels[1].second, member), number(service, member));
    };
    set.add("perdure_service_requests_total", sum("requests"), labels);
    set.add("perdure_service_errors_total", sum("errors"), labels);
    set.add("perdure_service_timeouts_total", sum("timeouts"), labels);
    set.add("perdure_service_overloads_total", sum("overloads"), labels);
    set.add("perdure_service_seconds_total", sum("latency_us") / 1e6, labels);
    set.add("perdure_service_waiting", number(service, "waiting"), labels);
    set.add("perdure_service_in_flight", number(service, "in_flight"), labels);
  }
}

}  // namespace

double Continued::value(const std::string& name, double now) {
  auto& entry = entries_[name];
  if (now < entry.last) entry.before += entry.last;  // another engine
  entry.last = now;
  return entry.before + now;
}

Json engine_gauges(EngineParts parts) {
  const auto usage = parts.engine.store_usage();
  return {{"store", {{"used", usage.used_bytes}, {"claimed", usage.claimed_bytes}, {"max", usage.max_bytes}}},
          {"destinations", destinations(parts.dispatcher)},
          {"tables", tables(parts.capabilities.tables())},
          {"services", services_json(parts.capabilities.services())},
          {"dns", dns_statistics(parts.capabilities.resolver())}};
}

void collect_engine(MetricSet& set, const Json& gauges, Continued& continued) {
  if (const auto store = gauges.is_object() ? gauges.find("store") : gauges.end(); store != gauges.end())
    for (const char* kind : {"used", "claimed", "max"}) set.add("perdure_store_bytes", number(*store, kind), {{"kind", kind}});
  for (const auto& destination : list(gauges, "destinations")) {
    const MetricLabels labels = {{"set", text(destination, "set")}, {"gateway", text(destination, "uri")}};
    set.add("perdure_gateway_up", number(destination, "up"), labels);
    set.add("perdure_gateway_load", number(destination, "load"), labels);
    set.add("perdure_gateway_failures", number(destination, "failures"), labels);
  }
  for (const auto& table : list(gauges, "tables")) {
    const std::string name = text(table, "name");
    set.add("perdure_htable_entries", number(table, "entries"), {{"table", name}});
    set.add("perdure_htable_bytes", number(table, "bytes"), {{"table", name}});
    set.add("perdure_htable_refused_total", continued.value("table " + name, number(table, "refused")), {{"table", name}});
  }
  collect_services(set, gauges, continued);
  const auto dns = gauges.is_object() ? gauges.find("dns") : gauges.end();
  if (dns == gauges.end() || !dns->is_object()) return;
  set.add("perdure_dns_cache_entries", number(*dns, "cache_entries"));
  for (const auto& [event, value] : dns->items())
    if (event != "cache_entries" && !event.ends_with("_open") && value.is_number())
      set.add("perdure_dns_events_total", continued.value("dns " + event, value.get<double>()), {{"event", event}});
}

}  // namespace perdure::app

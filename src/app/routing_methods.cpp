#include "app/routing_methods.hpp"

#include <fmt/format.h>

#include "base/text_file.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using admin::rpc_code::invalid_params;

constexpr std::size_t shown_by_default = 1000;

std::optional<std::string> text_of(const Json& params, std::size_t index, std::string_view name) {
  const Json& given = admin::parameter(params, index, name);
  if (given.is_string()) return given.get<std::string>();
  if (given.is_number_integer()) return std::to_string(given.get<std::int64_t>());
  return std::nullopt;
}
std::optional<std::uint32_t> number_of(const Json& params, std::size_t index, std::string_view name) {
  const auto text = text_of(params, index, name);
  return text ? number_from<std::uint32_t>(*text) : std::nullopt;
}

// ---- dialplans ----

Json dump_rules(const dialplan::Rules& rules, const Json& params) {
  const auto wanted = number_of(params, 0, "dialplan");
  Json list = Json::array();
  for (const auto& rule : rules.all()) {
    if (wanted && rule.dialplan != *wanted) continue;
    list.push_back({{"dialplan", rule.dialplan},
                    {"priority", rule.priority},
                    {"kind", dialplan::name(rule.kind)},
                    {"match", rule.match},
                    {"length", rule.length},
                    {"expression", rule.expression},
                    {"replacement", rule.replacement},
                    {"attributes", rule.attributes},
                    {"line", rule.line}});
  }
  return list;
}

RpcResult translate(const dialplan::Rules& rules, const Json& params) {
  const auto number = number_of(params, 0, "dialplan");
  const auto text = text_of(params, 1, "text");
  if (!number || !text) return rpc_fail("parameters are: dialplan, text", invalid_params);
  if (!rules.has(*number)) return rpc_fail(fmt::format("there is no dialplan {}", *number));
  const auto* rule = rules.find(*number, *text);
  const auto output = rule ? dialplan::Rules::translate(*rule, *text) : std::nullopt;
  if (!output) return rpc_fail(fmt::format("no rule of dialplan {} matches '{}'", *number, *text));
  return Json{{"output", *output}, {"attributes", rule->attributes}, {"line", rule->line}};
}

// ---- prefixes ----

Json value_json(const Value& value) {
  return value.is_number ? Json(value.number) : Json(value.text);
}

template <class F>
RpcResult with_tree(const prefix::Trees& trees, const Json& params, F&& f) {
  const auto name = text_of(params, 0, "tree");
  if (!name) return rpc_fail("the first parameter is the name of a tree", invalid_params);
  const auto tree = trees.find(*name);
  if (!tree) return rpc_fail(fmt::format("there is no tree '{}'", *name));
  return f(*tree);
}

Json summary(const prefix::Trees& trees) {
  Json list = Json::array();
  for (const auto& one : trees.options()) {
    const auto tree = trees.find(one.name);
    list.push_back({{"name", one.name},
                    {"type", one.integers ? 2 : 0},
                    {"items", tree ? tree->prefixes().size() : 0},
                    {"bytes", tree ? tree->memory_bytes() : 0}});
  }
  return list;
}

Json list_tree(const prefix::Tree& tree, std::size_t limit) {
  Json list = Json::array();
  for (std::uint32_t i = 0; i < tree.prefixes().size() && list.size() < limit; ++i)
    list.push_back({{"tprefix", tree.prefixes().text(i)}, {"tvalue", value_json(tree.value(i))}});
  return list;
}

RpcResult match(const prefix::Tree& tree, const Json& params) {
  const auto text = text_of(params, 1, "text");
  if (!text) return rpc_fail("the second parameter is a text", invalid_params);
  const auto number = tree.prefixes().longest(*text);
  if (number == prefix::Index::none) return rpc_fail(fmt::format("no prefix of '{}' is in the tree", *text));
  return Json{{"tprefix", tree.prefixes().text(number)}, {"tvalue", value_json(tree.value(number))}};
}

// ---- gateways ----

Json gateways_json(const lcr::Router& router, Time now) {
  Json list = Json::array();
  const auto gateways = router.list();
  for (const auto& gateway : gateways->gateways()) {
    const auto state = router.state(gateway, now);
    list.push_back({{"lcr_id", gateway.instance},
                    {"gw_name", gateway.name},
                    {"uri", gateway.uri},
                    {"hostname", gateway.host},
                    {"strip", gateway.strip},
                    {"prefix", gateway.prefix},
                    {"tag", gateway.tag},
                    {"flags", gateway.flags},
                    {"failures", state.failures},
                    {"out_of_work_seconds", state.out_until > now ? (state.out_until - now).count() / 1'000'000 + 1 : 0}});
  }
  return list;
}

Json rules_json(const lcr::List& list, std::size_t limit) {
  Json rules = Json::array();
  for (const auto& rule : list.rules(limit)) {
    Json targets = Json::array();
    for (const auto& target : rule.targets)
      targets.push_back({{"gateway", list.gateways()[target.gateway].name}, {"priority", target.priority}, {"weight", target.weight}});
    rules.push_back({{"lcr_id", rule.instance},
                     {"prefix", rule.prefix},
                     {"from", rule.from},
                     {"request", rule.request},
                     {"stop", rule.stop},
                     {"gateways", std::move(targets)}});
  }
  return rules;
}

RpcResult defunct(lcr::Router& router, const Json& params, Time now) {
  const auto instance = number_of(params, 0, "instance"), seconds = number_of(params, 2, "seconds");
  const auto gateway = text_of(params, 1, "gateway");
  if (!instance || !gateway || !seconds) return rpc_fail("parameters are: instance, gateway, seconds", invalid_params);
  if (!router.put_out_of_work(*instance, *gateway, now + std::chrono::seconds(*seconds)))
    return rpc_fail(fmt::format("there is no gateway '{}' in instance {}", *gateway, *instance));
  return Json::object();
}

RpcResult gateways_for(const lcr::Router& router, const Json& params, Time now) {
  const auto instance = number_of(params, 0, "instance");
  const auto user = text_of(params, 1, "user");
  if (!instance || !user) return rpc_fail("parameters are: instance, user, caller, request-uri", invalid_params);
  const auto list = router.list();
  if (!list->has_instance(*instance)) return rpc_fail(fmt::format("there is no instance {}", *instance));
  Random random(static_cast<std::uint64_t>(now.time_since_epoch().count()));
  Json names = Json::array();
  for (const auto position : router.order(*list, *instance, *user, text_of(params, 2, "caller").value_or(""),
                                          text_of(params, 3, "request-uri").value_or(""), now, random))
    names.push_back(list->gateways()[position].name);
  return names;
}

}  // namespace

void add_routing_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& all) {
  methods.add("dialplan.dump", [&](const Json& params) -> RpcResult { return dump_rules(*all.dialplan().rules(), params); });
  methods.add("dialplan.translate", [&](const Json& params) { return translate(*all.dialplan().rules(), params); });
  methods.add("mtree.summary", [&](const Json&) -> RpcResult { return summary(all.trees()); });
  methods.add("mtree.list", [&](const Json& params) {
    return with_tree(all.trees(), params, [&](const prefix::Tree& tree) -> RpcResult {
      return list_tree(tree, number_of(params, 1, "limit").value_or(shown_by_default));
    });
  });
  methods.add("mtree.match", [&](const Json& params) {
    return with_tree(all.trees(), params, [&](const prefix::Tree& tree) { return match(tree, params); });
  });
  methods.add("lcr.dump_gws", [&](const Json&) -> RpcResult { return gateways_json(all.lcr(), engine.now()); });
  methods.add("lcr.dump_rules", [&](const Json& params) -> RpcResult {
    return rules_json(*all.lcr().list(), number_of(params, 0, "limit").value_or(shown_by_default));
  });
  methods.add("lcr.defunct_gw", [&](const Json& params) { return defunct(all.lcr(), params, engine.now()); });
  methods.add("lcr.load_gws", [&](const Json& params) { return gateways_for(all.lcr(), params, engine.now()); });
}

}  // namespace perdure::app

#include "app/dns_methods.hpp"

#include <fmt/format.h>

#include <future>

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using admin::rpc_code::invalid_params;
using locate::Answer;

// The command line waits no longer than that either; the answer is kept when it comes.
constexpr auto lookup_deadline = std::chrono::seconds(4);
constexpr std::size_t shown_max = 10'000;

std::string_view name_of(Answer::Kind kind) {
  return kind == Answer::Kind::Records ? "records" : kind == Answer::Kind::None ? "none" : "failed";
}

Json answer_json(const locate::Question& question, const Answer& answer) {
  Json records = Json::array();
  for (const auto& address : answer.addresses) records.push_back({{"ip", address.ip_text()}});
  for (const auto& one : answer.services)
    records.push_back(
        {{"priority", one.priority}, {"weight", one.weight}, {"port", one.port}, {"target", one.target.empty() ? "." : one.target}});
  for (const auto& one : answer.pointers)
    records.push_back({{"order", one.order},
                       {"preference", one.preference},
                       {"flags", one.flags},
                       {"service", one.service},
                       {"regexp", one.regexp},
                       {"replacement", one.replacement.empty() ? "." : one.replacement}});
  Json json = {
      {"type", locate::name(question.type)}, {"name", question.name}, {"answer", name_of(answer.kind)}, {"records", std::move(records)}};
  if (answer.left_out) json["left_out"] = answer.left_out;
  return json;
}

RpcResult look_up(net::Resolver& resolver, const Json& params) {
  const Json &type_given = admin::parameter(params, 0, "type"), &name_given = admin::parameter(params, 1, "name");
  if (!type_given.is_string() || !name_given.is_string()) return rpc_fail("parameters are: type, name", invalid_params);
  const auto type = locate::record_type_from(type_given.get<std::string>());
  const auto name = locate::canonical_name(name_given.get<std::string>());
  if (!type) return rpc_fail("the type is A, AAAA, SRV or NAPTR", invalid_params);
  if (!name) return rpc_fail("that is no name of the DNS", invalid_params);
  // Outlives this call if the answer is late.
  const auto answered = std::make_shared<std::promise<locate::AnswerPointer>>();
  auto answer = answered->get_future();
  const locate::Question question{*type, *name};
  resolver.look_up(question, [answered](locate::AnswerPointer found) { answered->set_value(std::move(found)); });
  if (answer.wait_for(lookup_deadline) != std::future_status::ready) return rpc_fail("no server has answered yet");
  const auto found = answer.get();
  return found ? RpcResult(answer_json(question, *found)) : rpc_fail("the server is stopping");
}

Json cache_json(const net::Resolver& resolver) {
  Json list = Json::array();
  for (const auto& view : resolver.list(shown_max)) {
    Json one = answer_json(view.question, *view.answer);
    if (view.fixed)
      one["expires"] = "never";
    else
      one["expires"] = view.left.count() / 1'000'000;
    list.push_back(std::move(one));
  }
  return list;
}

Json blocked_json(const locate::BlockList& blocked, Time now) {
  Json list = Json::array();
  for (const auto& view : blocked.list(now))
    list.push_back({{"transport", perdure::name(view.server.transport)},
                    {"address", view.server.address.text()},
                    {"seconds", view.left.count() / 1'000'000}});
  return list;
}

}  // namespace

admin::Json dns_statistics(const net::Resolver& resolver) {
  const auto counters = resolver.counters();
  return {{"searches", counters.searches},
          {"searches_open", counters.open_searches},
          {"searches_late", counters.searches_late},
          {"searches_refused", counters.searches_refused},
          {"queries", counters.queries},
          {"queries_open", counters.open_queries},
          {"queries_merged", counters.merged},
          {"queries_refused", counters.refused},
          {"queries_refused_domain", counters.refused_domain},
          {"answers", counters.answers},
          {"answers_negative", counters.negative},
          {"answers_failed", counters.failures},
          {"answers_late", counters.late},
          {"answers_malformed", counters.malformed},
          {"records_left_out", counters.left_out},
          {"cache_entries", counters.cache.entries},
          {"cache_hits", counters.cache.hits},
          {"cache_misses", counters.cache.misses},
          {"cache_evicted", counters.cache.evicted},
          {"cache_stale", counters.cache.stale}};
}

void add_dns_methods(admin::MethodTable& methods, engine::Engine& engine, Capabilities& capabilities) {
  methods.add("dns.lookup", [&](const Json& params) { return look_up(capabilities.resolver(), params); });
  methods.add("dns.view", [&](const Json&) -> RpcResult { return cache_json(capabilities.resolver()); });
  methods.add("dns.stats", [&](const Json&) -> RpcResult { return dns_statistics(capabilities.resolver()); });
  methods.add("dns.delete_all", [&](const Json&) -> RpcResult {
    capabilities.resolver().forget_all();
    return Json::object();
  });
  methods.add("dns.blocked", [&](const Json&) -> RpcResult { return blocked_json(capabilities.blocked(), engine.now()); });
  methods.add("dns.unblock_all", [&](const Json&) -> RpcResult {
    capabilities.blocked().clear();
    return Json::object();
  });
}

}  // namespace perdure::app

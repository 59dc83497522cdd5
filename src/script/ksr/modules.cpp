// The modules in the order of the reference.
#include <algorithm>

#include "script/ksr/function.hpp"
#include "script/script_runner.hpp"

namespace perdure::script {
namespace {

const Module table[] = {
    {"", "Core", core_functions},
    {"", "Core: where messages go and come from", core_delivery_functions},
    {"x", "Control of the script", x_functions},
    {"pv", "Pseudo-variables", pv_functions},
    {"pvx", "Variables by name", pvx_functions},
    {"hdr", "Headers", hdr_functions},
    {"kx", "Attributes of the message (kemix)", kx_functions},
    {"tm", "Transactions", tm_functions},
    {"tmx", "Transactions, more", tmx_functions},
    {"tsilo", "Late branches", tsilo_functions},
    {"acc", "Accounting", acc_functions},
    {"uac", "From and To of others, requests of our own", uac_functions},
    {"sl", "Replies", sl_functions},
    {"rr", "Record-Route and Route", rr_functions},
    {"maxfwd", "Max-Forwards", maxfwd_functions},
    {"sanity", "Sanity checks", sanity_functions},
    {"nathelper", "Devices behind NAT and on connections", nathelper_functions},
    {"nathelper", "Devices behind NAT: tests, and what they say of themselves", nathelper_fix_functions},
    {"siputils", "Tests of messages and URIs", siputils_functions},
    {"siputils", "Contacts that hide where they lead", siputils_contact_functions},
    {"textops", "Tests and changes of text", textops_functions},
    {"textops", "Bodies of several parts", textops_part_functions},
    {"textopsx", "Values in headers, body", textopsx_functions},
    {"sdpops", "Session descriptions", sdpops_functions},
    {"xlog", "Log lines with variables", xlog_functions},
    {"corex", "Core, more", corex_functions},
    {"corex", "Datagrams and files", corex_output_functions},
    {"async", "Callbacks that go on later", async_functions},
    {"sqlops", "Databases", sqlops_functions, [](const ScriptOptions& options) { return !options.databases.empty(); }},
    {"ndb_redis", "Redis", ndb_redis_functions, [](const ScriptOptions& options) { return !options.redis.empty(); }},
    {"http_client", "HTTP", http_client_functions, [](const ScriptOptions& options) { return options.http != nullptr; }},
    {"http_async_client", "HTTP, and a function that goes on later", http_async_client_functions,
     [](const ScriptOptions& options) { return options.http != nullptr; }},
    {"jansson", "JSON", jansson_functions},
    {"dispatcher", "Dispatcher", dispatcher_functions, [](const ScriptOptions& options) { return options.dispatcher != nullptr; }},
    {"drain", "Servers that take no new dialogs", drain_functions},
    {"htable", "Hash tables", htable_functions, [](const ScriptOptions& options) { return options.tables != nullptr; }},
    {"cfgutils", "Locks and chance", cfgutils_functions},
    {"counters", "Counters", counters_functions},
    {"statistics", "Counters, as the statistics module has them", statistics_functions},
    {"permissions", "Address lists", permissions_functions,
     [](const ScriptOptions& options) { return options.permissions.permissions != nullptr; }},
    {"pike", "Sources that send too much", pike_functions, [](const ScriptOptions& options) { return options.sources != nullptr; }},
    {"pipelimit", "Rates", pipelimit_functions, [](const ScriptOptions& options) { return options.pipes != nullptr; }},
    {"ratelimit", "Rates of numbered pipes", ratelimit_functions, [](const ScriptOptions& options) { return options.pipes != nullptr; }},
    {"mtree", "Values by prefix", mtree_functions, [](const ScriptOptions& options) { return options.routing.trees != nullptr; }},
    {"dialplan", "Rules for numbers", dialplan_functions, [](const ScriptOptions& options) { return options.routing.dialplan != nullptr; }},
    {"lcr", "Least-cost routing", lcr_functions, [](const ScriptOptions& options) { return options.routing.lcr != nullptr; }},
};

}  // namespace

std::span<const Module> modules() {
  return table;
}

bool is_configured(const Function& function, const ScriptOptions& options) {
  const auto found = std::ranges::find(table, function.module, &Module::name);
  return found == std::end(table) || !found->configured || found->configured(options);
}

const Function* find_function(std::string_view name) {
  if (name.starts_with("KSR.")) name.remove_prefix(4);
  const std::size_t dot = name.find('.');
  for (const Module& module : table) {
    if (dot != std::string_view::npos && module.name != name.substr(0, dot)) continue;
    for (const Function& function : module.functions())
      if (function.name == (dot == std::string_view::npos ? name : name.substr(dot + 1))) return &function;
  }
  return nullptr;
}

}  // namespace perdure::script

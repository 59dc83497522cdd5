#include "app/rpc_methods.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace perdure::app {
namespace {

constexpr auto edge = RpcSide::Edge, engine = RpcSide::Engine;

constexpr RpcMethod table[] = {
    {"app_lua.reload", "[force]", "`reload` of the script alone.", edge},
    {"core.tcp_close", "id", "Closes a connection, by its id in core.tcp_list.", edge},
    {"core.tcp_info", "", "Connections: how many there are and may be, and everything that is counted of them.", edge},
    {"core.tcp_list", "[limit]", "Connections of all transports but UDP, at most `limit` (50).", edge},
    {"core.uptime", "", "Seconds since the server was started; switches of the engine do not count.", edge},
    {"core.version", "", "Name and version of the program.", edge},
    {"dialplan.dump", "[dialplan]", "The rules of a dialplan, or of all, in the order in which they are tried.", engine},
    {"dialplan.reload", "", "Reads dialplans, prefixes, gateways and addresses again, each from its list. An error changes nothing.", edge},
    {"dialplan.translate", "dialplan text", "What a dialplan makes of a text.", engine},
    {"dispatcher.list", "", "Sets, destinations and their states, laid out as Kamailio does.", engine},
    {"dispatcher.reload", "", "`reload` of the destination list alone.", edge},
    {"dispatcher.set_state", "state set uri",
     "Sets the state of a destination: letters a (active), i (inactive), t (trying), d (disabled), each also with p (probed). The URI "
     "`all` means the whole set.",
     engine},
    {"dns.delete_all", "", "Forgets what name servers have answered; names of the hosts file stay.", engine},
    {"dns.lookup", "type name", "What name servers say: records of type A, AAAA, SRV or NAPTR. From the cache if it is there.", engine},
    {"dns.stats", "", "Searches, queries, answers and the cache, since the engine started.", engine},
    {"dns.view", "", "The answers that are kept, and for how many seconds yet. At most 10,000.", engine},
    {"engine.status", "", "What the engine adds to `status`: open transactions, counters, store, script, destinations.", engine},
    {"htable.delete", "table key", "Removes an entry of a hash table.", engine},
    {"htable.dump", "table", "The entries of a hash table by its parts, laid out as Kamailio does.", engine},
    {"htable.get", "table key", "An entry of a hash table.", engine},
    {"htable.listTables", "", "The hash tables.", engine},
    {"htable.reload", "table", "Reads the file of a hash table again, which then holds what is in it. An error changes nothing.", engine},
    {"htable.seti", "table key number", "Sets an entry of a hash table to a number.", engine},
    {"htable.sets", "table key text", "Sets an entry of a hash table to a text.", engine},
    {"htable.stats", "", "Sizes of the hash tables; changes refused because one was full, entries that expired.", engine},
    {"lcr.defunct_gw", "instance gateway seconds", "The gateway gets no calls for that time.", engine},
    {"lcr.dump_gws", "", "The gateways, and which of them are out of work.", engine},
    {"lcr.dump_rules", "[limit]", "Rules with their gateways, at most `limit` (1000).", engine},
    {"lcr.load_gws", "instance user [caller [request-uri]]", "The gateways for a number, in the order in which a call would try them.",
     engine},
    {"lcr.reload", "", "The same as `dialplan.reload`.", edge},
    {"mtree.list", "tree [limit]", "Prefixes and values of a tree, at most `limit` (1000).", engine},
    {"mtree.match", "tree text", "Longest prefix of a text, and its value.", engine},
    {"mtree.reload", "", "The same as `dialplan.reload`.", edge},
    {"mtree.summary", "", "The trees: prefixes and memory.", engine},
    {"permissions.addressDump", "", "The addresses and networks of the address list.", engine},
    {"permissions.addressReload", "", "Reads the address list again, and that of trusted sources. An error changes nothing.", edge},
    {"permissions.trustedDump", "", "The list of trusted sources.", engine},
    {"permissions.trustedReload", "", "Reads both lists again. An error changes nothing.", edge},
    {"pike.list", "[all]", "Sources that are blocked; with `all` each that was seen lately. At most 1000.", engine},
    {"pl.get_pipes", "", "The pipes of pipelimit: algorithm, limit, messages of this interval and the one before.", engine},
    {"pl.set_pipe", "name algorithm limit", "Changes a pipe until the engine ends.", engine},
    {"pv.shvGet", "[name]", "The shared variables `$shv(name)`, or one.", engine},
    {"pv.shvSet", "name type value", "Sets a shared variable; type `int` or `str`.", engine},
    {"reload", "[force]",
     "Reads script and destination list again. Both are checked first: an error changes nothing. A script that lacks functions that open "
     "transactions will call is refused without `force`. Then the spare is replaced by one that has them, too.",
     edge},
    {"services.list", "",
     "Databases, Redis servers and HTTP: requests, errors and of these timeouts and overloads, connects, latency, and how many wait or are "
     "under way.",
     engine},
    {"stats.get_statistics", "[name]…",
     "Counters as texts `group:name = value`: of `all` (the default), of a group such as `proxy:`, or by name.", engine},
    {"status", "", "Processes, last start of an engine, open transactions, counters, store.", edge},
    {"stop", "", "Stops in an orderly way; answers when the snapshot is written.", edge},
    {"store.usage", "", "Bytes of records and blobs in use, claimed by partitions, and in all.", engine},
    {"system.listMethods", "", "Names of all methods.", edge},
    {"system.methodHelp", "method", "Parameters and meaning of a method.", edge},
    {"tls.reload", "", "Reads certificates and keys again, for connections to come. An error changes nothing.", edge},
    {"tm.list", "[limit]",
     "Transactions in progress with their branches, at most `limit` (50). Those that only wait for retransmissions are not shown.", engine},
    {"tm.stats", "", "Transactions and responses, named as Kamailio does, since the engine attached.", engine},
    {"upgrade", "[binary] [patience_ms] [one_way] [edge]",
     "Replaces the engine by one of another binary (by default the file that the server was started from) and answers when that one has "
     "passed its probation, or with the reason why the one before serves again. With `edge` the edge is replaced as well.",
     edge},
    {"upgrade.progress", "", "What has happened in the upgrade that runs, or in the last one.", edge},
};

}  // namespace

std::span<const RpcMethod> rpc_methods() {
  return table;
}

const RpcMethod* find_rpc_method(std::string_view name) {
  const auto found = std::ranges::find(table, name, &RpcMethod::name);
  return found == std::end(table) ? nullptr : found;
}

std::string rpc_reference() {
  std::string out = "| method | parameters | what it does |\n| --- | --- | --- |\n";
  for (const auto& method : table)
    out += fmt::format("| `{}` | {} | {} |\n", method.name, method.parameters.empty() ? "" : fmt::format("`{}`", method.parameters),
                       method.text);
  return out;
}

}  // namespace perdure::app

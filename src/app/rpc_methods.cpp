#include "app/rpc_methods.hpp"

#include <algorithm>

namespace perdure::app {
namespace {

constexpr auto edge = RpcSide::Edge, engine = RpcSide::Engine;

constexpr RpcMethod table[] = {
    {"app_lua.list", "", "The routing script.", edge},
    {"app_lua.reload", "[force:any]", "`reload` of the script alone.", edge, true},
    {"core.info", "", "Version, compiler and process of the edge, named as Kamailio does.", edge},
    {"core.psx", "", "The processes: number, id and what each does, laid out as Kamailio does.", edge},
    {"core.tcp_close", "id", "Closes a connection, by its id in core.tcp_list.", edge, true},
    {"core.tcp_info", "", "Connections: how many there are and may be, and everything that is counted of them.", edge},
    {"core.tcp_list", "[limit:number]", "Connections of all transports but UDP, at most `limit` (50).", edge},
    {"core.uptime", "", "Seconds since the server was started; switches of the engine do not count.", edge},
    {"core.version", "", "Name and version of the program.", edge},
    {"dialplan.dump", "[dialplan:any]", "The rules of a dialplan, or of all, in the order in which they are tried.", engine},
    {"dialplan.reload", "", "Reads dialplans, prefixes, gateways and addresses again, each from its list. An error changes nothing.", edge,
     true},
    {"dialplan.translate", "dialplan:number text", "What a dialplan makes of a text.", engine},
    {"dispatcher.list", "", "Sets, destinations and their states, laid out as Kamailio does.", engine},
    {"dispatcher.ping_active", "[state:number]",
     "Whether destinations are probed; with 0 no further probe is sent, with 1 they are again. It holds over deaths of the engine and "
     "restarts, as their states do.",
     engine, true},
    {"dispatcher.reload", "", "`reload` of the destination list alone.", edge, true},
    {"dispatcher.set_state", "state set:number uri",
     "Sets the state of a destination: letters a (active), i (inactive), t (trying), d (disabled), each also with p (probed). The URI "
     "`all` means the whole set.",
     engine, true},
    {"dns.blocked", "", "Servers of host names that have failed of late, and for how many seconds yet they are tried after the others.",
     engine},
    {"dns.delete_all", "", "Forgets what name servers have answered; names of the hosts file stay.", engine, true},
    {"dns.lookup", "type name", "What name servers say: records of type A, AAAA, SRV or NAPTR. From the cache if it is there.", engine},
    {"dns.stats", "", "Searches, queries, answers and the cache, since the engine started.", engine},
    {"dns.unblock_all", "", "Forgets which servers have failed.", engine, true},
    {"dns.view", "", "The answers that are kept, and for how many seconds yet. At most 10,000.", engine},
    {"drain", "[code:number] [retry_after:number] [registrations:boolean] [by_script:boolean]",
     "No new dialogs from now on, over restarts, until `undrain`: they get `code` (503) with Retry-After (30 s, 0: none). With "
     "`registrations` REGISTER gets it as well; with `by_script` the script decides. Everything else goes on.",
     edge, true},
    {"drain.progress", "", "What is left of a server that drains: transactions without final response, all transactions, connections.",
     edge},
    {"engine.drain", "", "The engine reads again whether the server drains; `drain` and `undrain` call it.", engine},
    {"engine.gauges", "", "What only the engine knows of the metrics: the store, destinations, tables, services, name servers.", engine},
    {"engine.log", "", "The engine reads again which levels its log lines have; `log.level` calls it.", engine},
    {"engine.status", "", "What the engine adds to `status`: open transactions, counters, store, script, destinations.", engine},
    {"engine.unanswered", "", "Transactions without a final response, and all of them.", engine},
    {"htable.delete", "table key", "Removes an entry of a hash table.", engine, true},
    {"htable.dump", "table", "The entries of a hash table by its parts, laid out as Kamailio does.", engine},
    {"htable.get", "table key", "An entry of a hash table.", engine},
    {"htable.listTables", "", "The hash tables.", engine},
    {"htable.reload", "table", "Reads the file of a hash table again, which then holds what is in it. An error changes nothing.", engine,
     true},
    {"htable.seti", "table key number:number", "Sets an entry of a hash table to a number.", engine, true},
    {"htable.sets", "table key text", "Sets an entry of a hash table to a text.", engine, true},
    {"htable.stats", "", "Sizes of the hash tables; changes refused because one was full, entries that expired.", engine},
    {"lcr.defunct_gw", "instance:number gateway:any seconds:number", "The gateway gets no calls for that time.", engine, true},
    {"lcr.dump_gws", "", "The gateways, and which of them are out of work.", engine},
    {"lcr.dump_rules", "[limit:number]", "Rules with their gateways, at most `limit` (1000).", engine},
    {"lcr.load_gws", "instance:number user [caller [request-uri]]",
     "The gateways for a number, in the order in which a call would try them.", engine},
    {"lcr.reload", "", "The same as `dialplan.reload`.", edge, true},
    {"log.level", "[level [component]]",
     "The levels of log lines; with a level it is set, in general or for a component, until the server is stopped; `default` takes it "
     "back.",
     edge, true},
    {"mtree.list", "tree [limit:number]", "Prefixes and values of a tree, at most `limit` (1000).", engine},
    {"mtree.match", "tree text", "Longest prefix of a text, and its value.", engine},
    {"mtree.reload", "", "The same as `dialplan.reload`.", edge, true},
    {"mtree.summary", "", "The trees: prefixes and memory.", engine},
    {"permissions.addressDump", "", "The addresses and networks of the address list.", engine},
    {"permissions.addressReload", "", "Reads the address list again, and that of trusted sources. An error changes nothing.", edge, true},
    {"permissions.trustedDump", "", "The list of trusted sources.", engine},
    {"permissions.trustedReload", "", "Reads both lists again. An error changes nothing.", edge, true},
    {"pike.list", "[all]", "Sources that are blocked; with `all` each that was seen lately. At most 1000.", engine},
    {"pike.top", "[filter]",
     "Sources with their requests in this interval and the one before, most of them first, laid out as Kamailio does: those that are `HOT` "
     "(the default; blocked if they ask again), `WARM` (a quarter of the limit) or `ALL`. At most 1000.",
     engine},
    {"pl.get_pipes", "", "The pipes of pipelimit: algorithm, limit, messages of this interval and the one before.", engine},
    {"pl.set_pipe", "name algorithm limit:number", "Changes a pipe until the engine ends.", engine, true},
    {"pv.shvGet", "[name]", "The shared variables `$shv(name)`, or one.", engine},
    {"pv.shvSet", "name type value:any", "Sets a shared variable; type `int` or `str`.", engine, true},
    {"reload", "[force:any]",
     "Reads script and destination list again. Both are checked first: an error changes nothing. A script that lacks functions that open "
     "transactions will call is refused without `force`. Then the spare is replaced by one that has them, too.",
     edge, true},
    {"services.list", "",
     "Databases, Redis servers and HTTP: requests, errors and of these timeouts and overloads, connects, latency, and how many wait or are "
     "under way.",
     engine},
    {"sl.stats", "", "Replies without a transaction by code, laid out as Kamailio does.", edge},
    {"stats.fetch", "[name]…",
     "Counters by `group.name`, as texts: of `all` (the default), of a group such as `proxy:`, or by name. They go on over deaths of the "
     "engine.",
     edge},
    {"stats.fetchn", "[name]…", "The same as numbers.", edge},
    {"stats.get_statistics", "[name]…",
     "Counters as texts `group:name = value`: of `all` (the default), of a group such as `proxy:`, or by name.", engine},
    {"stats.latency", "",
     "Added latency, post-dial delay, call setup, script, commit, and waits in the rings between connections and workers: count, mean and "
     "quantiles in milliseconds since the server was started.",
     edge},
    {"stats.metrics", "", "All metrics in the text format of Prometheus.", edge},
    {"stats.responses", "", "Final responses of transactions by code, those to INVITE and others.", edge},
    {"status", "", "Processes, last start of an engine, open transactions, counters, store.", edge},
    {"stop", "", "Stops in an orderly way; answers when the snapshot is written.", edge, true},
    {"store.usage", "", "Bytes of records and blobs in use, claimed by partitions, and in all.", engine},
    {"system.listMethods", "", "Names of all methods.", edge},
    {"system.methodHelp", "method", "Parameters and meaning of a method.", edge},
    {"system.methodSchema", "[method]",
     "Parameters of a method with their types as JSON Schema, or without one of all methods, as an OpenRPC document.", edge},
    {"tls.info", "", "Connections with TLS, and what waits to be sent, named as Kamailio does.", edge},
    {"tls.list", "[limit:number]", "Connections with TLS, with version and cipher, at most `limit` (50).", edge},
    {"tls.reload", "", "Reads certificates and keys again, for connections to come. An error changes nothing.", edge, true},
    {"tm.cancel", "call_id cseq:any", "Cancels the INVITE transaction with this Call-ID and CSeq number: its branches get CANCEL.", engine,
     true},
    {"tm.list", "[limit:number]",
     "Transactions in progress with their branches, at most `limit` (50). Those that only wait for retransmissions are not shown.", engine},
    {"tm.stats", "", "Transactions and responses, named as Kamailio does, since the engine attached.", engine},
    {"trace.call", "call_id [form]",
     "The messages of a call, if `trace.bytes` keeps them: as a list (`messages`, the default), a `ladder` for a terminal, or a `pcap` in "
     "base64. At most 1000.",
     engine},
    {"undrain", "", "New dialogs are taken again.", edge, true},
    {"upgrade", "[binary] [patience_ms:number] [one_way:boolean] [edge:boolean] [deadline_ms:number]",
     "Replaces the engine by one of another binary (by default the file that the server was started from) and answers when that one has "
     "passed its probation, or with the reason why the one before serves again. With `edge` the edge is replaced as well; TLS sessions "
     "that stay with the old one are closed after `deadline_ms` (a day). Over HTTP, whose connections end then, the answer comes as soon "
     "as the next edge is started (`begun`): follow `upgrade.progress` until `running` is false, and see in `status` which edge serves.",
     edge, true},
    {"upgrade.progress", "", "What has happened in the upgrade that runs, or in the last one, and whether one runs.", edge},
};

}  // namespace

std::span<const RpcMethod> rpc_methods() {
  return table;
}

const RpcMethod* find_rpc_method(std::string_view name) {
  const auto found = std::ranges::find(table, name, &RpcMethod::name);
  return found == std::end(table) ? nullptr : found;
}

}  // namespace perdure::app

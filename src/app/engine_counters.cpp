#include "app/engine_counters.hpp"

#include <string>

#include "base/checksum.hpp"

namespace perdure::app {
namespace {

using Counters = engine::EngineCounters;

template <std::uint64_t Counters::*member>
std::uint64_t of_engine(const Counters& counters) {
  return counters.*member;
}
template <std::uint64_t proxy::ProxyCounters::*member>
std::uint64_t of_proxy(const Counters& counters) {
  return counters.proxy.*member;
}
using Proxy = proxy::ProxyCounters;

constexpr EngineCounterInfo table[] = {
    {"engine", "datagrams_received", of_engine<&Counters::datagrams_received>, "Datagrams that were read."},
    {"engine", "datagrams_sent", of_engine<&Counters::datagrams_sent>, "Datagrams that the kernel took."},
    {"engine", "datagrams_empty", of_engine<&Counters::empty>, "Datagrams without any byte, such as some devices send to keep a NAT open."},
    {"engine", "send_errors", of_engine<&Counters::send_errors>, "Datagrams that the kernel did not take."},
    {"engine", "handed_over", of_engine<&Counters::handed_over>, "Datagrams that another worker than the one of their call had read."},
    {"engine", "ring_received", of_engine<&Counters::ring_received>, "Messages of connections that workers took from the edge."},
    {"engine", "ring_sent", of_engine<&Counters::ring_sent>, "Messages for connections that workers gave to the edge."},
    {"engine", "undelivered", of_engine<&Counters::undelivered>,
     "Messages that the edge gave back because no connection could deliver them."},
    {"engine", "ring_full", of_engine<&Counters::ring_full>, "Messages that the edge did not take in time."},
    {"engine", "ring_damaged", of_engine<&Counters::ring_damaged>,
     "Messages of connections that made no sense in memory and were dropped."},
    {"engine", "turns", of_engine<&Counters::turns>, "Turns of the workers' loops, idle ones too."},
    {"proxy", "requests", of_proxy<&Proxy::requests>, "Requests that could be parsed."},
    {"proxy", "responses", of_proxy<&Proxy::responses>, "Responses that could be parsed."},
    {"proxy", "malformed", of_proxy<&Proxy::malformed>, "Messages that could not be parsed."},
    {"proxy", "retransmissions_absorbed", of_proxy<&Proxy::retransmissions_absorbed>,
     "Requests that had come before, and went no further."},
    {"proxy", "stray_responses", of_proxy<&Proxy::stray_responses>,
     "Responses whose transaction is not known, that are not for this server, or a success without the Via headers of the caller."},
    {"proxy", "transactions_created", of_proxy<&Proxy::transactions_created>, "Transactions that began."},
    {"proxy", "transactions_recovered", of_proxy<&Proxy::transactions_recovered>,
     "Transactions that an engine took over from the one before."},
    {"proxy", "branches", of_proxy<&Proxy::branches>, "Client transactions: requests as they were sent on, each target one."},
    {"proxy", "cancels", of_proxy<&Proxy::cancels>, "CANCELs of callers for a transaction that is here."},
    {"proxy", "stateless", of_proxy<&Proxy::stateless>, "Requests that were forwarded without a transaction, ACKs of 2xx among them."},
    {"proxy", "script_errors", of_proxy<&Proxy::script_errors>, "Runs of callbacks that failed, or left a transaction without an answer."},
    {"proxy", "store_full", of_proxy<&Proxy::store_full>, "Times that the store had no room."},
    {"proxy", "resent_after_attach", of_proxy<&Proxy::resent_after_attach>,
     "Messages that an engine sent again when it took over, because they might not have left."},
    {"proxy", "routed_again", of_proxy<&Proxy::routed_again>, "Requests whose callback ran again because its engine had died in it."},
    {"proxy", "undelivered_requests", of_proxy<&Proxy::undelivered_requests>, "Requests that no connection could deliver."},
    {"proxy", "undelivered_responses", of_proxy<&Proxy::undelivered_responses>, "Responses that no connection could deliver."},
    {"proxy", "udp_fallbacks", of_proxy<&Proxy::udp_fallbacks>, "Large requests that went by UDP because TCP was refused."},
    {"proxy", "waits", of_proxy<&Proxy::waits>, "Times that a callback waited."},
    {"proxy", "waits_timed_out", of_proxy<&Proxy::waits_timed_out>, "Times that what a callback waited for did not come."},
    {"proxy", "waits_refused", of_proxy<&Proxy::waits_refused>, "Callbacks that could not wait because too many did."},
    {"proxy", "drain_refusals", of_proxy<&Proxy::drain_refusals>, "Requests that were refused because the server drains."},
    {"proxy", "names_waited", of_proxy<&Proxy::names_waited>, "Times that a name server was asked for where a message goes."},
    {"proxy", "names_failed", of_proxy<&Proxy::names_failed>, "Host names that led to no server."},
    {"proxy", "next_servers", of_proxy<&Proxy::next_servers>,
     "Requests that went to the next server of a host name because one had failed."},
    {"proxy", "events", of_proxy<&Proxy::events>, "Callbacks for events: timers, destinations, starts."},
    {"proxy", "accounted", of_proxy<&Proxy::accounted>, "Lines of accounting."},
    {"proxy", "responses_2xx", of_proxy<&Proxy::responses_2xx>, "Final responses of transactions that went upstream, class 2xx."},
    {"proxy", "responses_3xx", of_proxy<&Proxy::responses_3xx>, "The same, class 3xx."},
    {"proxy", "responses_4xx", of_proxy<&Proxy::responses_4xx>, "The same, class 4xx."},
    {"proxy", "responses_5xx", of_proxy<&Proxy::responses_5xx>, "The same, class 5xx."},
    {"proxy", "responses_6xx", of_proxy<&Proxy::responses_6xx>, "The same, class 6xx."},
};

}  // namespace

std::span<const EngineCounterInfo> engine_counters() {
  return table;
}

std::vector<NamedCounter> named_counters(const engine::EngineCounters& counters) {
  std::vector<NamedCounter> named;
  for (const auto& info : table) named.push_back({info.group, info.name, info.get(counters)});
  return named;
}

std::uint64_t counters_layout() {
  std::string names = std::to_string(sizeof(Counters));
  for (const auto& info : table) names.append(",").append(info.name);
  return checksum(names);
}

}  // namespace perdure::app

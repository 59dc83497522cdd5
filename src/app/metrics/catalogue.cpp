#include "app/metrics/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "app/engine_counters.hpp"

namespace perdure::app {
namespace {

constexpr auto counter = MetricType::Counter, gauge = MetricType::Gauge, histogram = MetricType::Histogram;

const MetricInfo own[] = {
    {"perdure_up", gauge, "", "1 while an engine serves, 0 while none does."},
    {"perdure_build_info", gauge, "version", "1, with the version of the edge."},
    {"perdure_start_time_seconds", gauge, "",
     "When the server was started, in seconds since 1970. Switches of the engine do not change it."},
    {"perdure_engine_starts_total", counter, "", "Engines that have begun to serve: the first one, and each that took over."},
    {"perdure_engine_pause_seconds_total", counter, "",
     "Time without an engine, from the end of one, or the word to it to stop, until the next served. Datagrams wait meanwhile."},
    {"perdure_engine_last_pause_seconds", gauge, "", "The last of these pauses."},
    {"perdure_engine_longest_pause_seconds", gauge, "", "The longest of them."},
    {"perdure_attach_seconds_total", counter, "",
     "Time that engines took to take over the store and what the one before had not finished."},
    {"perdure_records_recovered_total", counter, "", "Transactions that engines found in the store when they took over."},
    {"perdure_records_dropped_total", counter, "", "Records that were damaged, or of a layout that is not known, and were dropped."},
    {"perdure_records_quarantined_total", counter, "", "Records that engines died of, put into the quarantine folder."},
    {"perdure_messages_redelivered_total", counter, "", "Messages that an engine had taken and not finished, done again by the next."},
    {"perdure_messages_quarantined_total", counter, "", "Messages that engines died of, put into the quarantine folder."},

    {"perdure_requests_received_total", counter, "method", "Requests that could be parsed, retransmissions too."},
    {"perdure_responses_received_total", counter, "class", "Responses that could be parsed, retransmissions too."},
    {"perdure_final_responses_total", counter, "request, code",
     "Final responses of transactions, the first of each, that went to the caller. `request` is INVITE or other."},
    {"perdure_stateless_replies_total", counter, "code", "Replies that were made without a transaction."},
    {"perdure_calls_total", counter, "outcome",
     "INVITE transactions by how they ended: answered (2xx), busy (486, 600), no_answer (408, 480, 487), rejected (603, 606, 607, 608), "
     "challenged (401, 407), "
     "redirected (3xx), not_found (404, 410, 484, 604), failed (all others)."},
    {"perdure_answer_seizure_ratio", gauge, "",
     "Answered of all calls that ended in the last five minutes, challenged and redirected ones left out. Absent while there were none."},
    {"perdure_network_efficiency_ratio", gauge, "",
     "The same with busy, no_answer and rejected counted as well: what was brought to a user, whatever the user did (ITU-T E.425)."},
    {"perdure_added_latency_seconds", histogram, "",
     "From when a worker has read a message until what it led to has been given to the kernel or the edge. Time in the socket's buffer is "
     "not in it."},
    {"perdure_post_dial_delay_seconds", histogram, "", "From an INVITE to its first 18x, as the caller sees it."},
    {"perdure_call_setup_seconds", histogram, "", "From an INVITE to its 2xx."},
    {"perdure_script_seconds", histogram, "",
     "One run of a callback, from its begin to its end or to where it waits, with what it causes."},
    {"perdure_commit_seconds", histogram, "", "One change of a transaction in the store."},
    {"perdure_script_runs_total", counter, "", "Runs of callbacks."},
    {"perdure_script_failures_total", counter, "", "Runs of callbacks that ended with an error."},
    {"perdure_script_memory_bytes", gauge, "worker", "Memory of the Lua machine."},

    {"perdure_transactions_open", gauge, "worker", "Transactions that are kept, answered ones that only absorb retransmissions too."},
    {"perdure_callbacks_waiting", gauge, "worker", "Callbacks that wait."},
    {"perdure_receive_slots_taken", gauge, "worker", "Datagrams that have been read and whose effect is not finished, of 256."},
    {"perdure_ring_bytes", gauge, "worker, direction",
     "Messages in the ring between connections and a worker: inbound to it, outbound from it."},
    {"perdure_ring_inbound_seconds", histogram, "",
     "What a message of a connection waits between edge and worker: from when the edge has read it whole until the worker takes it. The "
     "gap "
     "of a switch of engines is in it."},
    {"perdure_ring_outbound_seconds", histogram, "",
     "The same from a worker, whose change of the transaction is committed, until the edge takes it to send it."},
    {"perdure_ring_capacity_bytes", gauge, "", "Room of each ring."},
    {"perdure_udp_queue_bytes", gauge, "listen",
     "What waits in the receive buffers of the sockets of a listen address, as the kernel counts it."},
    {"perdure_udp_drops_total", counter, "listen", "Datagrams that the kernel dropped because these buffers were full."},
    {"perdure_store_bytes", gauge, "kind", "The store of transactions: used by records and blobs, claimed by partitions, and max."},

    {"perdure_gateway_up", gauge, "set, gateway", "1 if calls can go there."},
    {"perdure_gateway_load", gauge, "set, gateway", "Calls that algorithm 10 counts there."},
    {"perdure_gateway_failures", gauge, "set, gateway", "Failures in a row towards the threshold."},
    {"perdure_gateway_requests_total", counter, "gateway", "Branches that went to the address of the destination, whatever set led there."},
    {"perdure_gateway_responses_total", counter, "gateway, class", "Responses of these branches; 1xx are provisional ones."},
    {"perdure_gateway_timeouts_total", counter, "gateway", "Branches that ended without a final response."},

    {"perdure_connections_open", gauge, "transport", "Connections."},
    {"perdure_connection_buffer_bytes", gauge, "", "What connections hold of messages received in part or not yet sent."},
    {"perdure_connection_events_total", counter, "event", "What `core.tcp_info` counts of connections, by its names there."},
    {"perdure_htable_entries", gauge, "table", "Entries of a hash table."},
    {"perdure_htable_bytes", gauge, "table", "Bytes of a hash table."},
    {"perdure_htable_refused_total", counter, "table", "Changes that were refused because the table was full."},
    {"perdure_dns_events_total", counter, "event", "What `dns.stats` counts, by its names there."},
    {"perdure_dns_cache_entries", gauge, "", "Answers of name servers that are kept."},
    {"perdure_service_requests_total", counter, "kind, name", "What was asked of databases (sql), Redis servers and HTTP."},
    {"perdure_service_errors_total", counter, "kind, name", "Of these, what ended with an error, timeouts and overloads too."},
    {"perdure_service_timeouts_total", counter, "kind, name", "Of these, what was not answered in time."},
    {"perdure_service_overloads_total", counter, "kind, name", "Of these, what was refused because too many waited."},
    {"perdure_service_seconds_total", counter, "kind, name", "Sum of the time from request to answer."},
    {"perdure_service_waiting", gauge, "kind, name", "Requests that wait for their turn."},
    {"perdure_service_in_flight", gauge, "kind, name", "Requests that are under way."},

    {"perdure_hep_packets_total", counter, "", "Messages that were sent to the collector of `trace.hep`."},
    {"perdure_hep_lost_bytes_total", counter, "", "Of the messages for it, what was overwritten before it could be sent."},
    {"perdure_hep_errors_total", counter, "", "Attempts to connect or send to it that failed."},

    {"perdure_admin_http_connections_total", counter, "", "Connections to the HTTP address of administration."},
    {"perdure_admin_http_requests_total", counter, "", "Requests there that were let in."},
    {"perdure_admin_http_refused_total", counter, "reason",
     "What was not let in: `authentication` no or a wrong token, `limit` too many connections or too fast, `malformed` no HTTP or TLS, "
     "`timeout` too slow."},
};

std::vector<MetricInfo> make_catalogue() {
  std::vector<MetricInfo> all(std::begin(own), std::end(own));
  for (const auto& info : engine_counters())
    all.push_back({fmt::format("perdure_{}_{}_total", info.group, info.name), counter, "", std::string(info.text)});
  std::ranges::sort(all, {}, &MetricInfo::name);
  return all;
}

std::string_view name_of(MetricType type) {
  return type == counter ? "counter" : type == gauge ? "gauge" : "histogram";
}

}  // namespace

std::span<const MetricInfo> metric_catalogue() {
  static const std::vector<MetricInfo> all = make_catalogue();
  return all;
}

const MetricInfo* find_metric(std::string_view name) {
  const auto all = metric_catalogue();
  const auto found = std::ranges::lower_bound(all, name, {}, &MetricInfo::name);
  return found != all.end() && found->name == name ? &*found : nullptr;
}

std::string metrics_reference() {
  std::string out =
      "# Metrics\n\n"
      "What `GET /metrics` of the HTTP address says (`admin.http`), and `perdure rpc stats.metrics` on the control socket, in the text "
      "format of "
      "Prometheus.\n"
      "Counters go on over deaths and upgrades of the engine; they begin anew with a start of the server, those of connections and HTTP "
      "with each edge. What is asked of the engine itself (gateways' "
      "states, "
      "tables,\n"
      "services, the store) is absent while none answers within a second. Durations are in seconds, in buckets of nine to a decade.\n\n"
      "This page is written by `perdure metrics`, from the table that the server uses.\n\n"
      "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  for (const auto& info : metric_catalogue())
    out += fmt::format("| `{}` | {} | {} | {} |\n", info.name, name_of(info.type), info.labels, info.text);
  return out;
}

}  // namespace perdure::app

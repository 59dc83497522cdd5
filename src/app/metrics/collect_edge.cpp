#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>

#include "app/metrics/collect.hpp"

namespace perdure::app {
namespace {

double seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1e6;
}

struct SocketQueue {
  double bytes = 0, drops = 0;
};

SocketQueue queue_of(int descriptor) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof info;
  if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return {};
  return {static_cast<double>(info[SK_MEMINFO_RMEM_ALLOC]), static_cast<double>(info[SK_MEMINFO_DROPS])};
}

void collect_sockets(MetricSet& set, const edge::UdpSockets& sockets) {
  const std::size_t per_address = sockets.addresses().empty() ? 0 : sockets.descriptors().size() / sockets.addresses().size();
  for (std::size_t i = 0; i < sockets.addresses().size(); ++i) {
    SocketQueue all;
    for (std::size_t worker = 0; worker < per_address; ++worker) {
      const auto one = queue_of(sockets.descriptors()[i * per_address + worker]);
      all.bytes += one.bytes;
      all.drops += one.drops;
    }
    const auto listen = fmt::format("udp:{}", sockets.addresses()[i].text());
    set.add("perdure_udp_queue_bytes", all.bytes, {{"listen", listen}});
    set.add("perdure_udp_drops_total", all.drops, {{"listen", listen}});
  }
}

void collect_rings(MetricSet& set, const edge::RingRegion& rings) {
  const auto used = [](const edge::RingMemory& ring) {
    const auto head = ring.control->head.load(std::memory_order_acquire), tail = ring.control->tail.load(std::memory_order_acquire);
    return tail > head ? static_cast<double>(std::min(tail - head, ring.capacity)) : 0.0;
  };
  set.add("perdure_ring_capacity_bytes", static_cast<double>(rings.capacity()));
  for (std::uint32_t worker = 0; worker < rings.worker_count(); ++worker) {
    const auto number = fmt::format("{}", worker);
    set.add("perdure_ring_bytes", used(rings.inbound(worker)), {{"worker", number}, {"direction", "inbound"}});
    set.add("perdure_ring_bytes", used(rings.outbound(worker)), {{"worker", number}, {"direction", "outbound"}});
  }
}

}  // namespace

void collect_supervisor(MetricSet& set, const edge::Supervisor& supervisor) {
  const auto status = supervisor.status();
  set.add("perdure_up", status.serving ? 1 : 0);
  set.add("perdure_build_info", 1, {{"version", PERDURE_VERSION}});
  set.add("perdure_engine_starts_total", static_cast<double>(status.engine_starts));
  set.add("perdure_engine_pause_seconds_total", seconds(status.all_pauses));
  set.add("perdure_engine_last_pause_seconds", seconds(status.last_pause));
  set.add("perdure_engine_longest_pause_seconds", seconds(status.longest_pause));
  collect_sockets(set, supervisor.sockets());
  const auto& region = supervisor.region();
  for (std::uint32_t worker = 0; worker < region.worker_count(); ++worker) {
    std::uint32_t taken = 0;
    for (std::uint32_t slot = 0; slot < edge::slots_per_worker; ++slot) taken += region.length({worker, slot}) != 0 ? 1 : 0;
    set.add("perdure_receive_slots_taken", taken, {{"worker", fmt::format("{}", worker)}});
  }
}

void collect_connections(MetricSet& set, const ConnectionsHost& host) {
  if (!host.connections()) return;
  const auto& counters = host.connections()->counters();
  for (const auto transport : {Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss})
    set.add("perdure_connections_open", static_cast<double>(counters.open[static_cast<std::size_t>(transport)].get()),
            {{"transport", std::string(name(transport))}});
  set.add("perdure_connection_buffer_bytes", static_cast<double>(counters.buffered_bytes.get()));
  edge::for_each_counter(counters, [&](std::string_view event, std::uint64_t value) {
    if (event != "buffered_bytes") set.add("perdure_connection_events_total", static_cast<double>(value), {{"event", std::string(event)}});
  });
  metrics::Distribution outbound;
  host.connections()->ring_outbound().add_to(outbound);
  set.add("perdure_ring_outbound_seconds", outbound, 1000, 1'000'000'000);
  if (host.rings()) collect_rings(set, *host.rings());
}

void collect_http(MetricSet& set, const admin::HttpCounters& counters) {
  const auto add = [&](const char* metric, const std::atomic<std::uint64_t>& counter, const MetricLabels& labels = {}) {
    set.add(metric, static_cast<double>(counter.load(std::memory_order_relaxed)), labels);
  };
  add("perdure_admin_http_connections_total", counters.connections);
  add("perdure_admin_http_requests_total", counters.requests);
  add("perdure_admin_http_refused_total", counters.refused, {{"reason", "authentication"}});
  add("perdure_admin_http_refused_total", counters.limited, {{"reason", "limit"}});
  add("perdure_admin_http_refused_total", counters.malformed, {{"reason", "malformed"}});
  add("perdure_admin_http_refused_total", counters.timeouts, {{"reason", "timeout"}});
}

void collect_hep(MetricSet& set, const trace::HepExporter::Counters& counters) {
  set.add("perdure_hep_packets_total", static_cast<double>(counters.sent));
  set.add("perdure_hep_lost_bytes_total", static_cast<double>(counters.lost_bytes));
  set.add("perdure_hep_errors_total", static_cast<double>(counters.errors));
}

}  // namespace perdure::app

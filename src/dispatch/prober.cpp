#include "dispatch/prober.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/logging.hpp"
#include "sip/uri.hpp"

namespace perdure::dispatch {
namespace {

// A round over a long list is spread, so that its answers do not arrive as one burst.
constexpr std::size_t probes_per_tick = 64;
constexpr Duration pause_in_round = 20ms;
constexpr Duration idle_pause = 1s;  // how soon a server that takes calls again, or may ping again, looks after its destinations
constexpr std::size_t call_id_attempts = 4096;

// The socket that the destination asks for ("udp:192.0.2.1:5060"), else the first that reaches its family and transport.
const proxy::LocalSocket* socket_for(const Destination& destination, const locate::Server& server,
                                     const std::vector<proxy::LocalSocket>& sockets) {
  const auto fits = [&](const proxy::LocalSocket& socket) {
    return socket.transport == server.transport && socket.address.family == server.address.family;
  };
  if (!destination.socket.empty())
    for (const auto& socket : sockets)
      if (fits(socket) && destination.socket == fmt::format("{}:{}", name(socket.transport), socket.address.text())) return &socket;
  const auto found = std::ranges::find_if(sockets, fits);
  return found != sockets.end() ? &*found : nullptr;
}

}  // namespace

bool Prober::is_due(const Destination& destination) const {
  if (destination.listed_flags & state::no_ping) return false;
  const std::uint8_t flags = dispatcher_.flags_of(destination);
  if (flags & state::disabled) return false;
  const bool flagged = (flags & state::probing) != 0;
  switch (dispatcher_.options().probing_mode) {
    case ProbingMode::All:
      return true;
    case ProbingMode::Inactive:
      return flagged && (flags & state::inactive);
    case ProbingMode::Flagged:
    case ProbingMode::OnlyFlagged:
      return flagged;
  }
  return false;
}

void Prober::on_tick(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
  const auto& options = dispatcher_.options();
  if (options.probing_interval <= 0s) {
    next_deadline_ = never;
    return;
  }
  if (now < next_deadline_) return;

  next_deadline_ = never;
  for (auto it = probes_.begin(); it != probes_.end();) {
    Probe& probe = it->second;
    if (probe.expire_at <= now) {  // Timer F
      finish(probe, 408);
      it = probes_.erase(it);
      continue;
    }
    if (probe.retransmit_at <= now) {  // Timer E
      send(probe, outputs);
      probe.interval = std::min(probe.interval * 2, options.t2);
      probe.retransmit_at = now + probe.interval;
    }
    next_deadline_ = std::min({next_deadline_, probe.retransmit_at, probe.expire_at});
    ++it;
  }
  if (proxy.drain().on || !dispatcher_.pings()) {  // what is under way ends, nothing new begins
    round_list_.reset();
    next_round_ = std::max(next_round_, now + idle_pause);
  }
  if (!round_list_ && now >= next_round_) {
    next_round_ = now + options.probing_interval;
    start_round();
  }
  if (round_list_) start_probes(now, proxy, outputs);
  next_deadline_ = std::min(next_deadline_, round_list_ ? now + pause_in_round : next_round_);
}

void Prober::start_round() {
  round_list_ = dispatcher_.list();
  round_set_ = round_position_ = 0;
}

void Prober::start_probes(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
  for (std::size_t started = 0; started < probes_per_tick;) {
    if (round_set_ == round_list_->sets.size()) {
      round_list_.reset();
      return;
    }
    const Set& set = *round_list_->sets[round_set_];
    if (round_position_ == set.destinations.size()) {
      ++round_set_;
      round_position_ = 0;
      continue;
    }
    const Destination& destination = set.destinations[round_position_++];
    // A reload may have taken it off the list while the round goes on: its slot may have another owner.
    const Selection current = dispatcher_.find(destination.set, destination.uri);
    if (!current || !is_due(current.first())) continue;
    const bool still_open = std::ranges::any_of(
        probes_, [&](const auto& entry) { return entry.second.set == destination.set && entry.second.uri == destination.uri; });
    if (still_open) continue;  // an interval shorter than Timer F
    start(current.first(), now, proxy, outputs);
    ++started;
  }
}

void Prober::start(const Destination& destination, Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
  const auto servers = dispatcher_.servers_of(destination);
  if (!servers) return;  // its name is being looked up
  if (servers->empty())
    return finish({.set = destination.set, .uri = destination.uri, .request = {}, .destination = {}, .server_name = {}}, 478);
  const locate::Server& server = servers->front();
  const auto& sockets = proxy.options().sockets;
  const proxy::LocalSocket* const socket = socket_for(destination, server, sockets);
  if (socket == nullptr) {
    log::warning("dispatcher: no socket of ours reaches {}: it is not probed", destination.uri);
    return;
  }
  const auto& options = dispatcher_.options();
  const std::string branch = proxy.make_local_branch();
  Probe probe{.set = destination.set,
              .uri = destination.uri,
              .request = write_request(destination, *socket, branch),
              .destination = server.address,
              .server_name = {},
              .socket = static_cast<std::uint16_t>(socket - sockets.data()),
              .interval = options.t1,
              .retransmit_at = is_reliable(server.transport) ? never : now + options.t1,
              .expire_at = now + 64 * options.t1};
  const auto uri = sip::Uri::parse(destination.uri);
  if (destination.address.family == Family::None && uri) probe.server_name = uri->host;
  if (!proxy.run_local_request(probe.request, now, outputs)) return;
  send(probe, outputs);
  next_deadline_ = std::min({next_deadline_, probe.retransmit_at, probe.expire_at});
  probes_.insert_or_assign(branch, std::move(probe));
}

void Prober::send(const Probe& probe, proxy::Outputs& outputs) {
  outputs.send({.bytes = outputs.copy(probe.request),
                .destination = probe.destination,
                .socket = probe.socket,
                .server_name = outputs.copy(probe.server_name)});
}

std::string Prober::write_request(const Destination& destination, const proxy::LocalSocket& socket, std::string_view branch) {
  const auto& options = dispatcher_.options();
  const std::string host = fmt::format("{}:{}", socket.advertised_host, socket.advertised_port);
  const std::string_view from_of_list = destination.ping_from.empty() ? std::string_view(options.ping_from) : destination.ping_from;
  const std::string from = from_of_list.empty() ? fmt::format("sip:dispatcher@{}", host) : std::string(from_of_list);
  std::string request;
  for (std::size_t attempt = 0; attempt < call_id_attempts; ++attempt) {
    request = fmt::format(
        "{} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={};rport\r\nMax-Forwards: 70\r\nFrom: <{}>;tag={:016x}\r\nTo: <{}>\r\n"
        "Call-ID: {:016x}@{}\r\nCSeq: 10 {}\r\nContent-Length: 0\r\n\r\n",
        options.ping_method, destination.uri, via_name(socket.transport), host, branch, from, random_.next(), destination.uri,
        random_.next(), socket.advertised_host, options.ping_method);
    if (proxy::partition_of(request, share_.partition_count) % share_.worker_count == share_.worker) break;
  }
  return request;
}

void Prober::on_local_response(std::string_view branch, std::uint16_t status, Time now) {
  const auto found = probes_.find(std::string(branch));
  if (found == probes_.end()) return;  // late, or of the engine before this one
  if (status < 200) {
    found->second.interval = dispatcher_.options().t2;
    if (found->second.retransmit_at != never) found->second.retransmit_at = now + dispatcher_.options().t2;
    return;
  }
  finish(found->second, status);
  probes_.erase(found);
}

bool Prober::is_alive(std::uint16_t status) const {
  if (status >= 200 && status < 300) return true;
  return std::ranges::any_of(dispatcher_.options().ping_reply_codes,
                             [status](const auto& range) { return status >= range.first && status <= range.last; });
}

void Prober::finish(const Probe& probe, std::uint16_t status) {
  const auto current = dispatcher_.flags(probe.set, probe.uri);
  if (!current || (*current & state::disabled)) return;  // left the list, or disabled by command meanwhile
  const ProbingMode mode = dispatcher_.options().probing_mode;
  std::uint8_t flags = 0;
  if (is_alive(status)) {
    if (mode == ProbingMode::All || (mode == ProbingMode::OnlyFlagged && (*current & state::probing))) flags = state::probing;
  } else {
    // Kamailio clears `probing` here in mode 0, after which nothing would ever probe the destination again.
    flags = state::trying | state::probing;
  }
  log::debug("dispatcher: probe of set {} {}: {}", probe.set, probe.uri, status);
  dispatcher_.update_state(probe.set, probe.uri, flags);
}

}  // namespace perdure::dispatch

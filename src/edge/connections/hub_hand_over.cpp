// Connections go to a hub in another process, or come from one.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/logging.hpp"
#include "edge/connections/hub.hpp"

namespace perdure::edge {
namespace {

constexpr int takes_max = 10'000;  // more than a ring holds, unless it makes no sense

bool is_secure(Transport transport) {
  return transport == Transport::Tls || transport == Transport::Wss;
}

}  // namespace

void Hub::pause() {
  paused_ = true;
  set_accepting(false);
  for (const auto& [id, connection] : connections_) set_interest(*connection);
}

void Hub::resume() {
  paused_ = false;
  set_accepting(true);
  for (const auto& [id, connection] : connections_) {
    set_interest(*connection);
    const bool reads = connection->state == Connection::State::Open || connection->state == Connection::State::Upgrade;
    if (reads && !std::exchange(connection->read_on, true)) read_on_.push_back(id);
    if (connection->state == Connection::State::Handshake) handshaking_.push_back(id);
  }
}

HandedConnections Hub::give_away(Relay& relay) {
  PERDURE_ASSERT(paused_);
  now_ = std::chrono::steady_clock::now();
  std::ranges::fill(full_, std::uint8_t{0});
  const auto has_more = [](const RingConsumer& ring) { return !ring.empty(); };
  for (int i = 0; i < takes_max && std::ranges::any_of(outbound_, has_more); ++i) take_published();
  flush_dirty();
  return_undelivered();
  publish();
  HandedConnections handed;
  // In the order in which they were opened: of two to the same peer the first is the one that is found.
  std::vector<std::uint64_t> ids;
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  std::ranges::sort(ids, {}, [this](std::uint64_t id) { return std::pair(connections_.at(id)->opened, id); });
  for (const auto id : ids) {
    int descriptor = -1;
    auto one = hand_over(*find(id), descriptor, relay);
    if (descriptor < 0) {
      for (auto& outgoing : one.out)
        if (outgoing.is_message) come_back(std::move(outgoing));
      continue;
    }
    handed.connections.push_back(std::move(one));
    handed.descriptors.push_back(descriptor);
  }
  for (auto& [queue, bytes] : undelivered_) {
    std::ranges::move(queue, std::back_inserter(handed.undelivered));
    queue.clear();
    bytes = 0;
  }
  for (auto& sent : sent_) {
    handed.sent.push_back(sent.keys());
    sent = {};
  }
  forget_all();
  return handed;
}

// `descriptor` stays -1 if there is none left for it: the connection closes.
HandedConnection Hub::hand_over(Connection& connection, int& descriptor, Relay& relay) {
  (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.stream->descriptor(), nullptr);
  const auto known = peers_.find(PeerName{connection.peer, connection.transport, connection.proved_name});
  HandedConnection handed{.id = connection.id,
                          .transport = connection.transport,
                          .state = connection.state,
                          .inbound = connection.inbound,
                          .found_by_address = known != peers_.end() && known->second == connection.id,
                          .after_crlf = connection.framer.is_after_crlf(),
                          .web = connection.web.has_value(),
                          .assembling = connection.web && connection.web->is_assembling(),
                          .socket = connection.socket,
                          .peer = connection.peer,
                          .source = connection.source,
                          .proved_name = connection.proved_name,
                          .security = connection.stream->description(),
                          .in = std::move(connection.in),
                          .kept = connection.web ? std::string(connection.web->kept()) : std::string(),
                          .waiting = std::move(connection.waiting),
                          .out = {},
                          .written = connection.written,
                          .opened = connection.opened,
                          .active = connection.active,
                          .message_since = connection.message_since,
                          .write_since = connection.write_since,
                          .messages_received = connection.messages_received,
                          .messages_sent = connection.messages_sent,
                          .proved_domains = std::move(connection.proved_domains),
                          .aliases = std::move(connection.aliases),
                          .answers_pings = connection.answers_pings};
  std::ranges::move(connection.out, std::back_inserter(handed.out));
  if (connection.stream->stays_here())
    stay(connection, handed, descriptor, relay);
  else
    descriptor = connection.stream->release();
  return handed;
}

// To the next hub the session looks like one that has been opened; what its handshake leads to shows soon.
void Hub::stay(Connection& connection, HandedConnection& handed, int& descriptor, Relay& relay) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    log::error("the session with {} ends, it cannot be handed over: {}", connection.peer.text(), std::strerror(errno));
    return counters_.closed_failed.add();
  }
  descriptor = pair[0];
  const bool is_open = connection.state != Connection::State::Connecting && connection.state != Connection::State::Handshake;
  if (!is_open) {
    handed.state = connection.transport == Transport::Wss ? Connection::State::Upgrade : Connection::State::Open;
    handed.found_by_address = handed.found_by_address || (connection.inbound && handed.state == Connection::State::Open);
  }
  // What OpenSSL has seen the beginning of must go on there.
  std::string unsent;
  if (!handed.out.empty() && (connection.written != 0 || connection.wants_write)) {
    unsent = handed.out.front().bytes.substr(connection.written);
    handed.out.erase(handed.out.begin());
    handed.written = 0;
  }
  relay.add({.stream = std::move(connection.stream),
             .socket = pair[1],
             .is_open = is_open,
             .unsent = std::move(unsent),
             .handshake_timeout = options_.handshake_timeout});
}

void Hub::forget_all() {
  connections_.clear();
  peers_.clear();
  sources_.clear();
  for (auto* const list : {&dirty_, &read_on_, &handshaking_, &stalled_, &throttled_}) list->clear();
  for (auto& open : counters_.open) open.set(0);
  counters_.relayed.set(0);
  counters_.buffered_bytes.set(0);
  outbound_count_ = 0;
}

void Hub::take(HandedConnections handed) {
  now_ = std::chrono::steady_clock::now();
  use_rings();
  const auto descriptors = std::exchange(handed.descriptors, {});
  for (std::size_t i = 0; i < descriptors.size(); ++i) take_one(std::move(handed.connections[i]), descriptors[i]);
  for (auto& outgoing : handed.undelivered) {
    auto& [queue, bytes] = undelivered_[worker_of(outgoing.bytes)];
    bytes += outgoing.bytes.size();
    queue.push_back(std::move(outgoing));
  }
  for (std::size_t worker = 0; worker < std::min(sent_.size(), handed.sent.size()); ++worker)
    for (const auto key : handed.sent[worker]) sent_[worker].add(key);
  resume();
}

void Hub::take_one(HandedConnection handed, int descriptor) {
  const bool begins = handed.state == Connection::State::ProxyHeader || handed.state == Connection::State::Handshake;
  const bool relayed = is_secure(handed.transport) && !begins;
  std::unique_ptr<Stream> stream;
  if (relayed)
    stream = std::make_unique<RelayedStream>(descriptor, std::move(handed.security));
  else if (is_secure(handed.transport))
    stream = tls_->accept(descriptor, handed.transport == Transport::Wss);
  else
    stream = std::make_unique<Stream>(descriptor);
  auto made = std::make_unique<Connection>(handed.id, std::move(stream), options_.message_bytes_max);
  made->transport = handed.transport;
  made->state = handed.state;
  made->inbound = handed.inbound;
  made->socket = handed.socket;
  made->peer = handed.peer;
  made->source = handed.source;
  made->proved_name = handed.proved_name;
  if (made->inbound && made->source.family != Family::None) (void)admit_source(made->source);
  Connection& connection = add(std::move(made));
  connection.relayed = relayed;
  if (relayed) counters_.relayed.add();
  connection.opened = handed.opened;
  connection.active = handed.active;
  connection.message_since = handed.message_since;
  connection.write_since = handed.write_since;
  connection.messages_received = handed.messages_received;
  connection.messages_sent = handed.messages_sent;
  if (handed.after_crlf) (void)connection.framer.next("\r\n");
  if (handed.web) connection.web.emplace(options_.message_bytes_max);
  if (handed.assembling) connection.web->go_on(std::move(handed.kept));
  connection.in = std::move(handed.in);
  connection.waiting = std::move(handed.waiting);
  connection.stalled = !connection.waiting.empty();
  if (connection.stalled) stalled_.push_back(connection.id);
  for (auto& outgoing : handed.out) {
    connection.out_bytes += outgoing.bytes.size();
    connection.out.push_back(std::move(outgoing));
  }
  connection.written = handed.written;
  account(static_cast<std::int64_t>(connection.out_bytes + connection.waiting.size()));
  count_input(connection);
  if (!connection.out.empty() && !std::exchange(connection.dirty, true)) dirty_.push_back(connection.id);
  if (handed.found_by_address) remember_peer(connection);
  connection.proved_domains = std::move(handed.proved_domains);
  connection.answers_pings = handed.answers_pings;
  for (const auto& alias : handed.aliases) add_alias(connection, alias);
}

}  // namespace perdure::edge

// How connections come and go.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/case.hpp"
#include "base/checksum.hpp"
#include "base/logging.hpp"
#include "edge/connections/hub.hpp"
#include "net/tcp_socket.hpp"

namespace perdure::edge {
namespace {

constexpr int accepts_per_turn = 64;
constexpr Duration back_off_first = 1s;
constexpr std::size_t back_offs_max = 4096;

}  // namespace

// Limits hold for an IPv4 address, or for the 64 bits of IPv6 that one subscriber has.
SocketAddress Hub::source_key(const SocketAddress& address) {
  SocketAddress key = address;
  key.port = 0;
  if (key.family == Family::IPv6) std::fill(key.ip.begin() + 8, key.ip.end(), std::uint8_t{0});
  return key;
}

void Hub::set_accepting(bool accepting) {
  accepting_ = accepting;
  for (std::size_t i = 0; i < listening_.size(); ++i) {
    epoll_event event{};
    event.events = accepting ? std::uint32_t{EPOLLIN} : 0U;
    event.data.u64 = first_listener + i;
    (void)epoll_ctl(epoll_, EPOLL_CTL_MOD, listening_[i].descriptor, &event);
  }
}

void Hub::accept(Listening& listening) {
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage native{};
    socklen_t length = sizeof native;
    const int descriptor = accept4(listening.descriptor, reinterpret_cast<sockaddr*>(&native), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      accept_one(listening, descriptor, SocketAddress::from_native(native));
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno != EAGAIN) {
      counters_.accept_failures.add();
      set_accepting(false);  // until the next tick
    }
    return;
  }
}

void Hub::accept_one(Listening& listening, int descriptor, const SocketAddress& peer) {
  counters_.accepted.add();
  const Transport transport = listening.options.transport;
  const bool secure = transport == Transport::Tls || transport == Transport::Wss;
  auto stream = secure ? tls_->accept(descriptor, transport == Transport::Wss) : std::make_unique<Stream>(descriptor);
  if (connections_.size() >= options_.connections_max) return counters_.refused_total.add();
  if (!listening.options.proxy_protocol && !admit_source(peer)) return counters_.refused_source.add();
  net::prepare_tcp_connection(descriptor);
  auto connection = std::make_unique<Connection>(++next_id_, std::move(stream), options_.message_bytes_max);
  connection->transport = listening.options.transport;
  connection->socket = listening.options.socket;
  connection->peer = peer;
  if (listening.options.proxy_protocol)
    connection->state = Connection::State::ProxyHeader;
  else
    connection->source = source_key(peer);
  Connection& added = add(std::move(connection));
  if (added.state != Connection::State::ProxyHeader) begin(added);
}

Connection& Hub::add(std::unique_ptr<Connection> connection) {
  connection->opened = connection->active = now_;
  connection->interest = UINT32_MAX;
  counters_.open[static_cast<std::size_t>(connection->transport)].add();
  if (!connection->inbound) ++outbound_count_;
  Connection& added = *connection;
  connections_.emplace(added.id, std::move(connection));
  set_interest(added);
  return added;
}

bool Hub::admit_source(const SocketAddress& address) {
  Source& source = sources_.try_emplace(source_key(address), Source{0, double(options_.messages_per_second_max), now_}).first->second;
  if (source.connections >= options_.connections_per_source_max) return false;
  ++source.connections;
  return true;
}

void Hub::begin(Connection& connection) {
  if (connection.transport != Transport::Tls && connection.transport != Transport::Wss) return on_secure(connection);
  connection.state = Connection::State::Handshake;
  connection.wants_write = false;
  set_interest(connection);
  handshaking_.push_back(connection.id);
}

void Hub::on_secure(Connection& connection) {
  if (connection.transport != Transport::Ws && connection.transport != Transport::Wss) return on_open(connection);
  connection.state = Connection::State::Upgrade;
  connection.wants_write = false;
  set_interest(connection);
  if (!std::exchange(connection.read_on, true)) read_on_.push_back(connection.id);
}

void Hub::on_open(Connection& connection) {
  connection.state = Connection::State::Open;
  connection.active = now_;
  connection.wants_write = false;
  if (connection.inbound) {
    remember_peer(connection);
    connection.proved_domains = connection.stream->proved_domains();
  }
  back_off_.erase(PeerName{connection.peer, connection.transport, connection.proved_name});
  set_interest(connection);
  // With the handshake there may have come more, which epoll does not know of.
  if (!std::exchange(connection.read_on, true)) read_on_.push_back(connection.id);
  flush(connection);
}

std::uint64_t Hub::name_hash(std::string_view host) {
  std::string lower(host);
  std::ranges::transform(lower, lower.begin(), to_lower);
  return checksum(lower) | 1;
}

bool Hub::wants_name(Transport transport) const {
  return transport == Transport::Tls && options_.tls.verify_server == TlsOptions::Verify::Name;
}

// One that the server opened is good for the name for which it was opened (RFC 5923); one that the peer opened for its address.
Connection* Hub::find_peer(const SocketAddress& destination, Transport transport, std::string_view host) {
  auto found = peers_.end();
  if (wants_name(transport)) found = peers_.find(PeerName{destination, transport, name_hash(host)});
  if (found == peers_.end()) found = peers_.find(PeerName{destination, transport, 0});
  // The Contact of a browser says "ws" also where its connection has TLS (RFC 7118).
  if (found == peers_.end() && transport == Transport::Ws) found = peers_.find(PeerName{destination, Transport::Wss, 0});
  Connection* const connection = found == peers_.end() ? nullptr : find(found->second);
  return connection && connection->state == Connection::State::Closing ? nullptr : connection;
}

// A connection that was opened first stays the one that is found: the other end may have opened one at the same time.
void Hub::remember_peer(const Connection& connection) {
  const auto [known, added] = peers_.try_emplace(PeerName{connection.peer, connection.transport, connection.proved_name}, connection.id);
  if (!added && !find(known->second)) known->second = connection.id;
}

Connection* Hub::connect(const Listening& listening, const SocketAddress& destination, std::string_view host) {
  const Transport transport = listening.options.transport;
  const std::uint64_t proved_name = wants_name(transport) ? name_hash(host) : 0;
  const PeerName target{destination, transport, proved_name};
  const auto paused = back_off_.find(target);
  if ((paused != back_off_.end() && now_ < paused->second.until) || outbound_count_ >= options_.outbound_max ||
      connections_.size() >= options_.connections_max) {
    counters_.connect_refused.add();
    return nullptr;
  }
  const auto descriptor = net::begin_tcp_connect(destination, listening.options.address);
  if (!descriptor) {
    counters_.connect_failures.add();
    return nullptr;
  }
  net::prepare_tcp_connection(*descriptor);
  auto stream = transport == Transport::Tls ? tls_->connect(*descriptor, host) : std::make_unique<Stream>(*descriptor);
  auto connection = std::make_unique<Connection>(++next_id_, std::move(stream), options_.message_bytes_max);
  connection->transport = transport;
  connection->proved_name = proved_name;
  connection->socket = listening.options.socket;
  connection->peer = connection->source = destination;
  connection->inbound = false;
  connection->state = Connection::State::Connecting;
  Connection& added = add(std::move(connection));
  remember_peer(added);
  return &added;
}

void Hub::on_connected(Connection& connection) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(connection.stream->descriptor(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return connect_failed(connection, std::strerror(error));
  counters_.connected.add();
  begin(connection);
}

void Hub::connect_failed(Connection& connection, std::string_view why) {
  const PeerName target{connection.peer, connection.transport, connection.proved_name};
  if (back_off_.size() < back_offs_max || back_off_.contains(target)) {
    BackOff& pause = back_off_[target];
    const Duration length = std::min<Duration>(back_off_first * (std::int64_t{1} << std::min(pause.failures, 20U)), options_.back_off_max);
    ++pause.failures;
    pause.until = now_ + length;
  }
  log::info("{}:{} cannot be connected to: {}", perdure::name(connection.transport), connection.peer.text(), why);
  close(connection, counters_.connect_failures);
}

void Hub::close(Connection& connection, Counter& reason) {
  if (connection.state == Connection::State::Closed) return;
  reason.add();
  counters_.open[static_cast<std::size_t>(connection.transport)].subtract();
  if (connection.relayed) counters_.relayed.subtract();
  if (!connection.inbound) --outbound_count_;
  if (connection.inbound && connection.source.family != Family::None)
    if (const auto source = sources_.find(connection.source); source != sources_.end()) --source->second.connections;
  const auto peer = peers_.find(PeerName{connection.peer, connection.transport, connection.proved_name});
  if (peer != peers_.end() && peer->second == connection.id) peers_.erase(peer);
  for (const auto& alias : connection.aliases)
    if (const auto found = peers_.find(alias); found != peers_.end() && found->second == connection.id) peers_.erase(found);
  account(-static_cast<std::int64_t>(connection.counted + connection.waiting.size() + connection.out_bytes));
  (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.stream->descriptor(), nullptr);
  connection.stream->finish();
  auto out = std::exchange(connection.out, {});
  connection.out_bytes = 0;
  connection.in.clear();
  connection.waiting.clear();
  const auto found = connections_.find(connection.id);
  connection.state = Connection::State::Closed;
  closed_.push_back(std::move(found->second));
  connections_.erase(found);
  ::shutdown(closed_.back()->stream->descriptor(), SHUT_RDWR);
  for (auto& outgoing : out)
    if (outgoing.is_message) come_back(std::move(outgoing));
}

}  // namespace perdure::edge

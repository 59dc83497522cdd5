#include "edge/connections/hub.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"

namespace perdure::edge {
namespace {

constexpr std::size_t events_max = 512;
constexpr std::size_t read_bytes = 64 * 1024;
constexpr Duration tick_interval = 250ms;
// Handshakes cost a thousand times what a message costs. In one turn they may take so long; the rest of them is for the next turns.
constexpr Duration handshakes_time = 2ms;

}  // namespace

std::string_view name(Connection::State state) {
  constexpr std::array<std::string_view, 7> names = {"connecting", "proxy header", "handshake", "upgrade", "open", "closing", "closed"};
  return names[static_cast<std::size_t>(state)];
}

std::size_t Hub::PeerHash::operator()(const PeerName& peer) const {
  return checksum(&peer.address, sizeof peer.address, peer.proved_name + static_cast<std::uint64_t>(peer.transport));
}
std::size_t Hub::SourceHash::operator()(const SocketAddress& address) const {
  return checksum(&address, sizeof address);
}

Hub::Hub(ConnectionOptions options, RingRegion& rings, std::uint32_t generation)
    : options_(std::move(options)),
      rings_(rings),
      next_id_(std::uint64_t{generation} << 32),
      now_(std::chrono::steady_clock::now()),
      damages_(rings.worker_count()),
      undelivered_(rings.worker_count()),
      unpublished_(rings.worker_count()),
      full_(rings.worker_count()),
      sent_(rings.worker_count()),
      scratch_(read_bytes, '\0') {
  PERDURE_ASSERT(generation != 0);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  PERDURE_ASSERT(epoll_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = ring_event;
  (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, rings.edge_event(), &event);
}

Hub::~Hub() {
  for (const auto& listening : listening_) ::close(listening.descriptor);
  ::close(epoll_);
}

Result<> Hub::load_tls() {
  const auto is_secure = [](const Listener& one) { return one.transport == Transport::Tls || one.transport == Transport::Wss; };
  if (std::ranges::none_of(options_.listeners, is_secure)) return {};
  auto loaded = TlsContext::load(options_.tls);
  if (!loaded) return std::unexpected(loaded.error());
  tls_ = std::move(*loaded);
  return {};
}

void Hub::listen_on(const Listener& listener, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = first_listener + listening_.size();
  (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  listening_.push_back({listener, descriptor});
  addresses_.push_back(net::local_address(descriptor));
}

Result<> Hub::open() {
  if (auto loaded = load_tls(); !loaded) return loaded;
  for (const auto& listener : options_.listeners) {
    const auto descriptor = net::open_tcp_listener(listener.address, perdure::name(listener.transport));
    if (!descriptor) return std::unexpected(descriptor.error());
    listen_on(listener, *descriptor);
  }
  use_rings();
  return {};
}

Result<> Hub::adopt(const std::vector<int>& listeners) {
  for (std::size_t i = 0; i < std::min(listeners.size(), options_.listeners.size()); ++i) listen_on(options_.listeners[i], listeners[i]);
  for (std::size_t i = options_.listeners.size(); i < listeners.size(); ++i) ::close(listeners[i]);
  if (listeners.size() != options_.listeners.size()) return fail("the edge before listens at other addresses");
  return load_tls();
}

std::vector<int> Hub::listener_descriptors() const {
  std::vector<int> descriptors;
  for (const auto& listening : listening_) descriptors.push_back(listening.descriptor);
  return descriptors;
}

// Where whoever used them before has stopped. To begin writes into them, so nobody else may use them now.
void Hub::use_rings() {
  inbound_.clear();
  outbound_.clear();
  for (std::uint32_t worker = 0; worker < rings_.worker_count(); ++worker) {
    inbound_.emplace_back(rings_.inbound(worker));
    outbound_.emplace_back(rings_.outbound(worker));
  }
  std::ranges::fill(damages_, 0U);
}

void Hub::interrupt() {
  const std::uint64_t one = 1;
  (void)!::write(rings_.edge_event(), &one, sizeof one);
}

Connection* Hub::find(std::uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

bool Hub::has_published() const {
  return std::ranges::any_of(outbound_, [](const RingConsumer& ring) { return !ring.empty(); });
}

bool Hub::has_work() const {
  if (!read_on_.empty() || !dirty_.empty() || has_published()) return true;
  for (std::uint32_t worker = 0; worker < outbound_.size(); ++worker) {
    // The worker has made room since it was asked to.
    if (full_[worker] && rings_.marks(worker).edge_wants_room.load(std::memory_order_acquire) == 0) return true;
  }
  return false;
}

int Hub::wait_ms(Duration longest) const {
  const auto now = std::chrono::steady_clock::now();
  if (next_tick_ <= now) return 0;
  const auto until_tick = std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - now);
  return static_cast<int>(std::min(until_tick, std::chrono::duration_cast<std::chrono::milliseconds>(longest)).count());
}

bool Hub::is_idle() const {
  return read_on_.empty() && dirty_.empty();
}

// Peers are not looked after before messages have gathered; what the engine publishes meanwhile leaves at once. False: it is time, or there
// is something else to do.
bool Hub::gather() {
  const auto left = gathering_.pause(std::chrono::steady_clock::now());
  if (left == Gathering::Pause{}) return false;
  const timespec pause{0, left.count()};
  pollfd waiting{rings_.edge_event(), POLLIN, 0};
  (void)rings_.edge_sleeps().exchange(1, std::memory_order_acq_rel);
  if (!has_published()) (void)ppoll(&waiting, 1, &pause, nullptr);
  (void)rings_.edge_sleeps().exchange(0, std::memory_order_acq_rel);
  if (!has_published()) return false;
  std::uint64_t ignored = 0;
  (void)!::read(rings_.edge_event(), &ignored, sizeof ignored);
  now_ = std::chrono::steady_clock::now();
  take_published();
  flush_dirty();
  return_undelivered();
  publish();
  closed_.clear();
  gathering_.resume(is_idle());
  return true;
}

void Hub::turn(Duration longest) {
  if (gather()) return;
  const auto waiting_since = std::chrono::steady_clock::now();
  const std::uint64_t received_before = counters_.messages_received.get();
  // See RingRegion::wake_edge: the flag first, then a last look.
  (void)rings_.edge_sleeps().exchange(1, std::memory_order_acq_rel);
  const int milliseconds = has_work() ? 0 : wait_ms(longest);
  std::array<epoll_event, events_max> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
  (void)rings_.edge_sleeps().exchange(0, std::memory_order_acq_rel);
  now_ = std::chrono::steady_clock::now();
  std::ranges::fill(full_, std::uint8_t{0});
  // Before anything is read, so that what is read does not wait for what is written.
  take_published();
  flush_dirty();
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == ring_event) {
      std::uint64_t ignored = 0;
      (void)!::read(rings_.edge_event(), &ignored, sizeof ignored);
    } else if (event.data.u64 - first_listener < listening_.size()) {
      accept(listening_[event.data.u64 - first_listener]);
    } else {
      on_event(event.data.u64, event.events);
    }
  }
  for (const auto id : std::exchange(read_on_, {}))
    if (Connection* const connection = find(id); connection && std::exchange(connection->read_on, false)) read(*connection);
  retry(stalled_);
  publish();
  flush_dirty();
  const auto handshakes_end = now_ + handshakes_time;
  for (const auto id : std::exchange(handshaking_, {})) {
    if (paused_ || std::chrono::steady_clock::now() > handshakes_end) break;  // epoll will name them again
    if (Connection* const connection = find(id)) handshake(*connection);
  }
  if (now_ >= next_tick_) {
    next_tick_ = now_ + tick_interval;
    tick();
  }
  return_undelivered();
  flush_dirty();
  publish();
  closed_.clear();
  gathering_.on_turn(counters_.messages_received.get() - received_before, waiting_since, now_, is_idle());
}

void Hub::on_event(std::uint64_t id, std::uint32_t events) {
  Connection* const connection = find(id);
  if (!connection) return;
  switch (connection->state) {
    case Connection::State::Connecting:
      return on_connected(*connection);
    case Connection::State::ProxyHeader:
    case Connection::State::Handshake:
      handshaking_.push_back(id);
      return;
    case Connection::State::Upgrade:
    case Connection::State::Open:
      if (events & EPOLLOUT) {
        connection->wants_write = false;
        flush(*connection);
      }
      if (connection->stalled) {
        // Nothing is read now, but that the peer is gone shows.
        if (events & EPOLLERR) close(*connection, counters_.closed_failed);
        return;
      }
      if (connection->state != Connection::State::Closing && connection->state != Connection::State::Closed &&
          (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
        read(*connection);
      return;
    case Connection::State::Closing:
      connection->wants_write = false;
      flush(*connection);
      return;
    case Connection::State::Closed:
      return;
  }
}

void Hub::set_interest(Connection& connection) {
  std::uint32_t wanted = 0;
  switch (connection.state) {
    case Connection::State::Connecting:
      wanted = EPOLLOUT;
      break;
    case Connection::State::ProxyHeader:
      wanted = paused_ ? 0U : std::uint32_t{EPOLLIN};
      break;
    case Connection::State::Handshake:
      if (!paused_) wanted = connection.wants_write ? EPOLLOUT : EPOLLIN;
      break;
    case Connection::State::Upgrade:
    case Connection::State::Open:
      wanted = (connection.stalled || ending_ || paused_ ? 0U : std::uint32_t{EPOLLIN}) |
               (connection.wants_write ? std::uint32_t{EPOLLOUT} : 0U);
      break;
    case Connection::State::Closing:
      wanted = EPOLLOUT;
      break;
    case Connection::State::Closed:
      return;
  }
  if (wanted == connection.interest) return;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = connection.id;
  (void)epoll_ctl(epoll_, connection.interest == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.stream->descriptor(), &event);
  connection.interest = wanted;
}

void Hub::end() {
  ending_ = true;
  for (const auto& listening : listening_) (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, listening.descriptor, nullptr);
  for (const auto& [id, connection] : connections_) set_interest(*connection);
}

bool Hub::has_ended() const {
  return !has_work() && std::ranges::all_of(connections_, [](const auto& entry) { return entry.second->out.empty(); });
}

std::vector<ConnectionView> Hub::list(std::size_t limit) const {
  std::vector<ConnectionView> views;
  const auto seconds = [](SteadyTime::duration duration) { return std::chrono::duration_cast<std::chrono::seconds>(duration).count(); };
  for (const auto& [id, connection] : connections_) {
    if (views.size() == limit) break;
    views.push_back({.id = id,
                     .transport = connection->transport,
                     .peer = connection->peer.text(),
                     .state = std::string(name(connection->state)),
                     .security = connection->stream->description(),
                     .inbound = connection->inbound,
                     .socket = connection->socket,
                     .age_s = seconds(now_ - connection->opened),
                     .idle_s = seconds(now_ - connection->active),
                     .messages_received = connection->messages_received,
                     .messages_sent = connection->messages_sent,
                     .queued_bytes = connection->out_bytes});
  }
  return views;
}

bool Hub::close_connection(std::uint64_t id) {
  Connection* const connection = find(id);
  if (connection) close(*connection, counters_.closed_by_command);
  return connection != nullptr;
}

}  // namespace perdure::edge

// From the peers to the rings.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/logging.hpp"
#include "edge/connections/hub.hpp"
#include "edge/connections/proxy_protocol.hpp"
#include "sip/builder.hpp"
#include "sip/message.hpp"

namespace perdure::edge {
namespace {

constexpr int reads_per_turn = 8;
constexpr std::size_t kept_capacity = 4096;  // of an empty input buffer

}  // namespace

void Hub::handshake(Connection& connection) {
  if (connection.state == Connection::State::ProxyHeader) return read_proxy_header(connection);
  if (connection.state != Connection::State::Handshake) return;
  switch (connection.stream->handshake()) {
    case IoStatus::Ok:
      return on_secure(connection);
    case IoStatus::WantRead:
      connection.wants_write = false;
      return set_interest(connection);
    case IoStatus::WantWrite:
      connection.wants_write = true;
      return set_interest(connection);
    case IoStatus::Closed:
    case IoStatus::Failed:
      if (!connection.inbound) return connect_failed(connection, connection.stream->error());
      log::info("{}: no handshake with {}: {}", perdure::name(connection.transport), connection.peer.text(), connection.stream->error());
      return close(connection, counters_.closed_handshake_failed);
  }
}

// Nothing beyond the header is taken from the socket: what follows may be for TLS.
void Hub::read_proxy_header(Connection& connection) {
  const int descriptor = connection.stream->descriptor();
  const std::size_t before = connection.in.size();
  const ssize_t seen = recv(descriptor, scratch_.data(), proxy_header_bytes_max, MSG_PEEK);
  if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (seen <= 0) return close(connection, counters_.closed_by_peer);
  connection.in.append(scratch_, 0, static_cast<std::size_t>(seen));
  const ProxyHeader header = edge::read_proxy_header(connection.in);
  const std::size_t end = header.kind == ProxyHeader::Kind::Done ? header.consumed : connection.in.size();
  (void)recv(descriptor, scratch_.data(), end - before, 0);
  count_input(connection);
  if (header.kind == ProxyHeader::Kind::Bad) return close(connection, counters_.closed_proxy_header);
  if (header.kind == ProxyHeader::Kind::NeedMore) return;
  connection.in.clear();
  count_input(connection);
  if (header.source && header.source->is_unicast()) connection.peer = *header.source;
  if (!admit_source(connection.peer)) return close(connection, counters_.refused_source);
  connection.source = source_key(connection.peer);
  begin(connection);
}

void Hub::read(Connection& connection) {
  if (paused_) return;  // resume() reads on
  for (int i = 0; i < reads_per_turn; ++i) {
    const auto [status, bytes] = connection.stream->read({scratch_.data(), scratch_.size()});
    switch (status) {
      case IoStatus::Ok:
        counters_.bytes_received.add(bytes);
        take_input(connection, {scratch_.data(), bytes});
        if (connection.state == Connection::State::Closed || connection.state == Connection::State::Closing || connection.stalled) return;
        // That was all, mostly; if not, epoll says so. What an encrypted stream holds itself, epoll does not know of.
        if (bytes < scratch_.size() && !connection.stream->holds_more()) return write_on(connection);
        break;
      case IoStatus::WantRead:
      case IoStatus::WantWrite:
        return write_on(connection);
      case IoStatus::Closed:
        return close(connection, counters_.closed_by_peer);
      case IoStatus::Failed:
        return close(connection, counters_.closed_failed);
    }
  }
  // Others have their turn before it may go on.
  if (!std::exchange(connection.read_on, true)) read_on_.push_back(connection.id);
}

// What could not be written before something was read.
void Hub::write_on(Connection& connection) {
  if (!connection.out.empty() && !std::exchange(connection.dirty, true)) dirty_.push_back(connection.id);
}

void Hub::count_input(Connection& connection) {
  const std::size_t kept = connection.in.size() + (connection.web ? connection.web->kept_bytes() : 0);
  account(static_cast<std::int64_t>(kept) - static_cast<std::int64_t>(std::exchange(connection.counted, kept)));
}

void Hub::take_input(Connection& connection, std::span<char> fresh) {
  const bool first = connection.in.empty();
  std::size_t consumed = 0;
  if (first) {
    consumed = consume(connection, fresh);
    if (connection.state == Connection::State::Closed) return;
    connection.in.assign(fresh.data() + consumed, fresh.size() - consumed);
  } else {
    connection.in.append(fresh.data(), fresh.size());
    consumed = consume(connection, connection.in);
    if (connection.state == Connection::State::Closed) return;
    connection.in.erase(0, consumed);
  }
  if (connection.in.empty() && connection.in.capacity() > kept_capacity) std::string().swap(connection.in);
  count_input(connection);
  // A message in fragments has the time of one.
  const bool goes_on = connection.web && connection.web->is_assembling();
  if (!connection.in.empty() && (first || consumed != 0) && !goes_on) connection.message_since = now_;
  if (counters_.buffered_bytes.get() > options_.buffers_max && connection.counted != 0) close(connection, counters_.closed_buffers_full);
}

std::size_t Hub::consume(Connection& connection, std::span<char> bytes) {
  std::size_t consumed = 0;
  const auto rest = [&] { return bytes.subspan(consumed); };
  if (connection.state == Connection::State::Upgrade) consumed += upgrade(connection, {bytes.data(), bytes.size()});
  if (connection.state != Connection::State::Open) return consumed;
  if (connection.web) return consumed + consume_frames(connection, rest());
  return consumed + consume_stream(connection, {rest().data(), rest().size()});
}

std::size_t Hub::consume_stream(Connection& connection, std::string_view bytes) {
  std::size_t consumed = 0;
  while (connection.state == Connection::State::Open && !connection.stalled) {
    const sip::Frame frame = connection.framer.next(bytes.substr(consumed));
    switch (frame.kind) {
      case sip::Frame::Kind::NeedMore:
        return consumed;
      case sip::Frame::Kind::Message:
        on_message(connection, frame.message);
        break;
      case sip::Frame::Kind::Ping:
        counters_.pings.add();
        connection.active = now_;
        enqueue(connection, Outgoing::own("\r\n"));
        break;
      case sip::Frame::Kind::Pong:
        on_pong(connection);
        if (connection.inbound) connection.active = now_;  // what the server asked for itself keeps no connection open
        break;
      case sip::Frame::Kind::Error:
        refuse_stream(connection, frame);
        break;
    }
    consumed += frame.consumed;
  }
  return consumed;
}

void Hub::on_message(Connection& connection, std::string_view message) {
  counters_.messages_received.add();
  ++connection.messages_received;
  connection.active = now_;
  connection.awaits_pong = false;
  if (!connection.proved_domains.empty()) take_alias(connection, message);
  if (Counter* const obstacle = hand_over(connection, message)) stall(connection, message, *obstacle);
}

// Where the next message begins is not known any more: the peer hears why, and the connection ends.
void Hub::refuse_stream(Connection& connection, const sip::Frame& frame) {
  Counter& reason = frame.error.status == 513 ? counters_.closed_too_large : counters_.closed_malformed;
  sip::Message message;
  (void)message.parse(frame.message);
  const bool answered = message.is_request() && message.method() != sip::Method::Ack && message.top_via();
  if (!answered) return close(connection, reason);
  std::string response;
  sip::build_response(message, frame.error.status, frame.error.reason, "edge", {}, {}, {}, response);
  answer_and_end(connection, std::move(response), reason);
}

// The connection is closed when the answer has left.
void Hub::answer_and_end(Connection& connection, std::string answer, Counter& reason) {
  reason.add();
  connection.state = Connection::State::Closing;
  enqueue(connection, Outgoing::own(std::move(answer)));
  if (connection.state == Connection::State::Closing) set_interest(connection);
}

Counter* Hub::hand_over(Connection& connection, std::string_view message) {
  Source* source = nullptr;
  if (const std::uint32_t most = options_.messages_per_second_max; most != 0) {
    source = &sources_.try_emplace(source_key(connection.source), Source{0, double(most), now_}).first->second;
    const double elapsed = std::chrono::duration<double>(now_ - source->refilled).count();
    source->tokens = std::min<double>(most, source->tokens + elapsed * most);
    source->refilled = now_;
    if (source->tokens < 1) return &counters_.throttled;
  }
  const Entry entry{
      .kind = EntryKind::Message, .socket = connection.socket, .connection = connection.id, .address = connection.peer, .bytes = message};
  if (!put(worker_of(message), entry)) return &counters_.stalled;
  if (source) source->tokens -= 1;
  return nullptr;
}

// Nothing is read until the message has been handed over: TCP makes the peer wait.
void Hub::stall(Connection& connection, std::string_view message, Counter& reason) {
  reason.add();
  connection.waiting.assign(message);
  account(static_cast<std::int64_t>(message.size()));
  connection.stalled = true;
  (&reason == &counters_.throttled ? throttled_ : stalled_).push_back(connection.id);
  set_interest(connection);
}

void Hub::retry(std::vector<std::uint64_t>& waiting) {
  if (paused_) return;
  for (const auto id : std::exchange(waiting, {})) {
    Connection* const connection = find(id);
    if (!connection || !connection->stalled) continue;
    if (Counter* const obstacle = hand_over(*connection, connection->waiting)) {
      (obstacle == &counters_.throttled ? throttled_ : stalled_).push_back(id);
      continue;
    }
    account(-static_cast<std::int64_t>(connection->waiting.size()));
    std::string().swap(connection->waiting);
    connection->stalled = false;
    connection->message_since = now_;
    take_input(*connection, {});
    if (connection->state != Connection::State::Open || connection->stalled) continue;
    set_interest(*connection);
    // The stream may hold what epoll does not know of.
    if (!std::exchange(connection->read_on, true)) read_on_.push_back(id);
  }
}

bool Hub::put(std::uint32_t worker, const Entry& entry) {
  if (full_[worker]) return false;
  bool done = inbound_[worker].append(entry);
  if (!done) {
    // Ask to be told of room, then look once more: it may have been made in between.
    (void)rings_.marks(worker).edge_wants_room.exchange(1, std::memory_order_acq_rel);
    done = inbound_[worker].append(entry);
    if (!done) full_[worker] = 1;
  }
  if (done) unpublished_[worker] = 1;
  return done;
}

}  // namespace perdure::edge

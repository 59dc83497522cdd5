// Server and client transactions: RFC 3261 17 with the tables of transaction/machine.cpp, and the replies that we make ourselves.
#include <charconv>

#include "base/checksum.hpp"
#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "proxy/response_count.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::Event;
using transaction::Machine;
using transaction::State;

namespace {
constexpr Duration answer_again_after = 1s;
}

bool Proxy::Impl::new_work(RoutingContext& context) {
  Work& work = *context.own_work;
  work.begin();
  const auto key = transaction::server_key(*context.message, options_.secret);
  if (!key) return false;
  auto& header = work.header;
  work.partition = partition_of(context.received->bytes, store_.partition_count());
  header.key = *key;
  header.connection = context.received->connection;
  header.created = context.now;
  header.source = context.received->source;
  header.reply_to = reply_address(*context.message, *context.received, context.force_rport);
  header.force_rport = context.force_rport ? 1 : 0;
  header.socket_key = socket_keys_[context.received->socket];
  header.nonce = static_cast<std::uint32_t>(random_.next());
  header.loop_hash = transaction::loop_hash(*context.message, options_.secret);
  header.flags = context.flags;
  header.switches = context.switches;
  header.method = context.message->method();
  header.state = header.method == sip::Method::Invite ? State::Proceeding : State::Trying;
  // A server transaction that is never answered must not stay for ever: branches bound it, this is the bound without branches.
  header.expire_at = never;
  // The record's id stands in the branch parameters, so a slot is taken before any message is written.
  work.id = store_.partition(work.partition).reserve<transaction::TransactionHeader>();
  if (work.id == store::RecordId::none) {
    ++counters_.store_full;
    return false;
  }
  work.created = true;
  header.request = write(work, context.received->bytes);
  if (!header.request) {
    discard(work);
    return false;
  }
  context.work = &work;
  return true;
}

int Proxy::Impl::new_transaction(RoutingContext& context, bool say_trying) {
  if (context.work) return 1;
  if (!new_work(context)) {
    reply_stateless(context, 503, "Service Unavailable", "Retry-After: 5\r\n");
    return -1;
  }
  Work& work = *context.work;
  save_context(context);
  if (say_trying && work.header.method == sip::Method::Invite && !(work.header.switches & transaction::no_trying))
    work.emit |= transaction::pending_response;  // 100 Trying
  if (!commit(work, *context.outputs, context.message)) {
    discard(work);
    context.work = nullptr;
    reply_stateless(context, 503, "Service Unavailable", "Retry-After: 5\r\n");
    return -1;
  }
  context.transaction = work.id;
  return 1;
}

// Over a connection responses go by that connection: the address is for when it is gone.
SocketAddress Proxy::Impl::reply_address(const sip::Message& request, const Received& received, bool force_rport) const {
  const sip::Via* via = request.top_via();
  const Transport transport = options_.sockets[received.socket].transport;
  if (!via || transport == Transport::Ws || transport == Transport::Wss) return received.source;  // nobody can connect to a browser
  if (transport == Transport::Udp && (force_rport || via->has_rport)) return received.source;     // RFC 3581 4
  SocketAddress address = received.source;  // RFC 3261 18.2.2: received address, port of sent-by
  address.port = via->port ? via->port : sip::default_port(transport);
  return address;
}

void Proxy::Impl::server_event(Work& work, Event event, Time now) {
  auto& header = work.header;
  const bool invite = header.method == sip::Method::Invite;
  const auto* row = find(invite ? Machine::InviteServer : Machine::NonInviteServer, header.state, event);
  if (!row) return;
  header.state = row->next;
  const bool reliable = header.connection != 0;
  if (row->actions & transaction::SendResponse) work.emit |= transaction::pending_response;
  if (row->actions & transaction::StopRetransmit) header.retransmit_at = never;
  if ((row->actions & transaction::StartRetransmit) && !reliable) {
    const auto t1_ms = timers_of(work).t1_ms;
    header.interval_ms = t1_ms ? t1_ms : static_cast<std::uint32_t>(options_.t1 / 1ms);
    header.retransmit_at = now + std::chrono::milliseconds(header.interval_ms);
  }
  if (row->actions & transaction::CapInterval) {
    const auto t2_ms = timers_of(work).t2_ms;
    header.interval_ms = std::min(header.interval_ms * 2, t2_ms ? t2_ms : static_cast<std::uint32_t>(options_.t2 / 1ms));
    header.retransmit_at = now + std::chrono::milliseconds(header.interval_ms);
  }
  if (row->actions & transaction::StartExpire) {
    const Duration wait = header.state == State::Confirmed              ? (reliable ? settle : options_.t4)       // I
                          : !invite && header.state == State::Completed ? (reliable ? settle : 64 * options_.t1)  // J
                                                                        : 64 * options_.t1;                       // H, L
    header.expire_at = now + wait;
  }
  if (row->next == State::Terminated) header.expire_at = header.retransmit_at = never;
}

bool Proxy::Impl::client_event(Work& work, std::size_t index, Event event, Time now, const transaction::Row** row_out) {
  Branch& branch = work.branches[index];
  const bool invite = work.header.method == sip::Method::Invite;
  const auto* row = find(invite ? Machine::InviteClient : Machine::NonInviteClient, branch.state, event);
  if (row_out) *row_out = row;
  if (!row) return false;
  branch.state = row->next;
  if (row->actions & transaction::SendRequest) work.emit |= transaction::pending_request(index);
  if (row->actions & transaction::SendAck) work.emit |= transaction::pending_ack(index);
  if (row->actions & transaction::StopRetransmit) branch.retransmit_at = never;
  if (row->actions & (transaction::DoubleInterval | transaction::CapInterval)) {
    branch.interval_ms *= 2;
    // As Kamailio has it: a T2 of the script bounds Timer A, too.
    const auto t2_ms = timers_of(work).t2_ms;
    if (t2_ms || (row->actions & transaction::CapInterval))
      branch.interval_ms = std::min(branch.interval_ms, t2_ms ? t2_ms : static_cast<std::uint32_t>(options_.t2 / 1ms));
    branch.retransmit_at = now + std::chrono::milliseconds(branch.interval_ms);
  }
  if (row->actions & transaction::StartExpire) {
    switch (branch.state) {
      case State::Proceeding:
        if (branch.cancel_state == State::None) branch.expire_at = final_response_deadline(work, timers_of(work), now);
        break;
      case State::Accepted:
        branch.expire_at = now + 64 * options_.t1;
        break;  // M
      case State::Completed:
        branch.expire_at = now + (is_reliable(branch.transport) ? settle
                                  : invite                      ? std::max<Duration>(64 * options_.t1, 32s)
                                                                : options_.t4);
        break;  // D, K
      default:
        break;
    }
  }
  if (branch.state == State::Terminated) branch.expire_at = branch.retransmit_at = never;
  return true;
}

void Proxy::Impl::build_reply(const Work& work, const sip::Message& request, std::uint16_t code, std::string_view reason,
                              std::string_view headers, std::string_view body, std::string& out) const {
  char tag[16];
  const std::uint64_t hash = checksum(&work.header.nonce, sizeof work.header.nonce, options_.secret ^ work.header.key);
  const auto end = std::to_chars(tag, tag + sizeof tag, hash, 16).ptr;
  text_.clear();
  if (const auto* top = request.top_via()) sip::via_with_received(*top, work.header.source, text_, work.header.force_rport != 0);
  sip::build_response(request, code, reason, code == 100 ? std::string_view{} : std::string_view(tag, static_cast<std::size_t>(end - tag)),
                      headers, body, text_, out);
}

void Proxy::Impl::observe_response(const Work& work, std::uint16_t code, Time now) {
  const auto& header = work.header;
  if (header.status >= 200) return;
  if (code >= 200)
    observer_->on_final_response(header.method, code, now - header.created);
  else if (code >= 180 && header.status < 180 && header.method == sip::Method::Invite)
    observer_->on_ringing(now - header.created);
}

bool Proxy::Impl::set_response(Work& work, std::string_view bytes, std::uint16_t code, Time now) {
  const auto blob = write(work, bytes);
  if (!blob) {
    // Nobody else would ever answer: on_record_due() tries again.
    if (code >= 200) work.header.expire_at = now + answer_again_after;
    return false;
  }
  observe_response(work, code, now);
  work.header.response = blob;
  work.header.status = code;
  server_event(work, code < 200 ? Event::Send1xx : code < 300 ? Event::Send2xx : Event::Send3xxTo6xx, now);
  return true;
}

void Proxy::Impl::reply(RoutingContext& context, std::uint16_t code, std::string_view reason, std::string_view headers) {
  Work& work = *context.work;
  if (code == 100) {
    // Sent when the transaction was made, unless the script said that it would do so.
    if ((work.header.switches & transaction::no_trying) && work.header.method == sip::Method::Invite && work.header.status == 0) {
      work.header.switches = static_cast<std::uint16_t>(work.header.switches & ~transaction::no_trying);
      work.emit |= transaction::pending_response;
    }
    return;
  }
  FrameScope scope(*this, *context.outputs);
  if (!scope.frame.message.parse(read(work, work.header.request))) return;
  auto& text = scope.frame.scratch;
  text.clear();
  lines_.assign(headers);
  lines_ += context.upstream_headers;
  if (!context.reply_body.empty()) lines_.append("Content-Type: ").append(context.reply_content_type).append("\r\n");
  build_reply(work, scope.frame.message, code, reason, lines_, context.reply_body, text);
  if (!set_response(work, text, code, context.now)) return;
  count_response(counters_, code);
  if (code >= 200) cancel_branches(work, context.now);
}

}  // namespace perdure::proxy

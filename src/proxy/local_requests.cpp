// Requests of our own and copies of others' (t_uac_send, t_replicate): a client transaction in a record like any other, so that its timers
// survive a restart, with nobody upstream. Its server side is terminated from the beginning.
#include <charconv>

#include "base/case.hpp"
#include "proxy/core.hpp"
#include "sip/name_addr.hpp"

namespace perdure::proxy {

using transaction::State;

namespace {

// Nobody here would hold the dialog of an INVITE, and the others belong to one.
bool can_be_ours(sip::Method method) {
  return method != sip::Method::Invite && method != sip::Method::Ack && method != sip::Method::Cancel;
}

bool is_written_here(sip::HeaderName name) {
  using enum sip::HeaderName;
  return name == Via || name == From || name == To || name == CallId || name == CSeq || name == MaxForwards || name == ContentLength;
}

std::string hex(std::uint64_t number) {
  char text[16];
  return {text, std::to_chars(text, text + sizeof text, number, 16).ptr};
}

}  // namespace

bool Proxy::Impl::begin_local(Work& work, std::uint32_t partition, sip::Method method, Time now) {
  work.begin();
  work.partition = partition;
  auto& header = work.header;
  header.key = random_.next();  // no message has it
  header.created = now;
  header.nonce = static_cast<std::uint32_t>(random_.next());
  header.method = method;
  header.state = State::Terminated;
  header.switches = transaction::local;
  work.id = store_.partition(partition).reserve<transaction::TransactionHeader>();
  work.created = work.id != store::RecordId::none;
  if (!work.created) ++counters_.store_full;
  return work.created;
}

bool Proxy::Impl::start_local(Work& work, sip::Method method, const NextHop& hop, const NamedHop* named, std::string_view text,
                              Outputs& outputs, Time now) {
  transaction::Branch& branch = work.branches[0];
  branch = {};
  branch.destination = hop.address;
  branch.socket_key = socket_keys_[hop.socket];
  branch.transport = hop.transport;
  if (named)
    (void)keep_servers(work, branch, *named);
  else if (sip::is_secure(hop.transport))
    branch.server_name = write(work, hop.server_name);
  branch.request = write(work, text);
  branch.state = State::Trying;
  work.header.method = method;
  work.header.branch_count = 1;
  bool sendable = branch.request && !work.no_room;
  if (named && named->waits) {
    sendable = sendable && await_servers(work, 0, named->destination, now);
  } else {
    branch.interval_ms = static_cast<std::uint32_t>(options_.t1 / 1ms);
    if (!is_reliable(hop.transport)) branch.retransmit_at = now + options_.t1;
    branch.expire_at = now + 64 * options_.t1;  // Timer F
    work.emit |= transaction::pending_request(0);
  }
  if (sendable && commit(work, outputs)) {
    ++counters_.branches;
    return true;
  }
  discard(work);
  return false;
}

int Proxy::Impl::send_request(RoutingContext& context, const LocalRequest& request) {
  const auto uri = sip::Uri::parse(request.uri);
  const auto method = sip::method_from(request.method);
  if (!uri || request.method.empty() || !can_be_ours(method)) return -1;
  FrameScope scope(*this, *context.outputs);
  Frame& frame = scope.frame;
  std::string& text = frame.scratch;
  text.assign("OPTIONS sip:a SIP/2.0\r\n").append(request.headers);
  if (!text.ends_with("\r\n")) text += "\r\n";
  text += "\r\n";
  sip::Message& given = frame.message;
  if (!given.parse(text) || !given.from() || !given.to()) return -1;

  const std::uint16_t socket = socket_named(request.socket).value_or(0);
  const auto given_next = sip::Uri::parse(request.next_hop);
  const sip::Uri& next = given_next && !request.next_hop.empty() ? *given_next : *uri;
  auto hop = resolve(next, socket);
  std::optional<NamedHop> named;
  if (!hop) {
    if (!(named = look_up(next, socket, given.call_id(), context.now))) return -1;
    hop = named->hop;
  }

  // Its answers come to the worker of its Call-ID: one that is ours.
  std::string call_id(given.call_id());
  if (call_id.empty()) do
      call_id = hex(random_.next()) + hex(random_.next());
    while (!owns(partition_of_call(call_id)));
  const std::uint32_t partition = partition_of_call(call_id);
  if (!owns(partition)) {
    struct Copy {
      std::string method, uri, next_hop, socket, headers, body;
    };
    return hand_over(partition,
                     [copy = Copy{std::string(request.method), std::string(request.uri), std::string(request.next_hop),
                                  std::string(request.socket), std::string(request.headers), std::string(request.body)}](
                         Proxy& there, Time now, Outputs& outputs) {
                       RoutingContext other(there);
                       other.outputs = &outputs;
                       other.now = now;
                       (void)other.send_request({copy.method, copy.uri, copy.next_hop, copy.socket, copy.headers, copy.body});
                     })
               ? 1
               : -1;
  }
  Work& work = frame.work;
  if (!begin_local(work, partition, method, context.now)) return -1;
  const auto& local = options_.sockets[hop->socket];
  const auto branch = transaction::BranchParameter{work.id.value, 0, work.header.nonce, 0}.text();
  const auto* cseq = given.cseq();
  std::string out(request.method);
  out.append(" ").append(request.uri).append(" SIP/2.0\r\nVia: SIP/2.0/").append(via_name(local.transport)).append(" ");
  out.append(local.advertised_host).append(":").append(std::to_string(local.advertised_port)).append(";branch=");
  out.append(branch.data(), branch.size()).append("\r\nFrom: ").append(given.value(*given.find(sip::HeaderName::From)));
  if (given.from()->tag.empty()) out.append(";tag=").append(hex(random_.next()));
  out.append("\r\nTo: ").append(given.value(*given.find(sip::HeaderName::To)));
  out.append("\r\nCall-ID: ").append(call_id).append("\r\nCSeq: ").append(std::to_string(cseq ? cseq->number : 10)).append(" ");
  out.append(request.method).append("\r\nMax-Forwards: 70\r\n");
  for (const auto& field : given.headers())
    if (!is_written_here(field.name)) out += given.line(field);
  out.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n\r\n").append(request.body);
  if (!run_local_request(out, context.now, *context.outputs)) {
    discard(work);
    return -1;
  }
  return start_local(work, method, *hop, named ? &*named : nullptr, out, *context.outputs, context.now) ? 1 : -1;
}

int Proxy::Impl::replicate(RoutingContext& context, std::string_view uri) {
  const auto parsed = sip::Uri::parse(uri);
  const auto method = context.message->method();
  if (!parsed || !can_be_ours(method) || validate(context).code) return -1;
  auto hop = resolve(*parsed, context.received->socket);
  std::optional<NamedHop> named;
  if (!hop) {
    if (!(named = look_up(*parsed, context.received->socket, context.message->call_id(), context.now))) return -1;
    hop = named->hop;
  }
  FrameScope scope(*this, *context.outputs);
  Frame& frame = scope.frame;
  if (!begin_local(frame.work, partition_of(context.received->bytes, store_.partition_count()), method, context.now)) return -1;
  const auto loop = transaction::loop_hash(*context.message, options_.secret);
  const auto branch = transaction::BranchParameter{frame.work.id.value, 0, frame.work.header.nonce, loop}.text();
  frame.edits = *context.edits;
  frame.scratch.clear();
  write_forwarded(context, context.target, *hop, {branch.data(), branch.size()}, frame.edits, 0, frame.scratch);
  return start_local(frame.work, method, *hop, named ? &*named : nullptr, frame.scratch, *context.outputs, context.now) ? 1 : -1;
}

int RoutingContext::send_request(const LocalRequest& request) {
  return proxy.impl_->send_request(*this, request);
}
int RoutingContext::replicate(std::string_view uri) {
  return proxy.impl_->replicate(*this, uri);
}

}  // namespace perdure::proxy

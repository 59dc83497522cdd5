// RFC 3261 17.1.4 and 18.4: what the transport could not deliver comes back.
#include "proxy/core.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::BranchParameter;
using transaction::State;

void Proxy::Impl::on_undelivered(std::string_view bytes, Time now, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  Frame& frame = scope.frame;
  if (!frame.message.parse(bytes)) return;
  if (!frame.message.is_request()) {
    // Whoever waits for it repeats the request, or its own timer ends it.
    ++counters_.undelivered_responses;
    return;
  }
  ++counters_.undelivered_requests;
  const sip::Via* top = frame.message.top_via();
  if (!top) return;
  constexpr std::uint16_t unreachable = 503;  // 16.9
  if (listener_ && top->branch.starts_with(local_branch_prefix)) return listener_->on_local_response(top->branch, unreachable, now);
  const auto parameter = BranchParameter::parse(top->branch);
  Work& work = frame.work;
  if (!parameter || !load(store::RecordId{parameter->record}, work) || work.header.nonce != parameter->nonce ||
      parameter->branch >= work.header.branch_count)
    return;  // stateless, or its transaction has ended
  if (record_mark_) *record_mark_ = work.id.value;
  Branch& branch = work.branches[parameter->branch];
  if (transport_from(top->transport) != branch.transport) return;  // told twice: the branch goes by UDP by now
  const auto method = frame.message.method();
  frame.context.now = now;
  frame.context.work = &work;
  if (method == work.header.method) {
    // Later than this the peer has answered: what came back is a repetition.
    if (branch.state != State::Calling && branch.state != State::Trying) return;
    if (branch.fallback_socket_key && is_reliable(branch.transport)) {
      if (fall_back_to_udp(work, parameter->branch, frame.message, now) && commit(work, outputs)) return;
      if (!load(work.id, work)) return;
    }
    branch.state = State::Terminated;
    branch.status = unreachable;
    branch.unreachable = 1;
    branch.cancel_wanted = 0;
    branch.expire_at = branch.retransmit_at = never;
    branch_failed(work, now, frame.context);
  } else if (method == sip::Method::Cancel && branch.cancel_state != State::None) {
    // The branch itself ends by its own time, at most 64*T1 after the CANCEL (9.1).
    branch.cancel_state = State::Terminated;
    branch.cancel_expire_at = branch.cancel_retransmit_at = never;
  } else {
    return;  // an ACK: the final response comes again and with it another chance
  }
  if (!commit(work, outputs)) wheel_.schedule(work.id.value, now + 100ms);  // the store is full: a timer ends it
}

bool Proxy::Impl::fall_back_to_udp(Work& work, std::size_t index, const sip::Message& request, Time now) {
  Branch& branch = work.branches[index];
  const auto socket = socket_for(Transport::Udp, branch.destination.family, socket_from(branch.fallback_socket_key));
  std::string text(request.bytes());
  if (!socket || !set_top_via_socket(text, options_.sockets[*socket])) return false;
  const auto blob = write(work, text);
  if (!blob) return false;
  ++counters_.udp_fallbacks;
  branch.request = blob;
  branch.transport = Transport::Udp;
  branch.socket_key = socket_keys_[*socket];
  branch.fallback_socket_key = 0;
  branch.connection = 0;
  branch.retransmit_at = now + std::chrono::milliseconds(branch.interval_ms);
  work.emit |= transaction::pending_request(index);
  return true;
}

}  // namespace perdure::proxy

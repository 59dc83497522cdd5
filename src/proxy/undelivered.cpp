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
  const auto method = frame.message.method();
  frame.context.now = now;
  frame.context.work = &work;
  if (method == work.header.method) {
    // Later than this the peer has answered: what came back is a repetition.
    if (branch.state != State::Calling && branch.state != State::Trying) return;
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

}  // namespace perdure::proxy

// Where inputs enter the core: which transaction, if any, does a message belong to?
#include "base/logging.hpp"
#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::BranchParameter;
using transaction::Event;
using transaction::Machine;
using transaction::State;

namespace {
Event response_event(std::uint16_t status) {
  return status < 200 ? Event::Response1xx : status < 300 ? Event::Response2xx : Event::Response3xxTo6xx;
}

// Whether the request left with that sent-by, which a script may have written (set_advertised_address). Once it is no longer kept, the
// branch alone has to do.
bool was_sent_as(const sip::Via& via, std::string_view request) {
  sip::Message message;
  if (request.empty()) return true;
  const sip::Via* own = message.parse(request) ? message.top_via() : nullptr;
  return own && own->host == via.host && own->port == via.port;
}
}  // namespace

void Proxy::Impl::on_received(const Received& received, Time now, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  Frame& frame = scope.frame;
  frame.received = received;
  frame.context.now = now;
  const auto parsed = frame.message.parse(received.bytes);
  const log::CallScope call(frame.message.call_id());
  frame.context.received = &frame.received;
  frame.context.message = &frame.message;
  frame.context.edits = &frame.edits;
  const auto checked = parsed ? frame.message.check() : parsed;
  if (!checked) {
    ++counters_.malformed;
    if (frame.message.is_request()) (void)reply_stateless(frame.context, checked.error().status, checked.error().reason);
    return;
  }
  if (frame.message.is_request()) {
    ++counters_.requests;
    observer_->on_request(frame.message.method());
    on_request(frame, now);
  } else {
    ++counters_.responses;
    observer_->on_response(frame.message.status());
    on_response(frame, now);
  }
}

void Proxy::Impl::on_request(Frame& frame, Time now) {
  RoutingContext& context = frame.context;
  const auto method = frame.message.method();
  const auto key = transaction::server_key(frame.message, options_.secret);
  const auto found = key ? index_.find(*key) : index_.end();
  if (found != index_.end() && method != sip::Method::Cancel && load(found->second, frame.work)) {
    Work& work = frame.work;
    if (record_mark_) *record_mark_ = work.id.value;
    if (method == sip::Method::Ack) {
      // 17.2.1: the ACK of a non-2xx ends here. With a 2xx it would have a branch of its own, but older clients reuse it: let it pass.
      if (work.header.state == State::Completed || work.header.state == State::Confirmed) {
        server_event(work, Event::Ack, now);
        (void)commit(work, *context.outputs);
        return;
      }
    } else if (method == work.header.method) {
      ++counters_.retransmissions_absorbed;
      // begin_wait() and send_located() say why.
      if (routes_ && (is_waiting(work.id) || awaits_servers({work.branches.data(), work.header.branch_count}))) return;
      server_event(work, Event::Request, now);
      if (work.emit) emit(work, work.emit, *context.outputs);  // nothing to commit: the response stands in the store already
      return;
    }
  }
  // The ACK of a final response that the engine before this one sent (17.2.1): it goes no further.
  if (routes_ && method == sip::Method::Ack && key && has_recovered(*key, false)) return;
  // A transaction that is open, in the process before this one as well, is no new dialog.
  const bool is_open = routes_ && key && has_recovered(*key, true);
  if (drain_.on && !drain_.by_script && !is_open && is_refused_by_drain(frame.message)) {
    (void)refuse_by_drain(context);
    return;
  }
  run_request_route(frame);
}

void Proxy::Impl::run_request_route(Frame& frame) {
  RoutingContext& context = frame.context;
  context.kind = RouteKind::Request;
  const bool ran = runner_.run(context, RouteKind::Request, {});
  if (context.wait) return keep_waiting(frame);
  finish_request_route(context, ran);
}

void Proxy::Impl::finish_request_route(RoutingContext& context, bool ran) {
  // A transaction that the script made and left without a branch or an answer: nobody else would ever answer it.
  const auto unfinished = [&] {
    return context.work && context.work->header.status < 200 && !context.relayed &&
           !(context.work->header.switches & transaction::suspended);
  };
  // It waits for a device that registers (tsilo).
  if (ran && unfinished() && (context.work->header.switches & transaction::takes_late_branches) && context.suspend() > 0) return;
  const bool open = unfinished();
  if (!ran || open) ++counters_.script_errors;
  if (open) {
    reply(context, 500, "Server Internal Error");
    (void)commit(*context.work, *context.outputs);
  } else if (!ran && !context.finished) {
    (void)reply_stateless(context, 500, "Server Internal Error");
  }
}

bool Proxy::Impl::has_one_via(const sip::Message& response) {
  if (response.count(sip::HeaderName::Via) > 1) return false;
  std::size_t values = 0;  // of the one line
  for ([[maybe_unused]] const auto& value : response.values(sip::HeaderName::Via)) ++values;
  return values < 2;
}

void Proxy::Impl::on_response(Frame& frame, Time now) {
  RoutingContext& context = frame.context;
  const sip::Via* top = frame.message.top_via();
  const sip::CSeq* cseq = frame.message.cseq();
  const auto parameter = top ? BranchParameter::parse(top->branch) : std::nullopt;
  const bool is_ours = top && is_myself(top->host, top->port);
  if (!cseq || (!is_ours && !parameter)) {
    ++counters_.stray_responses;  // 18.1.2: not sent for a request of ours
    return;
  }
  context.kind = RouteKind::Reply;
  context.status = frame.message.status();
  if (listener_ && is_ours && top->branch.starts_with(local_branch_prefix))
    return listener_->on_local_response(top->branch, frame.message.status(), now);

  bool known = parameter && load(store::RecordId{parameter->record}, frame.work) && frame.work.header.nonce == parameter->nonce &&
               parameter->branch < frame.work.header.branch_count;
  if (!known && routes_ && parameter && is_ours) {
    const auto revived = revived_id(*parameter);
    known = revived && load(*revived, frame.work) && parameter->branch < frame.work.header.branch_count;
    if (!known) {
      const auto recovery = recover_response(*parameter, frame, now);
      if (recovery == Recovery::Done) return;
      known = recovery == Recovery::Revived;
    }
  }
  const bool sent_as_is = is_ours || (known && was_sent_as(*top, read(frame.work, frame.work.branches[parameter->branch].request)));
  // 16.7 item 3: without the Via headers of the caller there is no way to him. Of a failure the status can be told (send_best), of a
  // success nothing that would be of use.
  const bool leads_nowhere = known && frame.message.status() / 100 == 2 && cseq->method == frame.work.header.method &&
                             !(frame.work.header.switches & transaction::local) && has_one_via(frame.message);
  if (!sent_as_is || leads_nowhere) {
    ++counters_.stray_responses;
    return;
  }
  if (known) {
    // The connection that the peer answers by is the one of this branch: its ACK and CANCEL leave by it.
    Branch& branch = frame.work.branches[parameter->branch];
    if (is_reliable(branch.transport) && frame.received.connection && frame.received.source == branch.destination)
      branch.connection = frame.received.connection;
    context.work = &frame.work;
    context.transaction = frame.work.id;
    context.branch = parameter->branch;
    if (record_mark_) *record_mark_ = frame.work.id.value;
  }
  const sip::Method method = cseq->method;  // the route may write the message anew
  if (!runner_.run(context, RouteKind::Reply, {})) ++counters_.script_errors;
  if (context.drop && (context.status < 200 || !known)) return;  // a final response is never dropped: its transaction must end
  if (!known) return forward_response_stateless(frame);
  if (method == sip::Method::Cancel && frame.work.header.method == sip::Method::Invite)
    on_cancel_response(frame, parameter->branch, now);
  else if (method == frame.work.header.method)
    on_client_response(frame, parameter->branch, now);
}

void Proxy::Impl::on_cancel_response(Frame& frame, std::size_t index, Time now) {
  Work& work = frame.work;
  Branch& branch = work.branches[index];
  const auto* row = find(Machine::NonInviteClient, branch.cancel_state, response_event(frame.message.status()));
  if (!row) return;
  branch.cancel_state = row->next;
  if (row->actions & transaction::StopRetransmit) branch.cancel_retransmit_at = never;
  if (row->actions & transaction::StartExpire) branch.cancel_expire_at = now + (is_reliable(branch.transport) ? settle : options_.t4);  // K
  (void)commit(work, *frame.context.outputs);
}

void Proxy::Impl::on_client_response(Frame& frame, std::size_t index, Time now) {
  RoutingContext& context = frame.context;
  Work& work = frame.work;
  const std::uint16_t status = frame.message.status();
  const transaction::Row* row = nullptr;
  const bool first_provisional = work.branches[index].state == State::Calling || work.branches[index].state == State::Trying;
  // A branch was given up, and the search may have gone on to others: its 2xx is the answer to the call as long as there is none, and a
  // stray response like any other after that (16.7 item 5).
  const bool late =
      work.header.method == sip::Method::Invite && status >= 200 && status < 300 && work.branches[index].state == State::Terminated;
  if (late && work.header.status >= 200) return forward_response_stateless(frame);
  if (!late && !client_event(work, index, response_event(status), now, &row)) return;  // a retransmission that the machine absorbs
  observer_->on_branch_response(work.branches[index].destination, status);
  if (status == 100 && !first_provisional && !work.emit) return;
  if (late || (row->actions & transaction::PassUp)) {
    if (work.header.context) {
      FrameScope scope(*this, *context.outputs);
      RoutingContext& stored = scope.frame.context;
      stored.work = &work;
      stored.edits = &scope.frame.edits;
      load_context(stored);
      if (!stored.armed.reply.empty()) {
        context.kind = RouteKind::OnReply;
        context.flags = work.header.flags;
        context.target.flags = work.branches[index].flags;
        context.variables = stored.variables;
        context.armed = stored.armed;
        context.timers = stored.timers;
        if (!runner_.run(context, RouteKind::OnReply, stored.armed.reply)) ++counters_.script_errors;
        work.header.flags = context.flags;
        work.branches[index].flags = context.target.flags;
        if (context.variables_changed || context.armed != stored.armed || context.timers != stored.timers) {
          context.variables_changed = false;
          stored.variables = context.variables;
          stored.armed = context.armed;
          stored.timers = context.timers;
          save_context(stored);
        }
      }
    }
    pass_up(frame, index, now);
  } else if (row->actions & transaction::SendAck) {
    // The final response again: its ACK was lost (17.1.1.2).
    if (!work.branches[index].response) work.branches[index].response = write(work, frame.message.bytes());
  }
  (void)commit(work, *context.outputs);
}

}  // namespace perdure::proxy

// RFC 3261 16.7: what becomes of the responses of all branches.
#include <algorithm>
#include <charconv>
#include <span>

#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "proxy/delivery.hpp"
#include "proxy/response_count.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::Event;
using transaction::State;

namespace {

// 16.7 item 6: 6xx first, then the lowest class; within 4xx the codes that let the caller try again better.
int rank(std::uint16_t status, bool no_6xx) {
  if (status >= 600) return no_6xx ? status * 10 : 0;
  switch (status) {
    case 401:
    case 407:
      return 4000;
    case 415:
    case 420:
    case 484:
      return 4001;
    case 408:
      return 4800;  // least telling
    default:
      return status / 100 * 1000 + 100 + status % 100;
  }
}

}  // namespace

bool Proxy::Impl::is_over(const Branch& branch) {
  return branch.state == State::Completed || branch.state == State::Terminated || branch.state == State::None || branch.timed_out;
}

int Proxy::Impl::best_branch(const Work& work) const {
  int best = -1;
  const bool no_6xx = (work.header.switches & transaction::no_6xx) != 0;
  for (std::size_t i = 0; i < work.header.branch_count; ++i) {
    const auto status = work.branches[i].status;
    if (status < 300 || work.branches[i].dropped) continue;
    if (best < 0 || rank(status, no_6xx) < rank(work.branches[static_cast<std::size_t>(best)].status, no_6xx)) best = static_cast<int>(i);
  }
  return best;
}

// A response that the client transaction let through.
void Proxy::Impl::pass_up(Frame& frame, std::size_t index, Time now) {
  RoutingContext& context = frame.context;
  Work& work = *context.work;
  auto& header = work.header;
  Branch& branch = work.branches[index];
  const std::uint16_t status = context.status;  // as a reply route may have changed it, within its class
  if (header.switches & transaction::local) {   // nobody upstream
    branch.status = status;
    if (status == 503) branch.response = write(work, frame.message.bytes());
    if (status >= 300) branch_failed(work, now, context);
    return;
  }
  if (branch.timed_out && (status < 200 || status >= 300)) {
    // It counts as failed since its time was over (t_set_fr); only a 2xx can change that. The ACK needs the response.
    if (status >= 300) branch.response = write(work, frame.message.bytes());
    return;
  }
  branch.status = status;
  branch.timed_out = 0;

  if (status < 200) {
    if (branch.cancel_wanted) send_cancel(work, index, now);
    // Item 5: 100 goes no further.
    if (status == 100 || header.status >= 200 || context.drop || has_one_via(frame.message)) return;
  } else if (status >= 300) {
    branch.cancel_wanted = 0;
    std::string_view kept = frame.message.bytes();
    if (!frame.edits.empty()) {  // what the reply routes have changed
      frame.scratch.clear();
      frame.edits.serialize_append(frame.message, frame.scratch);
      kept = frame.scratch;
    }
    branch.response = write(work, kept);
    if (status >= 600 && !(header.switches & transaction::no_6xx)) {  // item 5: 6xx ends the search
      if (!header.canceled && !header.cancel_headers) {
        char number[8];
        frame.scratch.assign("Reason: SIP;cause=").append(number, std::to_chars(number, number + sizeof number, status).ptr).append("\r\n");
        set_cancel_headers(work, frame.scratch);
      }
      cancel_branches(work, now, index);
    }
    branch_failed(work, now, context);
    return;
  }

  restore_in_response(work, frame.message, frame.edits, *context.outputs);
  // Item 3: our Via comes off; the rest goes upstream as it is.
  for (const auto& value : frame.message.values(sip::HeaderName::Via)) {
    frame.edits.remove_value(value);
    break;
  }
  frame.scratch.clear();
  frame.edits.serialize_append(frame.message, frame.scratch);
  if (status >= 200) {
    branch.cancel_wanted = 0;
    ++counters_.responses_2xx;
    // Item 10: a 2xx ends the other branches, and no target that waits is tried any more.
    header.targets = {};
    if (!header.canceled && !header.cancel_headers && header.branch_count > 1 && header.status < 200)
      set_cancel_headers(work, "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n");
    cancel_branches(work, now, index);
  }
  const auto send_now = [&] {
    const Send send{context.outputs->copy(frame.scratch), header.reply_to, socket_from(header.socket_key), header.connection, {}};
    context.outputs->send(to_caller(send, header.switches, status));
  };
  if (status < 200 || header.method != sip::Method::Invite) {
    if (set_response(work, frame.scratch, status, now)) return;
    // The store is full even in its reserve: what cannot be kept goes upstream all the same.
    send_now();
    if (status < 200) return;
  } else {
    // RFC 3261 13.3.1.4: it is the callee who repeats a 2xx to INVITE until the ACK comes. Nothing keeps it here: if this process ends
    // before it has left, the next one is given the same datagram again, and a transaction in Accepted lets it through (RFC 6026 7.1).
    send_now();
    // 16.7 item 5: it goes upstream even after another final response.
    if (header.state == State::Completed || header.state == State::Confirmed) return;
  }
  work.answer = &frame.message;
  observe_response(work, status, now);
  header.status = status;
  header.response = {};
  server_event(work, Event::Send2xx, now);
  work.emit &= ~transaction::pending_response;
}

// A branch has ended without success: the failure route decides when all have, then the best response goes upstream.
void Proxy::Impl::branch_failed(Work& work, Time now, RoutingContext& cause) {
  auto& header = work.header;
  if (header.status >= 200 || is_waiting(work.id)) return;
  take_next_servers(work, now, *cause.outputs);
  if (header.switches & transaction::local) return;
  run_branch_failure_routes(work, now, cause);
  for (std::size_t i = 0; i < header.branch_count; ++i)
    if (!is_over(work.branches[i])) return;

  FrameScope scope(*this, *cause.outputs);
  Frame& frame = scope.frame;
  RoutingContext& context = frame.context;
  if (!begin_stored_request(frame, work, now)) {
    // Revived from routes (persist = "routes"): no request to ask a script about, or to answer by ourselves.
    send_best(work, now, context);
    if (header.status < 200) header.state = State::Terminated;
    return;
  }
  context.kind = RouteKind::Failure;

  const int best = best_branch(work);
  bool six = best >= 0 && work.branches[static_cast<std::size_t>(best)].status >= 600 && !(header.switches & transaction::no_6xx);
  if (header.targets && !header.canceled && !six && best >= 0) {  // serial forking: the next lower q
    if (decode_targets(read(work, header.targets), context.more_targets)) {
      const auto before = header.branch_count;
      start_next_targets(context);
      begin_attempt(work, before);
      if (header.branch_count > before) return;
    }
  }
  // Suspended, and nobody has come in time: that counts as a branch that has timed out.
  const bool waited = best < 0 && (header.switches & transaction::suspended);
  context.timed_out = waited;
  if (waited) header.targets = {};
  if (!context.armed.failure.empty() && (best >= 0 || waited)) {
    context.status = 408;
    context.timed_out = true;
    if (!waited) begin_failure_context(context, static_cast<std::size_t>(best), RouteKind::Failure);
    const std::string route = std::move(context.armed.failure);
    context.armed.failure.clear();  // armed for one failure, as in Kamailio
    context.branches_before = header.branch_count;
    const bool ran = runner_.run(context, RouteKind::Failure, route);
    if (context.wait) {  // what the store has still names the route
      if (waited) header.expire_at = context.wait_deadline;
      return keep_waiting(frame);
    }
    return finish_failure_route(work, now, context, ran);
  }
  header.switches = static_cast<std::uint16_t>(header.switches & ~transaction::suspended);
  send_best(work, now, context);
}

void Proxy::Impl::finish_failure_route(Work& work, Time now, RoutingContext& context, bool ran) {
  auto& header = work.header;
  header.flags = context.flags;
  if (header.switches & transaction::suspended) {
    header.switches = static_cast<std::uint16_t>(header.switches & ~transaction::suspended);
    if (header.status < 200) header.expire_at = never;
  }
  if (!ran) {
    ++counters_.script_errors;
    if (header.status < 200 && !context.relayed) reply(context, 500, "Server Internal Error");
  }
  if (header.status >= 200) return;
  const bool nothing_left = drop_replies(work, context);
  if (context.relayed) return;
  save_context(context);
  nothing_left ? reply(context, 500, "Server Internal Error") : send_best(work, now, context);
}

bool Proxy::Impl::drop_replies(Work& work, const RoutingContext& context) {
  using Drop = RoutingContext::Drop;
  const std::size_t before = std::min<std::size_t>(context.branches_before, work.header.branch_count);
  if (before == 0 || context.drop_replies == Drop::None || (context.drop_replies == Drop::IfRelayed && !context.relayed)) return false;
  const auto last = work.branches[before - 1].attempt;
  for (Branch& branch : std::span(work.branches.data(), before))
    if (context.drop_replies != Drop::Last || branch.attempt == last) branch.dropped = 1;
  return !context.relayed;
}

void Proxy::Impl::send_best(Work& work, Time now, RoutingContext& context) {
  auto& header = work.header;
  const int best = best_branch(work);
  if (best < 0)
    return header.canceled     ? reply(context, 487, "Request Terminated")
           : context.timed_out ? reply(context, 408, "Request Timeout")
                               : reply(context, 480, "Temporarily Unavailable");
  const Branch& branch = work.branches[static_cast<std::size_t>(best)];
  std::uint16_t status = branch.status;
  if (header.canceled && (branch.timed_out || status != 487) && status < 600) {
    // A CANCEL that found no answer in time, or a branch that failed on its own meanwhile: 487 is what the caller waits for.
    if (branch.timed_out || branch.unreachable) return reply(context, 487, "Request Terminated");
  }
  if (branch.timed_out || (!branch.response && !branch.unreachable)) {
    // RFC 4320 4.2: a 408 to a non-INVITE request comes too late for everybody and is not sent.
    if (header.method != sip::Method::Invite) {
      header.state = State::Terminated;
      return;
    }
    return reply(context, 408, "Request Timeout");
  }
  if (branch.unreachable && status == 478) return reply(context, 478, "Unresolvable destination");
  if (branch.unreachable && status == 487) return reply(context, 487, "Request Terminated");
  if (branch.unreachable || (status == 503 && header.request))
    return reply(context, 500, "Server Internal Error");  // item 6: 503 speaks of that hop, not of us

  FrameScope scope(*this, *context.outputs);
  Frame& frame = scope.frame;
  if (status == 503) frame.edits.set_status(500, "Server Internal Error");
  if (!frame.message.parse(read(work, branch.response))) return reply(context, 500, "Server Internal Error");
  if (has_one_via(frame.message)) return reply(context, status, sip::default_reason(status));
  restore_in_response(work, frame.message, frame.edits, *context.outputs);
  for (const auto& value : frame.message.values(sip::HeaderName::Via)) {
    frame.edits.remove_value(value);
    break;
  }
  if (status == 401 || status == 407) {
    // Item 7: the challenges of all branches go up together.
    for (std::size_t i = 0; i < header.branch_count; ++i) {
      const Branch& other = work.branches[i];
      if (static_cast<int>(i) == best || other.dropped || (other.status != 401 && other.status != 407) || !other.response) continue;
      FrameScope inner(*this, *context.outputs);
      if (!inner.frame.message.parse(read(work, other.response))) continue;
      for (const auto& field : inner.frame.message.headers())
        if (field.name == sip::HeaderName::WwwAuthenticate || field.name == sip::HeaderName::ProxyAuthenticate)
          frame.edits.append(inner.frame.message.bytes().substr(field.begin, field.end - field.begin));
    }
  }
  if (!context.upstream_headers.empty()) frame.edits.append(context.upstream_headers);
  frame.scratch.clear();
  frame.edits.serialize_append(frame.message, frame.scratch);
  if (!set_response(work, frame.scratch, status, now)) return;
  count_response(counters_, status);
}

}  // namespace perdure::proxy

// Runs of routes that wait for another thread (a database, a timer), and those that the process before this one has not ended: the same
// records in the store, with or without a run in memory.
#include <algorithm>

#include "base/assert.hpp"
#include "base/logging.hpp"
#include "proxy/core.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::State;

namespace {
constexpr std::size_t spare_frames_max = 64;
}

std::uint64_t Proxy::Impl::begin_wait(RoutingContext& context, Time deadline) {
  if (context.kind != RouteKind::Request && context.kind != RouteKind::Failure && context.kind != RouteKind::Event) return 0;
  if (waits_.size() >= options_.waiting_max) {
    ++counters_.waits_refused;
    return 0;
  }
  const auto method = context.message->method();
  // Without a transaction of their own: an ACK or CANCEL is sent again by whoever misses its effect, an event is no message.
  const bool alone = method == sip::Method::Ack || method == sip::Method::Cancel || context.kind == RouteKind::Event;
  if (!alone && !context.work) {
    // With persist = "routes" the request ends with this process: then the caller must go on repeating it, so no 100 leaves yet.
    context.trying_is_due = routes_ != nullptr;
    if (new_transaction(context, !context.trying_is_due) < 0) return 0;
  }
  ++counters_.waits;
  context.wait = ++last_wait_;
  context.wait_deadline = deadline;
  return context.wait;
}

// The frame leaves the stack as it is, with a copy of its message.
void Proxy::Impl::keep_waiting(Frame& frame) {
  RoutingContext& context = frame.context;
  Wait wait{nullptr, context.wait_deadline, context.work ? context.work->header.nonce : 0};
  if (frame.kept.empty()) {
    PERDURE_ASSERT(depth_ > 0 && frames_[depth_ - 1].get() == &frame);
    frame.kept.assign(frame.message.bytes());
    const auto parsed = frame.message.parse(frame.kept);
    PERDURE_ASSERT(parsed.has_value());
    frame.received.bytes = frame.kept;
    wait.frame = std::move(frames_[depth_ - 1]);
    frames_[depth_ - 1] = spare_frames_.empty() ? std::make_unique<Frame>(self_) : std::move(spare_frames_.back());
    if (!spare_frames_.empty()) spare_frames_.pop_back();
  }
  context.work = nullptr;  // whoever resumes it looks at the transaction anew
  context.outputs = nullptr;
  wait_deadlines_.emplace(wait.deadline, context.wait);
  if (context.transaction != store::RecordId::none) waiting_records_[context.transaction.value] = context.wait;
  waits_[context.wait] = std::move(wait);
}

bool Proxy::Impl::resume(std::uint64_t id, bool timed_out, Time now, Outputs& outputs) {
  const auto found = waits_.find(id);
  if (found == waits_.end()) return false;
  Wait wait = std::move(found->second);
  waits_.erase(found);
  wait_deadlines_.erase({wait.deadline, id});
  Frame& frame = *wait.frame;
  RoutingContext& context = frame.context;
  if (context.transaction != store::RecordId::none) waiting_records_.erase(context.transaction.value);
  context.wait = 0;
  context.now = now;
  context.outputs = &outputs;
  if (timed_out) ++counters_.waits_timed_out;
  const std::string call_id(frame.message.call_id());  // the script may write the message anew
  const log::CallScope call(call_id);
  if (record_mark_) *record_mark_ = context.transaction.value;
  const bool had_transaction = context.transaction != store::RecordId::none;
  if (had_transaction && (!load(context.transaction, frame.work) || frame.work.header.nonce != wait.nonce)) {
    runner_.abandon(context);  // cancelled or given up, and its timers have ended it
  } else {
    if (had_transaction) context.work = &frame.work;
    const bool ran = runner_.resume(context, timed_out);
    if (context.wait) {
      const std::uint64_t next = context.wait;
      keep_waiting(frame);
      waits_[next].frame = std::move(wait.frame);
      return true;
    }
    if (context.kind == RouteKind::Event) {
      finish_event(context, ran);
    } else if (context.kind == RouteKind::Request) {
      finish_request_route(context, ran);
    } else {
      finish_failure_route(frame.work, now, context, ran);
      if (!commit(frame.work, outputs)) wheel_.schedule(frame.work.id.value, now + 100ms);  // the store is full: the route runs again
    }
    // What it had relayed before it waited may have failed meanwhile.
    if (had_transaction && load(context.transaction, frame.work) && frame.work.header.nonce == wait.nonce)
      look_at_failures(frame.work, now, outputs);
  }
  if (record_mark_) *record_mark_ = store::RecordId::none.value;
  frame.kept.clear();
  if (spare_frames_.size() < spare_frames_max) spare_frames_.push_back(std::move(wait.frame));
  return true;
}

void Proxy::Impl::expire_waits(Time now, Outputs& outputs) {
  while (!wait_deadlines_.empty() && wait_deadlines_.begin()->first <= now)
    (void)resume(wait_deadlines_.begin()->second, true, now, outputs);
}

bool Proxy::Impl::awaits_route(const transaction::TransactionHeader& header, std::span<const Branch> branches) {
  if (header.status >= 200 || header.expire_at != never) return false;
  if (header.state != State::Proceeding && header.state != State::Trying) return false;
  return std::ranges::all_of(branches, is_over);
}

void Proxy::Impl::look_at_failures(Work& work, Time now, Outputs& outputs) {
  const std::span branches(work.branches.data(), work.header.branch_count);
  if (work.header.status >= 200 || branches.empty()) return;
  if (!has_unreported_failure(branches) && !awaits_route(work.header, branches)) return;
  FrameScope scope(*this, outputs);
  branch_failed(work, now, scope.frame.context);
  if (!commit(work, outputs)) wheel_.schedule(work.id.value, now + 100ms);
}

void Proxy::Impl::route_again(Work& work, Time now, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  Frame& frame = scope.frame;
  RoutingContext& context = frame.context;
  context.now = now;
  ++counters_.routed_again;
  const auto& header = work.header;
  if (header.branch_count) {
    branch_failed(work, now, context);
    if (!commit(work, outputs)) wheel_.schedule(work.id.value, now + 100ms);
    return;
  }
  context.work = &work;
  context.transaction = work.id;
  frame.received = {read(work, header.request), header.source, socket_from(header.socket_key), header.connection};
  context.received = &frame.received;
  context.message = &frame.message;
  context.edits = &frame.edits;
  if (frame.message.parse(frame.received.bytes)) return run_request_route(frame);
  work.header.state = State::Terminated;  // it was parsed when it came, so this is no request of ours
  (void)commit(work, outputs);
}

}  // namespace perdure::proxy

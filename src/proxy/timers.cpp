// Timers of RFC 3261 17 and Timer C of 16.8. One deadline per record in the wheel: the first of all that it holds.
#include <algorithm>

#include "proxy/core.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::Event;
using transaction::Machine;
using transaction::State;

Time Proxy::Impl::deadline(const transaction::TransactionHeader& header, std::span<const Branch> branches) {
  Time first = std::min(header.retransmit_at, header.expire_at);
  bool over = header.state == State::Terminated;
  for (const Branch& branch : branches) {
    // A non-INVITE transaction that waits for Timer J need not wake for Timer K: the branch absorbs responses for as long as it is there.
    const bool waits = header.method != sip::Method::Invite && header.state == State::Completed && branch.state == State::Completed;
    if (!waits) first = std::min(first, branch.expire_at);
    first = std::min({first, branch.retransmit_at, branch.cancel_retransmit_at, branch.cancel_expire_at});
    over = over && (branch.state == State::Terminated || branch.state == State::None);
  }
  return over && first == never ? Time{} : first;  // all over: erased at the next tick
}

void Proxy::Impl::on_tick(Time now, Outputs& outputs) {
  constexpr std::size_t per_tick_max = 1024;  // what is more comes at once in the next round, after the messages that wait
  wheel_.advance(now, due_, per_tick_max);
  for (const auto id : due_) on_record_due(store::RecordId{id}, now, outputs);
  if (!wait_deadlines_.empty()) expire_waits(now, outputs);
  if (routes_) expire_routes(now);
}

void Proxy::Impl::on_record_due(store::RecordId id, Time now, Outputs& outputs) {
  if (record_mark_) *record_mark_ = id.value;
  FrameScope scope(*this, outputs);
  Work& work = scope.frame.work;
  RoutingContext& context = scope.frame.context;
  context.now = now;
  const bool loaded = load(id, work);
  if (loaded && !is_waiting(id) && awaits_route(work.header, {work.branches.data(), work.header.branch_count})) {
    route_again(work, now, outputs);
  } else if (loaded) {
    context.work = &work;
    auto& header = work.header;
    const Time due = deadline(header, {work.branches.data(), header.branch_count});
    if (header.retransmit_at <= now) server_event(work, Event::TimerRetransmit, now);
    bool failed = false;
    const bool unanswered = header.expire_at <= now && header.status < 200;
    if (unanswered) {
      // The final response found no room in the store (set_response): once more.
      header.expire_at = never;
      failed = true;
    } else if (header.expire_at <= now) {
      server_event(work, Event::TimerExpire, now);
    }
    for (std::size_t i = 0; i < header.branch_count; ++i) {
      Branch& branch = work.branches[i];
      if (branch.located == transaction::Located::Waiting) {
        failed |= !go_on_waiting(work, i, now);
        continue;
      }
      if (branch.expire_at <= now) {
        const transaction::Row* row = nullptr;
        client_event(work, i, Event::TimerExpire, now, &row);
        if (row && (row->actions & transaction::TimedOut)) {
          const bool ringing = row->state == State::Proceeding && header.method == sip::Method::Invite;
          const auto timers = timers_of(work);
          if (row->state == State::Proceeding && branch.located != transaction::Located::No)
            branch.located = transaction::Located::Spent;  // it has answered: this is not for another server
          const bool by_script = timers.fr_inv_ms || end_of_life(work, timers) <= now;
          if (ringing && branch.cancel_state == State::None) {
            send_cancel(work, i, now);  // 16.8: Timer C cancels the branch, its 487 or 64*T1 ends it
            // A time that the script has set is over when it is over: the failure route need not wait for the 487.
            if (!by_script) continue;
          } else {
            branch.state = State::Terminated;
          }
          branch.status = 408;
          branch.timed_out = 1;
          observer_->on_branch_timeout(branch.destination);
          branch.cancel_wanted = 0;
          if (branch.state == State::Terminated) branch.expire_at = branch.retransmit_at = never;
          failed = true;
        }
      }
      if (branch.retransmit_at <= now) client_event(work, i, Event::TimerRetransmit, now);
      if (branch.cancel_state != State::None && (branch.cancel_expire_at <= now || branch.cancel_retransmit_at <= now)) {
        // The CANCEL is a non-INVITE client transaction of its own.
        const Event event = branch.cancel_expire_at <= now ? Event::TimerExpire : Event::TimerRetransmit;
        if (const auto* row = find(Machine::NonInviteClient, branch.cancel_state, event)) {
          branch.cancel_state = row->next;
          if (row->actions & transaction::SendRequest) {
            work.emit |= transaction::pending_cancel(i);
            branch.cancel_interval_ms = std::min(branch.cancel_interval_ms * 2, static_cast<std::uint32_t>(options_.t2 / 1ms));
            branch.cancel_retransmit_at = now + std::chrono::milliseconds(branch.cancel_interval_ms);
          }
        } else {
          branch.cancel_retransmit_at = never;
        }
        if (branch.cancel_state == State::Terminated) branch.cancel_expire_at = branch.cancel_retransmit_at = never;
      }
    }
    if (failed || has_unreported_failure({work.branches.data(), header.branch_count})) branch_failed(work, now, context);
    if (unanswered && header.expire_at != never && now - header.created > options_.timer_c + 64 * options_.t1) {
      // Nor has it now, and by now the caller has given up.
      header.state = State::Terminated;
      header.expire_at = never;
    }
    if (!commit(work, outputs)) {
      // The store is full: try again. But if it stays full for longer than any peer waits, what holds the room has to end.
      if (now - due > 4 * 64 * options_.t1)
        erase(work);
      else
        wheel_.schedule(id.value, now + 100ms);
    }
  }
  if (record_mark_) *record_mark_ = store::RecordId::none.value;
}

}  // namespace perdure::proxy

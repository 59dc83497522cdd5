// What a script sets for its transaction alone: timers and switches. They live in the record (TransactionHeader::switches, context).
#include <algorithm>
#include <span>

#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::State;

TimerSettings Proxy::Impl::timers_of(const Work& work) {
  return work.header.context ? stored_timers(read(work, work.header.context)) : TimerSettings{};
}

Time Proxy::Impl::end_of_life(const Work& work, const TimerSettings& timers) {
  const auto lifetime_ms = work.header.method == sip::Method::Invite ? timers.lifetime_invite_ms : timers.lifetime_ms;
  return lifetime_ms ? work.header.created + std::chrono::milliseconds(lifetime_ms) : never;
}

Time Proxy::Impl::first_response_deadline(const Work& work, const TimerSettings& timers, Time now) const {
  const Duration otherwise = work.header.method == sip::Method::Invite ? options_.fr_timer : 64 * options_.t1;  // Timers B, F
  return std::min(now + (timers.fr_ms ? std::chrono::milliseconds(timers.fr_ms) : otherwise), end_of_life(work, timers));
}

Time Proxy::Impl::final_response_deadline(const Work& work, const TimerSettings& timers, Time now) const {
  return std::min(now + (timers.fr_inv_ms ? std::chrono::milliseconds(timers.fr_inv_ms) : options_.timer_c), end_of_life(work, timers));
}

// Timers that run begin anew with the new values; a branch that is being cancelled keeps its own.
void Proxy::Impl::restart_timers(Work& work, const TimerSettings& timers, Time now) {
  const bool invite = work.header.method == sip::Method::Invite;
  for (Branch& branch : std::span(work.branches.data(), work.header.branch_count)) {
    if (branch.cancel_state != State::None || branch.located == transaction::Located::Waiting) continue;
    if (branch.state == State::Calling || branch.state == State::Trying || (!invite && branch.state == State::Proceeding))
      branch.expire_at = first_response_deadline(work, timers, now);
    else if (branch.state == State::Proceeding)
      branch.expire_at = final_response_deadline(work, timers, now);
  }
}

// In a request route that has relayed already nothing else would commit it; all other routes end with a commit.
int Proxy::Impl::settings_changed(RoutingContext& context) {
  if (!context.work || context.kind != RouteKind::Request || !context.relayed) return 1;
  save_context(context);
  return commit(*context.work, *context.outputs) ? 1 : -1;
}

int RoutingContext::set_final_response_timers(std::uint32_t invite_ms, std::uint32_t ms) {
  if (invite_ms) timers.fr_inv_ms = invite_ms;
  if (ms) timers.fr_ms = ms;
  if (work) proxy.impl_->restart_timers(*work, timers, now);
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::reset_final_response_timers() {
  timers.fr_inv_ms = timers.fr_ms = 0;
  if (work) proxy.impl_->restart_timers(*work, timers, now);
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::set_retransmission_timers(std::uint32_t t1_ms, std::uint32_t t2_ms) {
  if (t1_ms) timers.t1_ms = t1_ms;
  if (t2_ms) timers.t2_ms = t2_ms;
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::reset_retransmission_timers() {
  timers.t1_ms = timers.t2_ms = 0;
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::set_max_lifetime(std::uint32_t invite_ms, std::uint32_t ms) {
  if (invite_ms) timers.lifetime_invite_ms = invite_ms;
  if (ms) timers.lifetime_ms = ms;
  if (work) {
    // What runs ends no later; it does not begin anew.
    const Time end = proxy.impl_->end_of_life(*work, timers);
    for (Branch& one : std::span(work->branches.data(), work->header.branch_count))
      if (one.cancel_state == State::None && (one.state == State::Calling || one.state == State::Trying || one.state == State::Proceeding))
        one.expire_at = std::min(one.expire_at, end);
  }
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::reset_max_lifetime() {
  timers.lifetime_invite_ms = timers.lifetime_ms = 0;
  if (work) proxy.impl_->restart_timers(*work, timers, now);
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::flush_flags() {
  if (!work) return -1;
  work->header.flags = flags;
  return proxy.impl_->settings_changed(*this);
}

int RoutingContext::set_switch(std::uint16_t bit, bool on) {
  std::uint16_t& bits = work ? work->header.switches : switches;
  bits = static_cast<std::uint16_t>(on ? bits | bit : bits & ~bit);
  return proxy.impl_->settings_changed(*this);
}

bool RoutingContext::is_expired() const {
  return work && proxy.impl_->end_of_life(*work, timers) <= now;
}

bool RoutingContext::has_invite(bool take_flags) {
  auto& impl = *proxy.impl_;
  if (message->method() != sip::Method::Cancel) return false;
  const auto key = transaction::server_key(*message, impl.options_.secret);
  const auto found = key ? impl.index_.find(*key) : impl.index_.end();
  if (found == impl.index_.end()) return false;
  FrameScope scope(impl, *outputs);
  if (!impl.load(found->second, scope.frame.work)) return false;
  if (take_flags) flags = scope.frame.work.header.flags;
  return true;
}

int RoutingContext::save() {
  proxy.impl_->save_context(*this);
  return proxy.impl_->commit(*work, *outputs) ? 1 : -1;
}

int RoutingContext::retransmit_reply() {
  if (!work || !work->header.response) return -1;
  proxy.impl_->emit(*work, transaction::pending_response, *outputs);
  return 1;
}

int RoutingContext::release() {
  if (!work || work->header.branch_count || work->header.status >= 200) return 1;  // its timers end it
  work->header.state = State::Terminated;
  work->header.status = 0;
  work->header.expire_at = work->header.retransmit_at = never;
  finished = true;
  released = true;
  (void)proxy.impl_->commit(*work, *outputs);
  work = nullptr;
  transaction = store::RecordId::none;
  return 1;
}

}  // namespace perdure::proxy

// RFC 3261 9 and 16.10: CANCEL, hop by hop.
#include <algorithm>
#include <span>

#include "proxy/core.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::Located;
using transaction::State;

namespace {
// Reason lines of a CANCEL travel on (RFC 3326).
std::string reason_lines(const sip::Message& cancel) {
  std::string lines;
  for (const auto& field : cancel.headers())
    if (field.name == sip::HeaderName::Reason) {
      lines += "Reason: ";
      lines += cancel.value(field);
      lines += "\r\n";
    }
  return lines;
}

bool is_open(const Branch& branch) {
  return branch.state == State::Calling || branch.state == State::Proceeding;
}
}  // namespace

int Proxy::Impl::relay_cancel(RoutingContext& context) {
  const auto key = transaction::server_key(*context.message, options_.secret);
  const auto found = key ? index_.find(*key) : index_.end();
  FrameScope scope(*this, *context.outputs);
  Work& work = scope.frame.work;
  if (found == index_.end() || !load(found->second, work)) {
    if (!routes_ || !key || !has_recovered(*key, false)) return 1;
    if (!revive(*key, *context.message, work, context.now, *context.outputs)) return 0;  // no room: the retransmission tries again
    work.header.canceled = 0;  // if an engine before had begun with this CANCEL, it begins anew
    for (auto& branch : work.branches) branch.cancel_wanted = 0;
  }
  ++counters_.cancels;
  context.finished = true;
  if (work.header.canceled || work.header.state != State::Proceeding) {
    // 9.2: a retransmission, or the final response has crossed it: answered, without effect.
    reply_stateless(context, 200, "canceling");
    return 0;
  }
  work.header.canceled = 1;
  const auto reason = work.header.switches & transaction::no_cancel_reason ? std::string() : reason_lines(*context.message);
  if (!reason.empty()) set_cancel_headers(work, reason);
  work.header.targets = {};  // nothing new is tried after a CANCEL
  cancel_branches(work, context.now);
  if (std::ranges::none_of(std::span(work.branches.data(), work.header.branch_count), is_open)) {
    // The script has not relayed yet, or (persist = "routes") every branch ended before the restart: answer now.
    RoutingContext& inner = scope.frame.context;
    inner.work = &work;
    inner.now = context.now;
    reply(inner, 487, "Request Terminated");
  }
  // If the store cannot take it the CANCEL stays unanswered, and its retransmission tries again.
  if (commit(work, *context.outputs)) reply_stateless(context, 200, "canceling");
  return 0;
}

void Proxy::Impl::set_cancel_headers(Work& work, std::string_view lines) {
  const auto sent = [](const Branch& branch) { return branch.cancel_state != State::None; };
  if (std::ranges::none_of(std::span(work.branches.data(), work.header.branch_count), sent))
    work.header.cancel_headers = write(work, lines);
}

void Proxy::Impl::cancel_branches(Work& work, Time now, std::size_t except) {
  if (work.header.method != sip::Method::Invite) return;
  for (std::size_t i = 0; i < work.header.branch_count; ++i) {
    if (i == except) continue;
    Branch& branch = work.branches[i];
    if (branch.cancel_state != State::None || branch.cancel_wanted) continue;
    if (branch.state == State::Calling) {
      branch.cancel_wanted = 1;                                             // 9.1: not before a provisional has come
      if (branch.located == Located::Waiting) branch.expire_at = now;       // nothing has been sent: it ends
      if (branch.located == Located::More) branch.located = Located::Last;  // nor does another server get it
    } else if (branch.state == State::Proceeding) {
      send_cancel(work, i, now);
    }
  }
}

void Proxy::Impl::send_cancel(Work& work, std::size_t index, Time now) {
  Branch& branch = work.branches[index];
  if (branch.located == Located::More) branch.located = Located::Last;
  branch.cancel_wanted = 0;
  branch.cancel_state = State::Trying;
  branch.cancel_interval_ms = static_cast<std::uint32_t>(options_.t1 / 1ms);
  branch.cancel_retransmit_at = is_reliable(branch.transport) ? never : now + options_.t1;
  branch.cancel_expire_at = now + 64 * options_.t1;
  // 9.1: without a final response within 64*T1 the INVITE counts as cancelled.
  branch.expire_at = now + 64 * options_.t1;
  work.emit |= transaction::pending_cancel(index);
}

}  // namespace perdure::proxy

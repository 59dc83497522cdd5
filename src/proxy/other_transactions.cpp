// What a script does to a transaction that is not the one it runs for: cancel, answer, add a branch, go on after t_suspend. A transaction
// of another worker is handed over to it.
#include <algorithm>
#include <charconv>
#include <memory>

#include "base/checksum.hpp"
#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "sip/builder.hpp"
#include "sip/chars.hpp"

namespace perdure::proxy {

using transaction::State;
using transaction::TransactionHeader;

namespace {

// The context of a run that has no message of its own: an order from another worker.
constexpr int not_found = -1, canceled = -2, answered = -3, nothing_new = -4;

}  // namespace

std::optional<store::RecordId> Proxy::Impl::find_call(std::string_view call_id, std::string_view cseq, Outputs& outputs) {
  const auto number = sip::chars::number<std::uint32_t>(cseq);
  if (!number || call_id.empty()) return std::nullopt;
  auto& partition = store_.partition(partition_of_call(call_id));
  FrameScope scope(*this, outputs);
  sip::Message& message = scope.frame.message;
  std::optional<store::RecordId> found;
  partition.for_each<TransactionHeader>([&](store::RecordId id, const TransactionHeader& header) {
    if (found || !header.request || header.status >= 200) return;
    const auto bytes = partition.read(header.request);
    if (bytes.find(call_id) == std::string_view::npos || !message.parse(bytes)) return;  // looking is cheaper than parsing
    if (message.call_id() == call_id && message.cseq() && message.cseq()->number == *number) found = id;
  });
  return found;
}

std::uint32_t Proxy::Impl::partition_of_call(std::string_view call_id) const {
  return static_cast<std::uint32_t>(checksum(call_id) % store_.partition_count());
}

bool Proxy::Impl::hand_over(std::uint32_t partition, std::function<void(Proxy&, Time, Outputs&)> order) {
  if (!neighbours_) return false;
  neighbours_(partition % worker_count_, std::move(order));
  return true;
}

// The run's own transaction is changed where the run changes it: its commit would undo anything else.
Work* Proxy::Impl::work_of(RoutingContext& context, store::RecordId id, Work& room) {
  if (context.work && context.work->id == id) return context.work;
  if (context.transaction == id) return nullptr;  // a branch route of it: the run outside will commit
  return load(id, room) ? &room : nullptr;
}

int Proxy::Impl::cancel_call(RoutingContext& context, std::string_view call_id, std::string_view cseq, std::uint32_t flags,
                             std::uint16_t reason) {
  FrameScope scope(*this, *context.outputs);
  const auto id = find_call(call_id, cseq, *context.outputs);
  Work* work = id ? work_of(context, *id, scope.frame.work) : nullptr;
  if (!work) return not_found;
  work->header.flags |= flags;
  if (reason) {
    text_.assign("Reason: SIP;cause=").append(std::to_string(reason)).append(";text=\"");
    text_.append(sip::default_reason(reason)).append("\"\r\n");
    set_cancel_headers(*work, text_);
  }
  work->header.targets = {};  // what waits for its turn is not tried any more
  cancel_branches(*work, context.now);
  if (work == context.work && context.kind != RouteKind::Request) return 1;  // committed when the route ends
  return commit(*work, *context.outputs) ? 1 : not_found;
}

int Proxy::Impl::reply_call(RoutingContext& context, std::string_view call_id, std::string_view cseq, std::uint16_t code,
                            std::string_view reason) {
  FrameScope scope(*this, *context.outputs);
  const auto id = find_call(call_id, cseq, *context.outputs);
  Work* work = id ? work_of(context, *id, scope.frame.work) : nullptr;
  if (!work || work->header.status >= 200) return not_found;
  RoutingContext& inner = scope.frame.context;
  inner.work = work;
  inner.now = context.now;
  load_context(inner);
  reply(inner, code, reason);
  if (work == context.work) {
    context.finished = true;
    if (context.kind != RouteKind::Request) return 1;
  }
  return commit(*work, *context.outputs) ? 1 : not_found;
}

int RoutingContext::cancel_branches(CancelWhich which) {
  auto& impl = *proxy.impl_;
  if (!work || work->header.method != sip::Method::Invite || branch < 0) return -1;
  const auto index = static_cast<std::size_t>(branch);
  const auto before = work->emit;
  const auto wanted = [&] {
    return std::ranges::count_if(std::span(work->branches.data(), work->header.branch_count),
                                 [](const auto& one) { return one.cancel_wanted != 0; });
  };
  const auto wanted_before = wanted();
  if (which == CancelWhich::This) {
    if (status >= 200 || work->branches[index].state != transaction::State::Proceeding ||
        work->branches[index].cancel_state != transaction::State::None)
      return -1;
    impl.send_cancel(*work, index, now);
    return 1;
  }
  impl.cancel_branches(*work, now, which == CancelWhich::Others || status >= 200 ? index : SIZE_MAX);
  return work->emit != before || wanted() != wanted_before ? 1 : -1;
}

namespace {
// An order to another worker runs in a context of its own.
template <class F>
std::function<void(Proxy&, Time, Outputs&)> order(F f) {
  return [f = std::move(f)](Proxy& proxy, Time now, Outputs& outputs) {
    RoutingContext context(proxy);
    context.outputs = &outputs;
    context.now = now;
    f(context);
  };
}
}  // namespace

int RoutingContext::cancel_call(std::string_view call_id, std::string_view cseq, std::uint32_t cancel_flags, std::uint16_t reason) {
  auto& impl = *proxy.impl_;
  const auto partition = impl.partition_of_call(call_id);
  if (impl.owns(partition)) return impl.cancel_call(*this, call_id, cseq, cancel_flags, reason);
  return impl.hand_over(partition, order([id = std::string(call_id), number = std::string(cseq), cancel_flags,
                                          reason](RoutingContext& there) { (void)there.cancel_call(id, number, cancel_flags, reason); }))
             ? 1
             : -1;
}

int RoutingContext::reply_call(std::string_view call_id, std::string_view cseq, std::uint16_t code, std::string_view reason) {
  if (code < 100 || code > 699) return -1;
  auto& impl = *proxy.impl_;
  const auto partition = impl.partition_of_call(call_id);
  if (impl.owns(partition)) return impl.reply_call(*this, call_id, cseq, code, reason);
  return impl.hand_over(partition, order([id = std::string(call_id), number = std::string(cseq), code, text = std::string(reason)](
                                             RoutingContext& there) { (void)there.reply_call(id, number, code, text); }))
             ? 1
             : -1;
}

// ---- suspended transactions ----

int RoutingContext::suspend() {
  auto& impl = *proxy.impl_;
  if (kind != RouteKind::Request || message->method() == sip::Method::Ack || message->method() == sip::Method::Cancel) return -1;
  if (!work && impl.new_transaction(*this) < 0) return -1;
  auto& header = work->header;
  if (header.status >= 200 || header.canceled || relayed) return -1;
  std::vector<Target> targets{target};
  targets.insert(targets.end(), more_targets.begin(), more_targets.end());
  std::string bytes;
  encode_targets(targets, bytes);
  work->no_room = false;
  header.targets = impl.write(*work, bytes);
  header.flags = flags;
  header.switches |= transaction::suspended;
  header.expire_at = impl.first_response_deadline(*work, timers, now);
  impl.save_context(*this);
  finished = true;
  if (!work->no_room && impl.commit(*work, *outputs)) return 1;
  header.switches = static_cast<std::uint16_t>(header.switches & ~transaction::suspended);
  header.expire_at = never;
  return -1;
}

int RoutingContext::continue_transaction(std::uint32_t index, std::uint32_t label, std::string_view route) {
  auto& impl = *proxy.impl_;
  const store::RecordId id{index};
  const auto partition = impl.store_.partition_of(id);
  if (!partition) return -1;
  if (impl.owns(*partition)) return impl.continue_suspended(*this, id, label, route);
  return impl.hand_over(*partition, order([index, label, name = std::string(route)](RoutingContext& there) {
    (void)there.continue_transaction(index, label, name);
  }))
             ? 1
             : -1;
}

// Until the route has relayed, answered or suspended again the record says that it is suspended: should the process end meanwhile, the
// message that brought us here comes again.
int Proxy::Impl::continue_suspended(RoutingContext& cause, store::RecordId id, std::uint32_t label, std::string_view route) {
  if (cause.transaction == id || is_waiting(id)) return -1;  // its own route is still running
  FrameScope scope(*this, *cause.outputs);
  Frame& frame = scope.frame;
  Work& work = frame.work;
  auto& header = work.header;
  if (!load(id, work) || header.nonce != label || !(header.switches & transaction::suspended) || header.status >= 200) return -1;
  if (!begin_stored_request(frame, work, cause.now)) return -1;
  RoutingContext& context = frame.context;
  std::vector<Target> targets;
  if (decode_targets(read(work, header.targets), targets) && !targets.empty()) {
    context.target = targets.front();
    context.more_targets.assign(targets.begin() + 1, targets.end());
  }
  header.targets = {};
  header.switches = static_cast<std::uint16_t>(header.switches & ~transaction::suspended);
  header.expire_at = never;
  const bool ran = runner_.run(context, RouteKind::Request, route);
  if (context.wait)
    keep_waiting(frame);
  else
    finish_request_route(context, ran);
  return 1;
}

bool Proxy::Impl::begin_stored_request(Frame& frame, Work& work, Time now) {
  RoutingContext& context = frame.context;
  const auto& header = work.header;
  context.kind = RouteKind::Request;
  context.now = now;
  context.work = &work;
  context.transaction = work.id;
  frame.received = {read(work, header.request), header.source, socket_from(header.socket_key), header.connection};
  if (!header.request || !frame.message.parse(frame.received.bytes)) return false;
  context.received = &frame.received;
  context.message = &frame.message;
  context.edits = &frame.edits;
  load_context(context);
  return true;
}

// ---- late branches (tsilo) ----

int RoutingContext::store_in_silo(std::string_view key) {
  auto& impl = *proxy.impl_;
  if (key.empty() || message->method() != sip::Method::Invite) return -1;
  if (!work && impl.new_transaction(*this) < 0) return -1;
  if (work->header.status >= 200 || work->header.canceled) return -1;
  silo_key.assign(key);
  work->header.switches |= transaction::takes_late_branches;
  work->no_room = false;
  impl.save_context(*this);
  if (work->no_room || (kind == RouteKind::Request && !impl.commit(*work, *outputs))) return -1;
  impl.put_in_silo(work->id, key);
  return 1;
}

void Proxy::Impl::put_in_silo(store::RecordId id, std::string_view key) {
  const auto hash = checksum(key);
  const auto [begin, end] = silo_.equal_range(hash);
  if (std::none_of(begin, end, [&](const auto& entry) { return entry.second == id; })) silo_.emplace(hash, id);
}

void Proxy::Impl::take_from_silo(const Work& work) {
  RoutingContext context(self_);
  if (!decode_context(read(work, work.header.context), context)) return;
  auto [begin, end] = silo_.equal_range(checksum(context.silo_key));
  const auto entry = std::find_if(begin, end, [&](const auto& one) { return one.second == work.id; });
  if (entry != end) silo_.erase(entry);
}

void Proxy::Impl::attach_silo(store::RecordId id, const TransactionHeader& header, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  if (header.status >= 200 || header.canceled || !load(id, scope.frame.work)) return;
  RoutingContext& context = scope.frame.context;
  if (decode_context(read(scope.frame.work, header.context), context) && !context.silo_key.empty()) put_in_silo(id, context.silo_key);
}

int Proxy::Impl::append_branches(RoutingContext& cause, store::RecordId id, std::optional<std::uint32_t> label, std::string_view key,
                                 std::span<const Target> targets) {
  if (cause.transaction == id) return not_found;
  FrameScope scope(*this, *cause.outputs);
  Frame& frame = scope.frame;
  Work& work = frame.work;
  auto& header = work.header;
  if (!load(id, work) || (label && header.nonce != *label)) return not_found;
  if (header.canceled) return canceled;
  if (header.status >= 200) return answered;
  if (!begin_stored_request(frame, work, cause.now)) return not_found;
  RoutingContext& context = frame.context;
  if (!key.empty() && context.silo_key != key) return not_found;
  const std::size_t before = header.branch_count;
  for (const Target& target : targets) {
    if (has_branch_to(work, target.uri, *cause.outputs)) continue;
    if (const auto breadth = share_breadth(frame.message, 1)) (void)add_branch(context, target, *breadth);
  }
  if (header.branch_count == before) return nothing_new;
  for (std::size_t i = before; before && i < header.branch_count; ++i) work.branches[i].attempt = work.branches[before - 1].attempt;
  if (before == 0) {
    // It has waited for its first branch.
    header.expire_at = never;
    header.switches = static_cast<std::uint16_t>(header.switches & ~transaction::suspended);
    header.targets = {};
  }
  save_context(context);
  if (work.no_room || !commit(work, *cause.outputs)) {
    abandon_written(work, false);
    return not_found;
  }
  return static_cast<int>(header.branch_count - before);
}

bool Proxy::Impl::has_branch_to(const Work& work, std::string_view uri, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  for (std::size_t i = 0; i < work.header.branch_count; ++i)
    if (scope.frame.message.parse(read(work, work.branches[i].request)) && scope.frame.message.request_uri() == uri) return true;
  return false;
}

int RoutingContext::append_to(std::uint32_t index, std::uint32_t label, std::span<const Target> targets) {
  auto& impl = *proxy.impl_;
  const store::RecordId id{index};
  const auto partition = impl.store_.partition_of(id);
  if (!partition) return -1;
  if (impl.owns(*partition)) return impl.append_branches(*this, id, label, {}, targets);
  return impl.hand_over(*partition, order([index, label, copy = std::vector<Target>(targets.begin(), targets.end())](
                                              RoutingContext& there) { (void)there.append_to(index, label, copy); }))
             ? 1
             : -1;
}

int Proxy::Impl::append_from_silo(RoutingContext& cause, std::string_view key, std::span<const Target> targets) {
  const auto [begin, end] = silo_.equal_range(checksum(key));
  std::vector<store::RecordId> ids;
  for (auto entry = begin; entry != end; ++entry) ids.push_back(entry->second);
  for (const auto id : ids) (void)append_branches(cause, id, std::nullopt, key, targets);
  return ids.empty() ? -2 : 1;
}

int RoutingContext::append_late(std::string_view key, std::span<const Target> targets) {
  auto& impl = *proxy.impl_;
  const int here = impl.append_from_silo(*this, key, targets);
  bool elsewhere = false;
  // The transactions of a key may be of any worker.
  for (std::uint32_t other = 0; other < impl.worker_count_; ++other) {
    if (other == impl.worker_) continue;
    elsewhere |= impl.hand_over(other, order([text = std::string(key), copy = std::vector<Target>(targets.begin(), targets.end())](
                                                 RoutingContext& there) { (void)there.proxy.impl_->append_from_silo(there, text, copy); }));
  }
  return here > 0 || elsewhere ? 1 : here;
}

}  // namespace perdure::proxy

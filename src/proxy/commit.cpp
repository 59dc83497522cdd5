// Between the core and the store: loading, committing, and what a commit lets out.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "proxy/delivery.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::State;
using transaction::TransactionHeader;

namespace {

bool cancel_open(const Branch& branch) {
  return branch.cancel_wanted || branch.cancel_state == State::Trying || branch.cancel_state == State::Proceeding;
}

// Frees what nothing can ask for again, so that a transaction that only absorbs retransmissions costs little more than its header.
void shed(Work& work) {
  auto& header = work.header;
  const bool answered = header.state == State::Accepted || header.state == State::Completed || header.state == State::Confirmed ||
                        header.state == State::Terminated;
  bool cancel_possible = false;
  for (std::size_t i = 0; i < header.branch_count; ++i) {
    Branch& branch = work.branches[i];
    const bool invite = header.method == sip::Method::Invite;
    const bool over = branch.state == State::Terminated || branch.state == State::Accepted || (!invite && branch.state == State::Completed);
    const bool may_go_on = branch.located == transaction::Located::More && !answered;  // another branch will send the same
    if (over && !cancel_open(branch) && !may_go_on) {
      branch.request = branch.server_name = {};
      header.pending &= ~(transaction::pending_request(i) | transaction::pending_cancel(i));
    }
    if (answered && !(header.pending & transaction::pending_ack(i))) branch.response = {};
    // A branch that has ended can still repeat its CANCEL, whose headers must stay the same.
    cancel_possible |=
        branch.state == State::Calling || branch.state == State::Trying || branch.state == State::Proceeding || cancel_open(branch);
  }
  if (answered) {
    // The caller may be sent a 2xx again, with the addresses that it knows.
    const bool restores = header.state == State::Accepted && (header.switches & (transaction::from_replaced | transaction::to_replaced));
    if (!restores) header.request = {};
    header.targets = {};
    if (!cancel_possible) header.cancel_headers = {};
  }
}

bool finished(const Work& work) {
  if (work.header.state != State::Terminated) return false;
  for (std::size_t i = 0; i < work.header.branch_count; ++i) {
    const Branch& branch = work.branches[i];
    if (branch.state != State::Terminated && branch.state != State::None) return false;
    if (cancel_open(branch)) return false;
  }
  return true;
}

}  // namespace

std::string_view Proxy::Impl::read(const Work& work, store::BlobRef blob) {
  return store_.partition(work.partition).read(blob);
}

store::BlobRef Proxy::Impl::write(Work& work, std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto blob = store_.partition(work.partition).write(bytes);
  if (!blob) {
    ++counters_.store_full;
    work.no_room = true;
    return blob;
  }
  PERDURE_ASSERT(work.written_count < work.written.size());
  work.written[work.written_count++] = blob;
  return blob;
}

bool Proxy::Impl::load(store::RecordId id, Work& work) {
  const auto partition = store_.partition_of(id);
  if (!partition || !owns(*partition) || !store_.partition(*partition).is_live<TransactionHeader>(id)) return false;
  auto& records = store_.partition(*partition);
  work.id = id;
  work.partition = *partition;
  work.header = records.get<TransactionHeader>(id);
  work.emit = 0;
  work.written_count = 0;
  work.no_room = false;
  work.answer = nullptr;
  work.created = false;
  if (records.sent_sequence(id) >= records.sequence(id)) work.header.pending = 0;
  if (work.header.branches) {
    const auto bytes = records.read(work.header.branches);
    PERDURE_ASSERT(bytes.size() == work.header.branch_count * sizeof(Branch) && work.header.branch_count <= work.branches.size());
    std::memcpy(work.branches.data(), bytes.data(), bytes.size());
  } else if (work.header.branch_count) {
    work.branches[0] = work.header.branch;
  }
  return true;
}

bool Proxy::Impl::commit(Work& work, Outputs& outputs, const sip::Message* request) {
  auto& partition = store_.partition(work.partition);
  auto& header = work.header;
  if (!work.created && finished(work) && !work.emit) {
    abandon_written(work, false);
    erase(work);
    return true;
  }
  observer_->on_commit_begin();
  std::string unsaved_line;
  if (account_is_due(work)) unsaved_line = make_account_line(work, outputs);
  header.pending |= work.emit;
  if (routes_ && !update_routes(work, outputs)) {
    if (!work.created) give_back(work);
    return false;
  }
  shed(work);
  header.branch = {};
  header.branches = {};
  if (header.branch_count == 1) {
    header.branch = work.branches[0];
  } else if (header.branch_count > 1) {
    header.branches = write(work, {reinterpret_cast<const char*>(work.branches.data()), header.branch_count * sizeof(Branch)});
    if (!header.branches) {
      if (!work.created) give_back(work);
      return false;
    }
  }
  if (work.created) {
    partition.create(work.id, header);
    work.created = false;
    index_[header.key] = work.id;
    ++counters_.transactions_created;
  } else {
    partition.commit(work.id, header);
  }
  observer_->on_commit_end();
  if (work.written_count) abandon_written(work, true);
  wheel_.schedule(work.id.value, deadline(header, {work.branches.data(), header.branch_count}));
  // Persist, then speak: from here on the outputs are justified by what stands in the store.
  emit(work, work.emit, outputs, request);
  if (!unsaved_line.empty()) outputs.account(outputs.copy(unsaved_line));
  work.emit = 0;
  return true;
}

// A commit has found no room: what it has written, and the routes of branches that the record in the store does not have.
void Proxy::Impl::give_back(Work& work) {
  abandon_written(work, false);
  if (!routes_) return;
  for (std::size_t i = store_.partition(work.partition).get<TransactionHeader>(work.id).branch_count; i < work.header.branch_count; ++i)
    erase_route(work, i);
}

void Proxy::Impl::erase(Work& work) {
  wheel_.cancel(work.id.value);
  if (const auto found = index_.find(work.header.key); found != index_.end() && found->second == work.id) index_.erase(found);
  if (work.header.switches & transaction::takes_late_branches) take_from_silo(work);
  if (routes_) erase_routes(work);
  store_.partition(work.partition).erase<TransactionHeader>(work.id);
}

void Proxy::Impl::abandon_written(Work& work, bool committed) {
  auto& partition = store_.partition(work.partition);
  for (std::size_t i = 0; i < work.written_count; ++i) {
    bool referred = false;
    if (committed) {
      work.header.for_each_blob([&](store::BlobRef blob) { referred |= blob == work.written[i]; },
                                [&](store::BlobRef blob) { return partition.read(blob); });
    }
    if (!referred) partition.abandon(work.written[i]);
  }
  work.written_count = 0;
}

void Proxy::Impl::discard(Work& work) {
  if (routes_) erase_routes(work);
  abandon_written(work, false);
  store_.partition(work.partition).unreserve(work.id);
  work.created = false;
}

// 100 Trying is made anew each time: it is not worth a blob.
void Proxy::Impl::emit_trying(const Work& work, Outputs& outputs, const sip::Message* request) {
  FrameScope scope(*this, outputs);
  if (!request) {
    if (!scope.frame.message.parse(read(work, work.header.request))) return;
    request = &scope.frame.message;
  }
  scope.frame.scratch.clear();
  build_reply(work, *request, 100, "Trying", {}, {}, scope.frame.scratch);
  const Send send{outputs.copy(scope.frame.scratch), work.header.reply_to, socket_from(work.header.socket_key), work.header.connection, {}};
  outputs.send(to_caller(send, work.header.switches, 100));
}

void Proxy::Impl::emit(const Work& work, std::uint64_t bits, Outputs& outputs, const sip::Message* request) {
  if (!bits) return;
  const auto& header = work.header;
  unsent_.push_back(work.id);
  if (bits & transaction::pending_account) emit_account_line(work, outputs);
  const auto to_branch = [&](std::string_view bytes, const Branch& branch) {
    if (bytes.empty()) return;
    Send send{bytes, branch.destination, socket_from(branch.socket_key), branch.connection, {}};
    if (is_reliable(branch.transport)) {
      send.socket = socket_for(branch.transport, branch.destination.family, send.socket).value_or(send.socket);
      send.server_name = server_name(work, branch);
    }
    outputs.send(to_next_hop(send, header.switches));
  };
  if ((bits & transaction::pending_response) && header.response)
    outputs.send(to_caller({read(work, header.response), header.reply_to, socket_from(header.socket_key), header.connection, {}},
                           header.switches, header.status));
  for (std::size_t i = 0; i < header.branch_count; ++i) {
    const Branch& branch = work.branches[i];
    if (bits & transaction::pending_request(i)) to_branch(read(work, branch.request), branch);
    if (!(bits & (transaction::pending_ack(i) | transaction::pending_cancel(i))) || !branch.request) continue;
    FrameScope scope(*this, outputs);
    if (!scope.frame.message.parse(read(work, branch.request))) continue;
    auto& text = scope.frame.scratch;
    if ((bits & transaction::pending_ack(i)) && branch.response) {
      FrameScope inner(*this, outputs);
      if (inner.frame.message.parse(read(work, branch.response))) {
        text.clear();
        sip::build_ack(scope.frame.message, inner.frame.message, text);
        to_branch(outputs.copy(text), branch);
      }
    }
    if (bits & transaction::pending_cancel(i)) {
      text.clear();
      sip::build_cancel(scope.frame.message, read(work, header.cancel_headers), text);
      to_branch(outputs.copy(text), branch);
    }
  }
  // Last: a caller who has it repeats the request no more, so what it announces must have left.
  if ((bits & transaction::pending_response) && !header.response && header.request && header.status < 200 &&
      header.method == sip::Method::Invite && !(header.switches & transaction::no_trying))
    emit_trying(work, outputs, request);
}

void Proxy::Impl::outputs_sent() {
  for (const auto id : unsent_) {
    const auto partition = store_.partition_of(id);
    if (partition && store_.partition(*partition).is_live<TransactionHeader>(id)) store_.partition(*partition).mark_sent(id);
  }
  unsent_.clear();
  for (std::uint32_t i = worker_; i < store_.partition_count(); i += worker_count_) {
    store_.partition(i).reclaim();
    if (routes_) routes_->partition(i).reclaim();
  }
}

void Proxy::Impl::save_context(RoutingContext& context) {
  Work& work = *context.work;
  if (context.variables_changed) {
    runner_.save_variables(context);
    context.variables_changed = false;
  }
  FrameScope scope(*this, *context.outputs);
  auto& bytes = scope.frame.scratch;
  bytes.clear();
  encode_context(context, bytes);
  if (bytes == read(work, work.header.context)) return;
  const auto blob = write(work, bytes);
  if (!blob && !bytes.empty()) return;  // no room: what is there stays
  // A step may save several times: what it wrote before has never been referred to by a commit.
  const auto end = work.written.begin() + static_cast<std::ptrdiff_t>(work.written_count);
  if (const auto old = std::find(work.written.begin(), end, work.header.context); work.header.context && old != end) {
    store_.partition(work.partition).abandon(*old);
    *old = work.written[--work.written_count];
  }
  work.header.context = blob;
}

void Proxy::Impl::save_context_without_edits(RoutingContext& context) {
  FrameScope scope(*this, *context.outputs);
  RoutingContext& stored = scope.frame.context;
  stored.work = context.work;
  stored.edits = &scope.frame.edits;
  load_context(stored);
  auto* const edits = std::exchange(context.edits, stored.edits);
  save_context(context);
  context.edits = edits;
}

void Proxy::Impl::load_context(RoutingContext& context) {
  context.flags = context.work->header.flags;
  decode_context(read(*context.work, context.work->header.context), context);
}

}  // namespace perdure::proxy

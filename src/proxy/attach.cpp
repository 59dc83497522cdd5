// After a restart: indexes and timers are made anew from the records, and what may not have left is sent again.
#include "proxy/core.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::TransactionHeader;

void Proxy::Impl::attach(Time now, Outputs& outputs) {
  wheel_ = transaction::TimerWheel(now);
  if (routes_) attach_routes(now);
  // Calls wait meanwhile. Room for all of them at once: to grow step by step would take longer than the rest.
  std::uint64_t records = 0;
  std::uint32_t ids = 0;
  for (std::uint32_t index = worker_; index < store_.partition_count(); index += worker_count_) {
    records += store_.partition(index).record_count(TransactionHeader::kind);
    ids = std::max(ids, store_.partition(index).id_limit(TransactionHeader::kind));
  }
  const auto schedule = [&](store::RecordId id, const TransactionHeader& header, std::span<const transaction::Branch> branches) {
    const bool at_once = awaits_route(header, branches) || has_unreported_failure(branches) || awaits_servers(branches);
    wheel_.schedule(id.value, at_once ? now : deadline(header, branches));
  };
  index_.reserve(records + records / 4);
  wheel_.reserve(ids);
  for (std::uint32_t index = worker_; index < store_.partition_count(); index += worker_count_) {
    auto& partition = store_.partition(index);
    partition.for_each<TransactionHeader>([&](store::RecordId id, const TransactionHeader& header) {
      if (record_mark_) *record_mark_ = id.value;
      index_[header.key] = id;
      ++counters_.transactions_recovered;
      if (header.switches & transaction::takes_late_branches) attach_silo(id, header, outputs);
      const bool sent = !header.pending || partition.sent_sequence(id) >= partition.sequence(id);
      if (sent && !header.branches) {  // nearly all of them
        schedule(id, header, {&header.branch, header.branch_count});
        return;
      }
      FrameScope scope(*this, outputs);
      Work& work = scope.frame.work;
      if (!load(id, work)) return;
      schedule(id, work.header, {work.branches.data(), work.header.branch_count});
      if (work.header.pending) {
        ++counters_.resent_after_attach;
        emit(work, work.header.pending, outputs);
      }
    });
  }
  if (record_mark_) *record_mark_ = store::RecordId::none.value;
}

}  // namespace perdure::proxy

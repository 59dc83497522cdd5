// What administration asks of the transactions.
#include <algorithm>

#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "proxy/server_list.hpp"

namespace perdure::proxy {

using transaction::TransactionHeader;

std::vector<TransactionView> Proxy::Impl::transactions(std::size_t limit, Time now) {
  std::vector<TransactionView> views;
  Outputs unused;
  for (std::uint32_t index = worker_; index < store_.partition_count() && views.size() < limit; index += worker_count_) {
    store_.partition(index).for_each<TransactionHeader>([&](store::RecordId id, const TransactionHeader& header) {
      if (views.size() >= limit || !header.request || header.state == transaction::State::Accepted) return;
      FrameScope scope(*this, unused);
      Work& work = scope.frame.work;
      sip::Message& message = scope.frame.message;
      if (!load(id, work) || !message.parse(read(work, header.request))) return;
      TransactionView view;
      view.call_id = message.call_id();
      view.method = message.method_name();
      if (const auto* from = message.from()) view.from = from->uri;
      if (const auto* to = message.to()) view.to = to->uri;
      view.request_uri = message.request_uri();
      view.state = name(header.state);
      view.age = now - header.created;
      for (std::size_t i = 0; i < header.branch_count; ++i) {
        const auto& branch = work.branches[i];
        FrameScope inner(*this, unused);
        TransactionView::Branch one{{}, branch.destination.text(), std::string(name(branch.state)), branch.status};
        if (branch.located == transaction::Located::Waiting) {
          one.destination = name_of_servers(read(work, branch.server_name));
          one.state = "Locating";
        }
        if (inner.frame.message.parse(read(work, branch.request))) one.uri = inner.frame.message.request_uri();
        view.branches.push_back(std::move(one));
      }
      views.push_back(std::move(view));
    });
  }
  return views;
}

std::vector<std::size_t> Proxy::Impl::count_armed(std::uint32_t index, std::span<const std::string> names) {
  std::vector<std::size_t> counts(names.size());
  Outputs unused;
  const std::uint32_t partition = worker_ + index * worker_count_;
  if (partition >= store_.partition_count()) return counts;
  store_.partition(partition).for_each<TransactionHeader>([&](store::RecordId id, const TransactionHeader& header) {
    if (header.status >= 200 || !header.context) return;
    FrameScope scope(*this, unused);
    Work& work = scope.frame.work;
    RoutingContext& context = scope.frame.context;
    if (!load(id, work) || !decode_context(read(work, header.context), context)) return;
    for (std::size_t i = 0; i < names.size(); ++i)
      for (const auto& armed : {&context.armed.branch, &context.armed.reply, &context.armed.failure, &context.armed.branch_failure})
        counts[i] += *armed == names[i];
  });
  return counts;
}

std::size_t Proxy::Impl::count_unanswered(std::uint32_t index) const {
  std::size_t count = 0;
  const std::uint32_t partition = worker_ + index * worker_count_;
  if (partition < store_.partition_count())
    store_.partition(partition).for_each<TransactionHeader>(
        [&](store::RecordId, const TransactionHeader& header) { count += header.status < 200; });
  return count;
}

}  // namespace perdure::proxy

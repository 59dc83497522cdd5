// Failures of single branches, which a route may answer with another branch while the others go on (t_on_branch_failure).
#include <algorithm>
#include <string>
#include <utility>

#include "proxy/core.hpp"

namespace perdure::proxy {

using transaction::Branch;

bool Proxy::Impl::has_unreported_failure(std::span<const Branch> branches) {
  return std::ranges::any_of(branches, [](const Branch& branch) {
    return branch.status >= 300 && is_over(branch) && (branch.reports_failure || has_next_server(branch));
  });
}

void Proxy::Impl::begin_failure_context(RoutingContext& context, std::size_t index, RouteKind kind) {
  const Branch& branch = context.work->branches[index];
  context.kind = kind;
  context.branch = static_cast<int>(index);
  context.status = branch.status;
  context.timed_out = branch.timed_out != 0;
  context.branch_replied = !context.timed_out && !branch.unreachable;
  context.target.flags = branch.flags;
  FrameScope sent(*this, *context.outputs);
  if (branch.request && sent.frame.message.parse(read(*context.work, branch.request)))
    context.target.uri.assign(sent.frame.message.request_uri());
}

void Proxy::Impl::run_branch_failure_routes(Work& work, Time now, RoutingContext& cause) {
  // Those that a route adds here are not over yet.
  for (std::size_t i = 0; i < work.header.branch_count && has_unreported_failure({work.branches.data(), work.header.branch_count}); ++i) {
    Branch& branch = work.branches[i];
    if (!has_unreported_failure({&branch, 1})) continue;
    branch.reports_failure = 0;
    FrameScope scope(*this, *cause.outputs);
    Frame& frame = scope.frame;
    RoutingContext& context = frame.context;
    if (!begin_stored_request(frame, work, now)) return;
    begin_failure_context(context, i, RouteKind::BranchFailure);
    // Branches that are added now have it only if it is armed again; those that are there keep it.
    const std::string route = std::exchange(context.armed.branch_failure, {});
    if (route.empty()) continue;
    context.branch_failure_spent = false;
    if (!runner_.run(context, RouteKind::BranchFailure, route)) ++counters_.script_errors;
    work.header.flags = context.flags;
    if (context.armed.branch_failure.empty()) {
      context.armed.branch_failure = route;
      context.branch_failure_spent = true;
    }
    save_context_without_edits(context);
  }
}

int RoutingContext::reuse_branch() {
  if (kind != RouteKind::BranchFailure) return -1;
  // Its Request-URI and branch flags are the target since the route began; what the route has changed is taken back.
  proxy.impl_->begin_failure_context(*this, static_cast<std::size_t>(branch), kind);
  return 1;
}

}  // namespace perdure::proxy

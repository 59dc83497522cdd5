#include "engine/measures.hpp"

#include "engine/clock.hpp"

namespace perdure::engine {
namespace {

std::uint64_t ns(Duration duration) {
  return duration > Duration::zero() ? static_cast<std::uint64_t>(duration.count()) * 1000 : 0;
}

std::size_t class_of(std::uint16_t status) {
  return status >= 100 && status < metrics::status_end ? status / 100U : 0;
}

}  // namespace

void Measures::on_request(sip::Method method) {
  block_.requests[static_cast<std::size_t>(method)].add();
}

void Measures::on_response(std::uint16_t status) {
  block_.responses[class_of(status)].add();
}

void Measures::on_branch(const SocketAddress& destination) {
  if (auto* const gateway = gateways_ ? gateways_->find(destination) : nullptr) gateway->requests.add_shared();
}

void Measures::on_branch_response(const SocketAddress& destination, std::uint16_t status) {
  if (auto* const gateway = gateways_ ? gateways_->find(destination) : nullptr) gateway->responses[class_of(status)].add_shared();
}

void Measures::on_branch_timeout(const SocketAddress& destination) {
  if (auto* const gateway = gateways_ ? gateways_->find(destination) : nullptr) gateway->timeouts.add_shared();
}

void Measures::on_ringing(Duration since_request) {
  block_.post_dial_delay.record(ns(since_request));
}

void Measures::on_final_response(sip::Method method, std::uint16_t status, Duration since_request) {
  const bool invite = method == sip::Method::Invite;
  if (class_of(status)) (invite ? block_.invite_finals : block_.other_finals)[status].add();
  if (invite && status < 300) block_.setup_time.record(ns(since_request));
}

void Measures::on_stateless_reply(std::uint16_t status) {
  if (class_of(status)) block_.stateless_replies[status].add();
}

void Measures::on_commit_begin() {
  commit_began_ns_ = monotonic_ns();
}

void Measures::on_commit_end() {
  block_.commit_time.record(monotonic_ns() - commit_began_ns_);
}

template <class Run>
bool TimedRunner::timed(Run run) {
  if (depth_ > 0) return run();
  ++depth_;
  const std::uint64_t began = monotonic_ns();
  const bool good = run();
  block_.script_time.record(monotonic_ns() - began);
  --depth_;
  block_.script_runs.add();
  if (!good) block_.script_errors.add();
  return good;
}

bool TimedRunner::run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) {
  return timed([&] { return runner_->run(context, kind, name); });
}

bool TimedRunner::resume(proxy::RoutingContext& context, bool timed_out) {
  return timed([&] { return runner_->resume(context, timed_out); });
}

}  // namespace perdure::engine

#include "app/metrics/calls.hpp"

namespace perdure::app {
namespace {

constexpr std::chrono::seconds window = std::chrono::minutes(5), resolution{5};

constexpr auto index(CallOutcome outcome) {
  return static_cast<std::size_t>(outcome);
}

}  // namespace

std::string_view name(CallOutcome outcome) {
  constexpr std::string_view names[] = {"answered", "busy", "no_answer", "rejected", "challenged", "redirected", "not_found", "failed"};
  return names[index(outcome)];
}

CallOutcome outcome_of(std::uint16_t status) {
  if (status < 300) return CallOutcome::Answered;
  if (status < 400) return CallOutcome::Redirected;
  switch (status) {
    case 401:
    case 407:
      return CallOutcome::Challenged;
    case 486:
    case 600:
      return CallOutcome::Busy;
    case 408:
    case 480:
    case 487:
      return CallOutcome::NoAnswer;
    case 603:
    case 606:
    case 607:
    case 608:
      return CallOutcome::Rejected;
    case 404:
    case 410:
    case 484:
    case 604:
      return CallOutcome::NotFound;
    default:
      return CallOutcome::Failed;
  }
}

CallCounts count_calls(std::span<const std::uint64_t> by_status) {
  CallCounts counts{};
  for (std::size_t status = 200; status < by_status.size(); ++status)
    counts[index(outcome_of(static_cast<std::uint16_t>(status)))] += by_status[status];
  return counts;
}

void CallRatios::sample(const CallCounts& counts, Clock::time_point now) {
  last_ = {now, counts};
  if (samples_.empty() || now - samples_.back().at >= resolution) samples_.push_back(last_);
  while (samples_.size() > 1 && now - samples_[1].at >= window) samples_.pop_front();
}

std::optional<CallRatios::Ratios> CallRatios::ratios() const {
  if (samples_.empty()) return std::nullopt;
  const auto since = [&](CallOutcome outcome) {
    return static_cast<double>(last_.counts[index(outcome)] - samples_.front().counts[index(outcome)]);
  };
  const double answered = since(CallOutcome::Answered),
               of_users = since(CallOutcome::Busy) + since(CallOutcome::NoAnswer) + since(CallOutcome::Rejected),
               all = answered + of_users + since(CallOutcome::NotFound) + since(CallOutcome::Failed);
  if (all <= 0) return std::nullopt;
  return Ratios{answered / all, (answered + of_users) / all};
}

}  // namespace perdure::app

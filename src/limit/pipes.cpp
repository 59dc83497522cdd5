#include "limit/pipes.hpp"

#include "base/case.hpp"

namespace perdure::limit {

std::optional<PipeAlgorithm> pipe_algorithm_from(std::string_view name) {
  if (equals_ignore_case(name, "TAILDROP")) return PipeAlgorithm::TailDrop;
  if (equals_ignore_case(name, "RED")) return PipeAlgorithm::Red;
  return std::nullopt;
}

std::string_view name(PipeAlgorithm algorithm) {
  return algorithm == PipeAlgorithm::TailDrop ? "TAILDROP" : "RED";
}

Pipes::Pipes(std::vector<PipeOptions> configured, Duration interval) : interval_(interval) {
  for (auto& one : configured) {
    Pipe pipe;
    pipe.algorithm = one.algorithm;
    pipe.limit = one.limit;
    pipe.configured = true;
    pipes_.insert_or_assign(std::move(one.name), pipe);
  }
}

void Pipes::move_to(Pipe& pipe, std::int64_t interval) {
  if (interval == pipe.interval) return;
  pipe.last_counter = interval == pipe.interval + 1 ? pipe.counter : 0;
  pipe.counter = 0;
  pipe.interval = interval;
}

Pipes::Answer Pipes::count(Pipe& pipe, Time now) {
  move_to(pipe, interval_of(now));
  if (pipe.counter < UINT32_MAX) ++pipe.counter;
  bool pass = false;
  if (pipe.limit > 0) {
    // RED: of a rate n times the limit one message of n + 1 passes, as the last interval was.
    const std::uint32_t load = pipe.last_counter > pipe.limit ? pipe.last_counter / pipe.limit + 1 : 1;
    pass = pipe.algorithm == PipeAlgorithm::TailDrop ? pipe.counter <= pipe.limit : pipe.counter % load == 0;
  }
  if (!pass) refused_.fetch_add(1, std::memory_order_relaxed);
  return pass ? Answer::Pass : Answer::Refuse;
}

Pipes::Answer Pipes::check(std::string_view name, Time now) {
  const std::scoped_lock lock(mutex_);
  const auto found = pipes_.find(name);
  return found == pipes_.end() ? Answer::Unknown : count(found->second, now);
}

Pipes::Answer Pipes::check(const PipeOptions& options, Time now) {
  if (options.name.size() > pipe_name_bytes_max) return Answer::Unknown;
  const std::scoped_lock lock(mutex_);
  auto found = pipes_.find(options.name);
  if (found == pipes_.end()) {
    const std::int64_t interval = interval_of(now);
    // At most once in an interval: a flood of names must not make each message walk over all of them.
    if (pipes_.size() >= pipes_max && cleaned_ != interval) {
      cleaned_ = interval;
      std::erase_if(pipes_, [&](const auto& one) { return !one.second.configured && one.second.interval + 1 < interval; });
    }
    if (pipes_.size() >= pipes_max) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return Answer::Unknown;
    }
    found = pipes_.emplace(options.name, Pipe{}).first;
    found->second.interval = interval;
  }
  Pipe& pipe = found->second;
  if (!pipe.configured) {
    pipe.algorithm = options.algorithm;
    pipe.limit = options.limit;
  }
  return count(pipe, now);
}

bool Pipes::is_active(std::string_view name, Time now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = pipes_.find(name);
  if (found == pipes_.end()) return false;
  Pipe pipe = found->second;
  move_to(pipe, interval_of(now));
  return pipe.counter + pipe.last_counter > 0;
}

bool Pipes::set(std::string_view name, PipeAlgorithm algorithm, std::uint32_t limit) {
  const std::scoped_lock lock(mutex_);
  const auto found = pipes_.find(name);
  if (found == pipes_.end()) return false;
  found->second.algorithm = algorithm;
  found->second.limit = limit;
  return true;
}

std::vector<PipeView> Pipes::view(Time now) const {
  std::vector<PipeView> views;
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, pipe] : pipes_) {
    Pipe current = pipe;
    move_to(current, interval_of(now));
    views.push_back({name, pipe.algorithm, pipe.limit, current.counter, current.last_counter, pipe.configured});
  }
  return views;
}

}  // namespace perdure::limit

#include "locate/cache.hpp"

#include <algorithm>

namespace perdure::locate {

AnswerPointer Cache::find(const Question& question, Time now) {
  const std::scoped_lock lock(mutex_);
  if (const auto fixed = fixed_.find(question); fixed != fixed_.end()) {
    ++counters_.hits;
    return fixed->second;
  }
  const auto found = index_.find(question);
  if (found == index_.end() || found->second->expires <= now) {
    ++counters_.misses;
    return nullptr;
  }
  ++counters_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->answer;
}

AnswerPointer Cache::put(const Question& question, Answer answer, Time now) {
  const std::scoped_lock lock(mutex_);
  const auto found = index_.find(question);
  if (answer.kind == Answer::Kind::Failed) {
    if (found != index_.end() && found->second->answer->kind == Answer::Kind::Records && found->second->keeps_until > now) {
      found->second->expires = std::max(found->second->expires, now + options_.failure_ttl);
      ++counters_.stale;
      return found->second->answer;
    }
    answer.ttl = options_.failure_ttl;
  } else if (answer.kind == Answer::Kind::None) {
    const Duration least = std::min(options_.ttl_min, options_.negative_ttl);
    answer.ttl = answer.ttl < 0s ? options_.negative_ttl : std::clamp(answer.ttl, least, options_.negative_ttl);
  } else {
    answer.ttl = std::clamp(answer.ttl, options_.ttl_min, std::max(options_.ttl_min, options_.ttl_max));
  }
  Entry entry{question, nullptr, now + answer.ttl, now + answer.ttl + options_.stale_max};
  entry.answer = std::make_shared<const Answer>(std::move(answer));
  AnswerPointer result = entry.answer;
  if (found != index_.end()) {
    *found->second = std::move(entry);
    entries_.splice(entries_.begin(), entries_, found->second);
    return result;
  }
  if (options_.entries_max == 0) return result;
  if (entries_.size() >= options_.entries_max) {
    index_.erase(entries_.back().question);
    entries_.pop_back();
    ++counters_.evicted;
  }
  entries_.push_front(std::move(entry));
  index_.emplace(question, entries_.begin());
  return result;
}

void Cache::put_fixed(const Question& question, Answer answer) {
  const std::scoped_lock lock(mutex_);
  fixed_[question] = std::make_shared<const Answer>(std::move(answer));
}

void Cache::clear() {
  const std::scoped_lock lock(mutex_);
  index_.clear();
  entries_.clear();
}

std::vector<Cache::View> Cache::list(Time now, std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  std::vector<View> views;
  for (const auto& [question, answer] : fixed_)
    if (views.size() < limit) views.push_back({question, answer, {}, true});
  for (const Entry& entry : entries_) {
    if (views.size() >= limit) break;
    views.push_back({entry.question, entry.answer, entry.expires - now, false});
  }
  return views;
}

Cache::Counters Cache::counters() const {
  const std::scoped_lock lock(mutex_);
  Counters counters = counters_;
  counters.entries = entries_.size();
  return counters;
}

}  // namespace perdure::locate

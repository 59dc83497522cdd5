#include "shared/state.hpp"

namespace perdure::shared {

std::optional<Value> State::variable(std::string_view name) const {
  const std::scoped_lock lock(variables_mutex_);
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::nullopt : std::optional(found->second);
}

bool State::set_variable(std::string_view name, Value value) {
  if (name.size() > name_bytes_max || value.text.size() > variable_bytes_max) return false;
  const std::scoped_lock lock(variables_mutex_);
  const auto found = variables_.find(name);
  if (found != variables_.end()) {
    found->second = std::move(value);
    return true;
  }
  if (variables_.size() >= variables_max) return false;
  variables_.emplace(std::string(name), std::move(value));
  return true;
}

std::vector<std::pair<std::string, Value>> State::variables() const {
  const std::scoped_lock lock(variables_mutex_);
  return {variables_.begin(), variables_.end()};
}

bool State::add(std::string_view counter, std::int64_t amount) {
  if (counter.size() > name_bytes_max) return false;
  const std::scoped_lock lock(counters_mutex_);
  auto found = counters_.find(counter);
  if (found == counters_.end()) {
    if (counters_.size() >= counters_max) return false;
    found = counters_.emplace(std::string(counter), 0).first;
  }
  // Wraps around instead of overflowing.
  found->second = static_cast<std::int64_t>(static_cast<std::uint64_t>(found->second) + static_cast<std::uint64_t>(amount));
  return true;
}

void State::reset(std::string_view counter) {
  const std::scoped_lock lock(counters_mutex_);
  if (const auto found = counters_.find(counter); found != counters_.end()) found->second = 0;
}

std::optional<std::int64_t> State::counter(std::string_view name) const {
  const std::scoped_lock lock(counters_mutex_);
  const auto found = counters_.find(name);
  return found == counters_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::pair<std::string, std::int64_t>> State::counters() const {
  const std::scoped_lock lock(counters_mutex_);
  return {counters_.begin(), counters_.end()};
}

bool State::set_probability(unsigned percent) {
  if (percent > 100) return false;
  probability_.store(percent, std::memory_order_relaxed);
  return true;
}

namespace {

// Four bytes at a time, the rest as one; bytes are signed, as the original has them on the machines it runs on.
std::uint32_t hash_into(std::uint32_t hash, std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<signed char>(text[i])); };
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    const std::uint32_t word = (byte(i) << 24) + (byte(i + 1) << 16) + (byte(i + 2) << 8) + byte(i + 3);
    hash += word ^ (word >> 3);
  }
  std::uint32_t word = 0;
  for (; i < text.size(); ++i) word = (word << 8) + byte(i);
  return hash + (word ^ (word >> 3));
}

}  // namespace

std::uint32_t core_hash(std::string_view first, std::string_view second, std::uint32_t size) {
  std::uint32_t hash = hash_into(0, first);
  if (!second.empty()) hash = hash_into(hash, second);
  hash = (hash + (hash >> 11)) + ((hash >> 13) + (hash >> 23));
  return size ? hash & (size - 1) : hash;
}

}  // namespace perdure::shared

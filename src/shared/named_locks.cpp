#include "shared/named_locks.hpp"

#include <algorithm>

namespace perdure::shared {

NamedLocks::Taken NamedLocks::take(std::string_view name, Holder& holder, bool wait) {
  if (holder.names_.size() >= held_max) return Taken::TooMany;
  Shard& shard = shard_of(name);
  {
    std::unique_lock guard(shard.mutex);
    const auto is_ours = [&] {
      const auto found = shard.taken.find(name);
      return found == shard.taken.end() || found->second.holder == &holder;
    };
    if (!is_ours() && !(wait && shard.freed.wait_for(guard, patience, is_ours))) {
      if (wait) timeouts_.fetch_add(1, std::memory_order_relaxed);
      return Taken::Busy;
    }
    auto found = shard.taken.find(name);
    if (found == shard.taken.end()) found = shard.taken.emplace(std::string(name), Owner{&holder, 0}).first;
    ++found->second.times;
  }
  holder.locks_ = this;
  holder.names_.emplace_back(name);
  return Taken::Yes;
}

bool NamedLocks::release(std::string_view name, Holder& holder) {
  const auto held = std::find(holder.names_.rbegin(), holder.names_.rend(), name);
  if (held == holder.names_.rend()) return false;
  holder.names_.erase(std::next(held).base());
  free_once(name);
  return true;
}

void NamedLocks::free_once(std::string_view name) {
  Shard& shard = shard_of(name);
  {
    const std::scoped_lock guard(shard.mutex);
    const auto found = shard.taken.find(name);
    if (found == shard.taken.end() || --found->second.times > 0) return;
    shard.taken.erase(found);
  }
  shard.freed.notify_all();
}

void NamedLocks::Holder::release_all() {
  for (const auto& name : names_) locks_->free_once(name);
  names_.clear();
}

}  // namespace perdure::shared

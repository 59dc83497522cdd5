#include "locate/block_list.hpp"

#include <algorithm>

namespace perdure::locate {

void BlockList::block(const Server& server, Time until, Time now) {
  if (until <= now || entries_max_ == 0) return;
  const std::scoped_lock lock(mutex_);
  if (const auto known = std::ranges::find(entries_, server, &Entry::server); known != entries_.end()) {
    known->until = std::max(known->until, until);
    return;
  }
  std::erase_if(entries_, [&](const Entry& entry) { return entry.until <= now; });
  if (entries_.size() >= entries_max_) entries_.erase(std::ranges::min_element(entries_, {}, &Entry::until));
  entries_.push_back({server, until});
}

bool BlockList::is_blocked(const Server& server, Time now) const {
  const auto known = std::ranges::find(entries_, server, &Entry::server);
  return known != entries_.end() && known->until > now;
}

void BlockList::put_last(std::vector<Server>& servers, Time now) const {
  if (servers.size() < 2) return;
  const std::scoped_lock lock(mutex_);
  if (entries_.empty()) return;
  std::ranges::stable_partition(servers, [&](const Server& server) { return !is_blocked(server, now); });
}

void BlockList::clear() {
  const std::scoped_lock lock(mutex_);
  entries_.clear();
}

std::vector<BlockList::View> BlockList::list(Time now) const {
  const std::scoped_lock lock(mutex_);
  std::vector<View> views;
  for (const Entry& entry : entries_)
    if (entry.until > now) views.push_back({entry.server, entry.until - now});
  return views;
}

}  // namespace perdure::locate

#pragma once
// Servers that have failed of late: they are tried after the others until their time is over (RFC 3263 4.3). Thread-safe, bounded.
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/time.hpp"
#include "locate/servers.hpp"

namespace perdure::locate {

class BlockList {
 public:
  explicit BlockList(std::size_t entries_max = 1000) : entries_max_(entries_max) {}

  // Until then at least: a block that is longer stays. If there are too many, the one that would end first makes room.
  void block(const Server& server, Time until, Time now);
  // Those that are blocked come last; the order among the others, and among them, stays.
  void put_last(std::vector<Server>& servers, Time now) const;
  void clear();

  struct View {
    Server server;
    Duration left{};
  };
  [[nodiscard]] std::vector<View> list(Time now) const;

 private:
  struct Entry {
    Server server;
    Time until;
  };
  [[nodiscard]] bool is_blocked(const Server& server, Time now) const;

  const std::size_t entries_max_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // few: only servers that are down
};

}  // namespace perdure::locate

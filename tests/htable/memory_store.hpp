#pragma once
// A store for tables in memory that outlives it, as the file outlives a process.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "htable/tables.hpp"

namespace perdure::htable {

using Memory = std::vector<std::uint64_t>;

inline std::unique_ptr<store::Store> open_store(Memory& memory, std::int64_t monotonic_us = 0, store::WriteObserver* observer = nullptr,
                                                store::ClockPolicy clock = store::ClockPolicy::Frozen, std::int64_t wall_us = 0) {
  store::Options options;
  options.partitions = 4;
  options.extent_bytes = 4096;
  options.boot_id = 7;
  options.secret = 99;
  options.monotonic_us = monotonic_us;
  options.wall_us = wall_us;
  options.clock = clock;
  options.kinds = Tables::store_kinds();
  auto store = store::Store::attach_memory(reinterpret_cast<char*>(memory.data()), memory.size() * 8, options, observer);
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

inline Time at(Duration since) {
  return Time(since);
}

}  // namespace perdure::htable

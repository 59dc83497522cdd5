#pragma once
// Each counter of an engine with its name and meaning: `status`, `stats.*` and the metrics are made from this table.
#include <span>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"

namespace perdure::app {

struct EngineCounterInfo {
  std::string_view group, name;
  std::uint64_t (*get)(const engine::EngineCounters&);
  std::string_view text;  // what it counts, for operators
};
[[nodiscard]] std::span<const EngineCounterInfo> engine_counters();

struct NamedCounter {
  std::string_view group, name;
  std::uint64_t value = 0;
};
[[nodiscard]] std::vector<NamedCounter> named_counters(const engine::EngineCounters& counters);

// Another number for another table: the memory that counters live in is of one table (metrics::Region::create).
[[nodiscard]] std::uint64_t counters_layout();

}  // namespace perdure::app

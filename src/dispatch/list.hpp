#pragma once
// The destination list in Kamailio's text format: setid uri [flags [priority [attrs]]], '#' begins a comment line.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "dispatch/destination.hpp"

namespace perdure::dispatch {

// Destinations of one number, by descending priority, lines of equal priority in the order of the file.
struct Set {
  std::int32_t id = 0;
  std::vector<Destination> destinations;
  // Algorithm 9: positions in `destinations`, each as often as its weight says; empty if no weights are given.
  std::vector<std::uint16_t> by_weight;
  // Where round robin and weight stand. Positions only, so the set counts as immutable; lost in a restart.
  mutable std::atomic<std::uint32_t> next_round_robin{0}, next_weight{0};
};

struct List {
  std::vector<std::unique_ptr<Set>> sets;  // by ascending id

  [[nodiscard]] const Set* find(std::int32_t id) const;
  // URIs compare without case, as in Kamailio.
  [[nodiscard]] const Destination* find(std::int32_t id, std::string_view uri) const;
  [[nodiscard]] std::size_t size() const;
};

// `name` stands in errors, "name:line: …".
[[nodiscard]] Result<List> parse_list(std::string_view text, std::string_view name);
[[nodiscard]] Result<List> load_list(const std::string& path);

}  // namespace perdure::dispatch

#pragma once
// Columns of text for the terminal.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace perdure::app {

class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  // As many cells as there are titles. Control characters are shown as '?': what peers send must not steer a terminal.
  void add(std::vector<std::string> cells);
  // Titles and rows, columns as wide as their widest cell, one line each.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "3 s", "5 min 12 s", "2 h 3 min", "4 d 1 h"
[[nodiscard]] std::string uptime_text(std::int64_t seconds);
// "512 B", "1.5 KiB", "3.0 MiB"
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// "850 us", "1.2 ms", "2.5 s"
[[nodiscard]] std::string duration_text(std::int64_t microseconds);

}  // namespace perdure::app

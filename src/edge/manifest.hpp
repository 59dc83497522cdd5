#pragma once
// What a program says of itself before it is given a store: its version, and which layouts it writes and reads. Text, a line each:
//   version 0.2.0
//   layout transaction 3 2      writes layout 3, reads 3 and 2
// Lines that begin with another word are for later versions, and skipped.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace perdure::edge {

struct Layout {
  std::string name;
  std::uint32_t writes = 0;
  std::vector<std::uint32_t> reads;  // beside the one that it writes
};

struct Manifest {
  std::string version;
  std::vector<Layout> layouts;

  [[nodiscard]] std::string text() const;
  // Refuses what is no manifest, such as the empty text of a program from before there were any.
  [[nodiscard]] static Result<Manifest> parse(std::string_view text);
  // Whether this program can go on with what `writer` has written. The error says what it lacks.
  [[nodiscard]] Result<> reads_all_of(const Manifest& writer) const;
};

}  // namespace perdure::edge

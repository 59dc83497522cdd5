#pragma once
// A file with the first entries of a table. A line is KEY TYPE:VALUE: type `i` for a number, `s` for a text, which goes on to the end of
// the line. A key with blanks stands in quotes. '#' begins a comment line.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/value.hpp"

namespace perdure::htable {

using Entries = std::vector<std::pair<std::string, Value>>;

// `name` stands in errors, "name:line: …".
[[nodiscard]] Result<Entries> parse_entries(std::string_view text, std::string_view name);
[[nodiscard]] Result<Entries> load_entries(const std::string& path);

}  // namespace perdure::htable

#include "app/options/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace perdure::app {

Result<> check_name(std::string_view name) {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 64 || !std::ranges::all_of(name, is_good))
    return fail(fmt::format("'{}' is not a name of letters, digits, _ and -", name));
  return {};
}

Result<> check_sql_name(std::string_view text, bool optional) {
  if (text.empty() && optional) return {};
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  if (text.empty() || text.size() > 128 || !std::ranges::all_of(text, is_good))
    return fail(fmt::format("\"{}\" is not a name of letters, digits, _ and .", text));
  return {};
}

Result<> set_database_name(std::string& member, std::string_view text) {
  if (auto checked = check_name(text); !checked) return checked;
  member = text;
  return {};
}
Result<> set_table_name(std::string& member, std::string_view text) {
  if (auto checked = check_sql_name(text, false); !checked) return checked;
  member = text;
  return {};
}

}  // namespace perdure::app

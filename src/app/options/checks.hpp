#pragma once
// What the values of several sections are held to.
#include <string>
#include <string_view>

#include "app/config.hpp"

namespace perdure::app {

// Names that can be written in scripts and commands without quotes.
[[nodiscard]] Result<> check_name(std::string_view name);
// A name that goes into a query as it is: of a table or column. May be empty if `optional`.
[[nodiscard]] Result<> check_sql_name(std::string_view text, bool optional = false);

// The name of a [sql.NAME], and of a table in it.
[[nodiscard]] Result<> set_database_name(std::string& member, std::string_view text);
[[nodiscard]] Result<> set_table_name(std::string& member, std::string_view text);

// Where the name of an AVP goes, empty for none.
template <auto member>
Result<> set_avp(Config& config, std::string_view text) {
  if (!text.empty())
    if (auto checked = check_name(text); !checked) return checked;
  member(config) = text;
  return {};
}

}  // namespace perdure::app

// $dbr: what KSR.sqlops.sql_query() got.
#include <fmt/format.h>

#include <charconv>

#include "script/sql_results.hpp"
#include "script/text_template.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;

// "3" to a number; -1: it is none.
std::int64_t index_from(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : -1;
}

V shown(Call& call, const net::SqlValue* value) {
  if (!value) return {};
  if (const auto* number = std::get_if<std::int64_t>(value)) return V::of(*number);
  if (const auto* text = std::get_if<std::string>(value)) return V::of(std::string_view(*text));
  const auto* real = std::get_if<double>(value);
  if (!real) return {};
  call.vm.scratch = fmt::format("{}", *real);
  return V::of(std::string_view(call.vm.scratch));
}

V get(Call& call, const PseudoVariable& variable) {
  auto& argument = call.vm.value_buffers.enter().collected;
  argument.clear();
  variable.text_template->append_to(call, argument);
  call.vm.value_buffers.leave();
  std::string_view text = argument;
  const std::size_t arrow = text.find("=>");
  if (arrow == std::string_view::npos) return {};
  const std::string_view name = text.substr(0, arrow);
  text.remove_prefix(arrow + 2);
  const auto& results = call.run.results;
  const auto* rows = results.find(name);
  if (!rows) return {};
  if (text == "rows") return V::of(static_cast<std::int64_t>(rows->rows.size()));
  if (text == "cols") return V::of(static_cast<std::int64_t>(rows->columns.size()));
  if (!text.ends_with(']')) return {};
  text.remove_suffix(1);
  if (text.starts_with("colname[")) {
    const auto column = index_from(text.substr(8));
    return column >= 0 && std::cmp_less(column, rows->columns.size())
               ? V::of(std::string_view(rows->columns[static_cast<std::size_t>(column)]))
               : V{};
  }
  const std::size_t comma = text.find(',');
  if (!text.starts_with('[') || comma == std::string_view::npos) return {};
  return shown(call, results.value(name, index_from(text.substr(1, comma - 1)), index_from(text.substr(comma + 1))));
}

const VariableClass table[] = {
    {"dbr", VariableArgument::Template,
     "`$dbr(result=>[row,column])`: a value of a result of `sqlops.sql_query`, null if it is null or not there; `$dbr(result=>rows)`, "
     "`$dbr(result=>cols)`, `$dbr(result=>colname[n])`",
     get},
};

}  // namespace

std::span<const VariableClass> sql_variables() {
  return table;
}

}  // namespace perdure::script

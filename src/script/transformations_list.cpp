// {param.…} and {line.…}: lists of parameters and of lines; {re.subst}.
#include <algorithm>

#include "base/case.hpp"
#include "script/param_list.hpp"
#include "script/transformation.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;

V text(std::string_view value) {
  return V::of(value);
}

// The separator is parameter `index` if there is one.
std::optional<ParamList> params_of(Step& step, std::size_t index) {
  if (!step.has_text()) return std::nullopt;
  char separator = ';';
  if (step.count() > index) {
    if (step.parameter(index).size() != 1) return std::nullopt;
    separator = step.parameter(index).front();
  }
  return ParamList(step.input.text, separator);
}

std::optional<ListedParam> find_param(ParamList list, std::string_view name) {
  while (const auto param = list.next())
    if (equals_ignore_case(param->name, name)) return param;
  return std::nullopt;
}

std::int64_t count_params(ParamList list) {
  std::int64_t count = 0;
  while (list.next()) ++count;
  return count;
}

std::optional<ListedParam> param_at(const ParamList& list, std::int64_t index) {
  if (index < 0) index += count_params(list);
  if (index < 0) return std::nullopt;
  ParamList walk = list;
  auto param = walk.next();
  while (param && index-- > 0) param = walk.next();
  return param;
}

V param_value(Step& step) {
  const auto list = params_of(step, 1);
  if (!list) return {};
  const auto param = find_param(*list, step.parameter(0));
  return text(param ? param->value : std::string_view{});
}
V param_in(Step& step) {
  const auto list = params_of(step, 1);
  return list ? V::of(std::int64_t{find_param(*list, step.parameter(0)).has_value()}) : V{};
}
V param_value_at(Step& step) {
  const auto list = params_of(step, 1);
  if (!list) return {};
  const auto param = param_at(*list, step.number(0));
  return text(param ? param->value : std::string_view{});
}
V param_name_at(Step& step) {
  const auto list = params_of(step, 1);
  if (!list) return {};
  const auto param = param_at(*list, step.number(0));
  return text(param ? param->name : std::string_view{});
}
V param_count(Step& step) {
  const auto list = params_of(step, 0);
  return list ? V::of(count_params(*list)) : V{};
}

// ---- lines ----

std::string_view without_cr(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

V line_count(Step& step) {
  if (!step.has_text()) return {};
  const std::string_view value = step.input.text;
  step.put(std::to_string(std::ranges::count(value, '\n') + !value.ends_with('\n')));
  return step.built();
}

V line_at(Step& step) {
  if (!step.has_text()) return {};
  std::string_view value = step.input.text;
  std::int64_t index = step.number(0);
  if (index < 0) {
    if (value.ends_with('\n')) value.remove_suffix(1);
    for (; index < -1; ++index) {
      const std::size_t at = value.rfind('\n');
      if (at == std::string_view::npos) return text({});
      value = value.substr(0, at);
    }
    const std::size_t at = value.rfind('\n');
    return text(without_cr(at == std::string_view::npos ? value : value.substr(at + 1)));
  }
  for (; index > 0; --index) {
    const std::size_t at = value.find('\n');
    if (at == std::string_view::npos) return text({});
    value.remove_prefix(at + 1);
  }
  return text(without_cr(value.substr(0, value.find('\n'))));
}

V line_that_starts(Step& step) {
  if (!step.has_text()) return {};
  std::string_view rest = step.input.text;
  while (!rest.starts_with(step.parameter(0))) {
    const std::size_t at = rest.find('\n');
    if (at == std::string_view::npos) return text({});
    rest.remove_prefix(at + 1);
  }
  return text(without_cr(rest.substr(0, rest.find('\n'))));
}

// ---- {re.subst,/expression/replacement/flags} ----

V substitute(Step& step) {
  const std::string_view value = step.text();
  if (value.size() > transformed_bytes_max) return {};
  const auto& substitution = *static_cast<const Substitution*>(step.transformation.compiled.get());
  std::string replacement;
  std::size_t written = 0;
  const int matches = substitution.run(step.call, value, replacement, [&](std::size_t begin, std::size_t end, std::string_view with) {
    step.put(value.substr(written, begin - written));
    step.put(with);
    written = end;
  });
  if (matches < 0) return {};
  step.put(value.substr(written));
  return step.built();
}

const TransformationClass list_table[] = {
    {"param.value", "s?s", "value of a parameter in a list like `a=1;b=2`, without quotes; the last argument is another separator than ;",
     param_value},
    {"param.in", "s?s", "1 if there is such a parameter, else 0", param_in},
    {"param.valueat", "n?s", "value of the parameter with that index, negative from the last", param_value_at},
    {"param.name", "n?s", "name of the parameter with that index, negative from the last", param_name_at},
    {"param.count", "?s", "number of parameters", param_count},
    {"line.count", "", "number of lines, as text", line_count},
    {"line.at", "n", "the line with that index, negative from the last; empty if there is none", line_at},
    {"line.sw", "s", "the first line that starts with the text; empty if there is none", line_that_starts},
};
const TransformationClass regex_table[] = {
    {"re.subst", "e",
     "`{re.subst,/expression/replacement/flags}`: POSIX extended expression; flags g all matches, i without case, s one line; the "
     "replacement knows \\\\0 to \\\\9, \\\\n, \\\\r, \\\\t and variables",
     substitute},
};

}  // namespace

std::span<const TransformationClass> list_transformations() {
  return list_table;
}
std::span<const TransformationClass> regex_transformations() {
  return regex_table;
}

}  // namespace perdure::script

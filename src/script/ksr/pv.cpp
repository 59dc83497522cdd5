// KSR.pv: pseudo-variables.
#include <charconv>
#include <limits>

#include "script/vm.hpp"

namespace perdure::script {
namespace {

const PseudoVariable* variable(Call& call) {
  std::string error;
  const auto* found = call.vm.pseudo_variable(call.text(0), error);
  if (!found) (void)call.fail(std::move(error));
  return found;
}

std::optional<VariableValue> read(Call& call) {
  const auto* found = variable(call);
  if (!found) return std::nullopt;
  return value_of(call, *found);
}

int give(Call& call, const VariableValue& value) {
  if (value.kind == VariableValue::Kind::Text) return call.give(value.text);
  if (value.kind == VariableValue::Kind::Number) return call.give(value.number);
  return 1;
}

int get(Call& call) {
  const auto value = read(call);
  return value ? give(call, *value) : -1;
}

// `otherwise` stands for null.
int get_or(Call& call, const VariableValue& otherwise) {
  const auto value = read(call);
  if (!value) return -1;
  return give(call, value->kind == VariableValue::Kind::Null ? otherwise : *value);
}

int get_integer(Call& call) {
  const auto value = read(call);
  if (!value) return -1;
  if (value->kind == VariableValue::Kind::Number) return call.give(value->number);
  std::int64_t number = 0;
  if (value->kind == VariableValue::Kind::Text) {
    const auto text = value->text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) number = 0;
  }
  return call.give(number);
}

int set(Call& call, const Value* value) {
  const auto* found = variable(call);
  if (!found) return -1;
  return set_value(call, *found, value) ? 1 : -1;
}

int set_text(Call& call) {
  const Value value = Value::of(call.text(1));
  return set(call, &value);
}
int set_number(Call& call) {
  const Value value = Value::of(call.number(1));
  return set(call, &value);
}

int is_null(Call& call) {
  const auto value = read(call);
  if (!value) return -1;
  return value->kind == VariableValue::Kind::Null ? 1 : -1;
}

constexpr std::string_view unknown = "A variable that is not known is a script error.";

const Function table[] = {
    {"pv", "get", "string name", Returns::Value, routes::any, "The value of a variable: text, number, or nil for null.", unknown, get},
    {"pv", "gete", "string name", Returns::Value, routes::any, "The same, but an empty text for null.", unknown,
     [](Call& call) { return get_or(call, VariableValue::of(std::string_view{})); }},
    {"pv", "getw", "string name", Returns::Value, routes::any, "The same, but `<null>` for null.", unknown,
     [](Call& call) { return get_or(call, VariableValue::of(std::string_view("<null>"))); }},
    {"pv", "geti", "string name", Returns::Value, routes::any, "The value as a number, 0 for null or a text that is no number.", unknown,
     get_integer},
    {"pv", "getvn", "string name, int otherwise", Returns::Value, routes::any, "The value, a number of yours for null.", unknown,
     [](Call& call) { return get_or(call, VariableValue::of(call.number(1))); }},
    {"pv", "getvs", "string name, string otherwise", Returns::Value, routes::any, "The value, a text of yours for null.", unknown,
     [](Call& call) { return get_or(call, VariableValue::of(call.text(1))); }},
    {"pv", "sets", "string name, string value", Returns::Boolean, routes::any, "Sets a variable to a text.",
     "A variable that cannot be set is a script error.", set_text},
    {"pv", "seti", "string name, int value", Returns::Boolean, routes::any, "Sets a variable to a number.",
     "A variable that cannot be set is a script error.", set_number},
    {"pv", "unset", "string name", Returns::Boolean, routes::any, "Sets a variable to null.",
     "A variable that cannot be set is a script error.", [](Call& call) { return set(call, nullptr); }},
    {"pv", "is_null", "string name", Returns::Boolean, routes::any, "The variable is null.", unknown, is_null},
};

}  // namespace

std::span<const Function> pv_functions() {
  return table;
}

}  // namespace perdure::script

// Reads and writes of variables: names and indexes that are variables themselves, then the transformations one by one.
#include <charconv>
#include <functional>

#include "base/assert.hpp"
#include "script/pseudo_variable.hpp"
#include "script/transformation.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

constexpr std::size_t parameters_max = 4;

bool lies_in(std::string_view text, const std::string& buffer) {
  const std::less_equal<const char*> before;
  return before(buffer.data(), text.data()) && before(text.data() + text.size(), buffer.data() + buffer.size());
}

std::optional<std::int64_t> number_from(const VariableValue& value) {
  if (value.is_number()) return value.number;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  if (value.is_null() || error != std::errc{} || end != value.text.data() + value.text.size()) return std::nullopt;
  return number;
}

bool is_dynamic(const PseudoVariable& variable) {
  return (variable.argument_variable && variable.variable_class->argument == VariableArgument::Name) || variable.index.variable ||
         variable.field_index.variable;
}

bool resolve_index(Call& call, const VariableIndex& from, VariableIndex& to) {
  to.number = from.number;
  to.given = from.given;
  to.all = from.all;
  if (!from.variable) return true;
  const auto number = number_from(value_of(call, *from.variable));
  if (!number || *number < -100'000 || *number > 100'000) return false;
  to.number = static_cast<int>(*number);
  return true;
}

// The variable with the name and index that other variables give; null: they give none.
const PseudoVariable* resolve(Call& call, const PseudoVariable& variable, ValueBuffers::Frame& frame) {
  if (!is_dynamic(variable)) return &variable;
  auto& resolved = frame.resolved;
  resolved.variable_class = variable.variable_class;
  resolved.keyword = variable.keyword;
  resolved.argument = variable.argument;
  resolved.field = variable.field;
  if (variable.argument_variable) {
    resolved.argument.clear();
    append_value(resolved.argument, value_of(call, *variable.argument_variable));
    if (resolved.argument.empty()) return nullptr;
  }
  const bool found = resolve_index(call, variable.index, resolved.index) && resolve_index(call, variable.field_index, resolved.field_index);
  return found ? &resolved : nullptr;
}

// False: a parameter that is a variable has no fit value, so the transformation gives null.
bool read_parameters(Call& call, const Transformation& transformation, ValueBuffers::Frame& frame, VariableValue (&out)[parameters_max]) {
  for (std::size_t i = 0; i < transformation.parameters.size(); ++i) {
    const auto& parameter = transformation.parameters[i];
    out[i] = VariableValue{VariableValue::Kind::Text, parameter.text, parameter.number};
    if (!parameter.variable) continue;
    const auto value = value_of(call, *parameter.variable);
    if (value.is_null()) return false;
    frame.parameters[i].clear();
    append_value(frame.parameters[i], value);
    const auto number = number_from(value);
    out[i] = VariableValue{VariableValue::Kind::Text, frame.parameters[i], number.value_or(0)};
    const auto& specification = transformation.transformation_class->parameters;
    const bool wants_number = specification[i + (specification.find('?') <= i)] == 'n';
    if (wants_number ? !number : frame.parameters[i].empty()) return false;
  }
  return true;
}

VariableValue transform(Call& call, const PseudoVariable& variable, VariableValue value, ValueBuffers::Frame& frame) {
  std::size_t current = 0;
  frame.text[0].assign(value.text);
  value.text = frame.text[0];
  for (const auto& transformation : variable.transformations) {
    if (value.is_null() && !transformation.transformation_class->takes_null) return {};
    VariableValue parameters[parameters_max];
    if (!read_parameters(call, transformation, frame, parameters)) return {};
    std::string& out = frame.text[1 - current];
    out.clear();
    Step step(call, transformation, value, {parameters, transformation.parameters.size()}, out);
    value = transformation.transformation_class->apply(step);
    if (value.kind != VariableValue::Kind::Text) continue;
    if (value.text.size() > transformed_bytes_max) return {};
    if (lies_in(value.text, frame.text[current])) continue;
    if (!lies_in(value.text, out)) {
      out.assign(value.text);
      value.text = out;
    }
    current = 1 - current;
  }
  return value;
}

}  // namespace

void append_value(std::string& out, const VariableValue& value) {
  if (value.is_number()) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value.number).ptr);
  } else {
    out += value.text;
  }
}

VariableValue value_of(Call& call, const PseudoVariable& variable) {
  if (variable.transformations.empty() && !is_dynamic(variable)) return variable.variable_class->get(call, variable);
  auto& buffers = call.vm.value_buffers;
  auto& frame = buffers.enter();
  const auto* resolved = resolve(call, variable, frame);
  VariableValue value = resolved ? variable.variable_class->get(call, *resolved) : VariableValue{};
  if (!variable.transformations.empty()) value = transform(call, variable, value, frame);
  buffers.leave();
  return value;
}

bool set_value(Call& call, const PseudoVariable& variable, const Value* value) {
  if (!variable.variable_class->set || !variable.transformations.empty()) {
    (void)call.fail("$" + std::string(variable.variable_class->name) + " cannot be set" +
                    (variable.transformations.empty() ? "" : " through a transformation"));
    return false;
  }
  auto& buffers = call.vm.value_buffers;
  const auto* resolved = resolve(call, variable, buffers.enter());
  if (!resolved) (void)call.fail("the variable that names it has no value");
  const bool done = resolved && variable.variable_class->set(call, *resolved, value);
  buffers.leave();
  return done;
}

ValueBuffers::ValueBuffers() = default;
ValueBuffers::~ValueBuffers() = default;

ValueBuffers::Frame& ValueBuffers::enter() {
  if (depth_ == frames_.size()) {
    frames_.push_back(std::make_unique<Frame>());
    frames_.back()->parameters.resize(parameters_max);
  }
  return *frames_[depth_++];
}

}  // namespace perdure::script

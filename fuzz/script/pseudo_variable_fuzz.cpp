// A pseudo-variable of any text is refused with a reason, or is the same when it is written out and parsed again.
#include <string>

#include "fuzz/input.hpp"
#include "script/pseudo_variable.hpp"

namespace {

using perdure::fuzz::expect;
using perdure::script::PseudoVariable;

std::string write(const PseudoVariable& variable) {
  const std::string name(variable.variable_class->name);
  if (!variable.variable_class->has_argument) return "$(" + name + ")";
  const std::string index = variable.all ? "[*]" : variable.has_index ? "[" + std::to_string(variable.index) + "]" : "";
  if (name == "xavp" && !variable.field.empty()) return "$xavp(" + variable.argument + index + "=>" + variable.field + ")";
  // With the prefix that $avp() takes off.
  return "$(" + name + "(" + (name == "avp" ? "s:" : "") + variable.argument + ")" + index + ")";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto variable = PseudoVariable::parse(text);
  if (!variable) {
    expect(variable.error().message.size() > text.size() + 2, "refused without a reason");
    return 0;
  }
  expect(variable->variable_class != nullptr, "a variable of no class");
  expect(variable->variable_class->has_argument != variable->argument.empty(), "a name is missing, or there is one too many");
  const auto again = PseudoVariable::parse(write(*variable));
  expect(again.has_value(), "a variable is refused when it is written out");
  expect(again->variable_class == variable->variable_class && again->argument == variable->argument && again->field == variable->field &&
             again->index == variable->index && again->has_index == variable->has_index && again->all == variable->all,
         "a variable is another when it is written out");
  return 0;
}

#pragma once
// Kamailio's pseudo-variables, "$ru" or "$(avp(name)[1])": parsed once, then read and written through the run.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "script/variables.hpp"

namespace perdure::script {

class Call;
struct PseudoVariable;

// What a variable has; a text lives until the next call of a KSR function.
struct VariableValue {
  enum class Kind : std::uint8_t { Null, Text, Number };
  Kind kind = Kind::Null;
  std::string_view text;
  std::int64_t number = 0;

  static VariableValue of(std::string_view text) { return {Kind::Text, text, 0}; }
  static VariableValue of(std::int64_t number) { return {Kind::Number, {}, number}; }
};

// One row of the table of variables.
struct VariableClass {
  std::string_view name;  // "ru", or "hdr" for $hdr(name)
  bool has_argument = false;
  std::string_view text;  // for the reference
  VariableValue (*get)(Call& call, const PseudoVariable& variable) = nullptr;
  // Null: cannot be set. `value` null: unset. False after call.fail().
  bool (*set)(Call& call, const PseudoVariable& variable, const Value* value) = nullptr;
};
[[nodiscard]] std::span<const VariableClass> variable_classes();

struct PseudoVariable {
  const VariableClass* variable_class = nullptr;
  std::string argument;  // name of header, AVP, XAVP, script variable
  std::string field;     // $xavp(name=>field)
  int index = 0;
  bool has_index = false, all = false;  // [n], [*]

  // "$ru", "$(ru)", "$avp(x)", "$(avp(x)[1])", "$xavp(a[0]=>b)".
  [[nodiscard]] static Result<PseudoVariable> parse(std::string_view text);
};

}  // namespace perdure::script

#pragma once
// Kamailio's pseudo-variables, "$ru" or "$(hdr(Contact)[1]{nameaddr.uri}{uri.host})": compiled once, then read and written through the run.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "script/variables.hpp"

namespace perdure::script {

class Call;
class TextTemplate;
struct PseudoVariable;
struct TransformationClass;

// A longer result of a transformation is null: what a hostile message makes of a text stays small.
inline constexpr std::size_t transformed_bytes_max = 65535;

// What a variable has; a text lives until the next call of a KSR function.
struct VariableValue {
  enum class Kind : std::uint8_t { Null, Text, Number };
  Kind kind = Kind::Null;
  std::string_view text;
  std::int64_t number = 0;

  static VariableValue of(std::string_view text) { return {Kind::Text, text, 0}; }
  static VariableValue of(std::int64_t number) { return {Kind::Number, {}, number}; }
  [[nodiscard]] bool is_null() const { return kind == Kind::Null; }
  [[nodiscard]] bool is_number() const { return kind == Kind::Number; }
};
// Appends a text, or a number in digits; nothing for null.
void append_value(std::string& out, const VariableValue& value);

// What stands in the parentheses behind the name.
enum class VariableArgument : std::uint8_t {
  None,
  Name,      // of a header, AVP, script variable; itself a variable: $hdr($var(x))
  Field,     // name, name=>field, name[1]=>field[2]
  Keyword,   // one of `keywords`
  Text,      // as it stands
  Template,  // with variables in it
  Variable,  // a variable
};

// One row of the table of variables.
struct VariableClass {
  std::string_view name;  // "ru", or "hdr" for $hdr(name)
  VariableArgument argument = VariableArgument::None;
  std::string_view text;  // for the reference
  VariableValue (*get)(Call& call, const PseudoVariable& variable) = nullptr;
  // Null: cannot be set. `value` null: unset. False after call.fail().
  bool (*set)(Call& call, const PseudoVariable& variable, const Value* value) = nullptr;
  bool has_index = false;          // $(name(x)[n])
  std::string_view keywords = {};  // "sec min hour"
};

// The tables, a file each, and the row of a name; null: there is none.
[[nodiscard]] std::span<const VariableClass> uri_variables();
[[nodiscard]] std::span<const VariableClass> message_variables();
[[nodiscard]] std::span<const VariableClass> network_variables();
[[nodiscard]] std::span<const VariableClass> transaction_variables();
[[nodiscard]] std::span<const VariableClass> stored_variables();
[[nodiscard]] std::span<const VariableClass> time_variables();
[[nodiscard]] std::span<const VariableClass> sql_variables();
[[nodiscard]] std::span<const VariableClass> service_variables();
[[nodiscard]] std::span<const VariableClass> shared_variables();
[[nodiscard]] std::span<const std::span<const VariableClass>> variable_tables();
[[nodiscard]] const VariableClass* find_variable_class(std::string_view name);

// [n], [-n], [*] or [$var(n)].
struct VariableIndex {
  int number = 0;
  bool given = false, all = false;
  std::unique_ptr<PseudoVariable> variable;
};

// A parameter of a transformation.
struct TransformationParameter {
  std::string text;
  std::int64_t number = 0;
  std::unique_ptr<PseudoVariable> variable;
};

// {class.name,parameter,…}
struct Transformation {
  const TransformationClass* transformation_class = nullptr;
  std::vector<TransformationParameter> parameters;
  std::shared_ptr<const void> compiled;  // what the class made of them
};

struct PseudoVariable {
  const VariableClass* variable_class = nullptr;
  std::string argument;  // name of header, AVP, XAVP, script variable
  std::string field;     // $xavp(name=>field)
  int keyword = 0;       // index in the class's keywords
  VariableIndex index, field_index;
  std::unique_ptr<PseudoVariable> argument_variable;  // $hdr($var(x)), $cnt($avp(x))
  std::unique_ptr<TextTemplate> text_template;
  std::vector<Transformation> transformations;

  PseudoVariable();
  PseudoVariable(PseudoVariable&&) noexcept;
  PseudoVariable& operator=(PseudoVariable&&) noexcept;
  ~PseudoVariable();

  // The whole of `text`.
  [[nodiscard]] static Result<PseudoVariable> parse(std::string_view text);
  // The variable at the front of `text`, which is left with what follows it. `depth`: how many variables this one stands in.
  [[nodiscard]] static Result<PseudoVariable> take(std::string_view& text, unsigned depth = 0);
};

// Reads a variable: its value with the transformations applied.
[[nodiscard]] VariableValue value_of(Call& call, const PseudoVariable& variable);
// False after call.fail(). `value` null: unset.
bool set_value(Call& call, const PseudoVariable& variable, const Value* value);

// Buffers of the variables being read: a variable in a parameter of another's transformation has its own. They keep their capacity.
class ValueBuffers {
 public:
  struct Frame {
    std::string text[2];  // the value before and after a transformation
    std::vector<std::string> parameters;
    PseudoVariable resolved;  // with the name and index that variables gave
    std::string collected;    // what a template or a list makes
  };
  ValueBuffers();
  ~ValueBuffers();
  Frame& enter();
  void leave() { --depth_; }

 private:
  std::vector<std::unique_ptr<Frame>> frames_;
  std::size_t depth_ = 0;
};

}  // namespace perdure::script

#include "script/pseudo_variable.hpp"

#include <charconv>

#include "script/text_template.hpp"
#include "script/transformation.hpp"

namespace perdure::script {
namespace {

// Variables in variables in variables: enough for any script, and an end to what a text can demand.
constexpr unsigned depth_max = 4;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
std::size_t name_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_name_character(text[length])) ++length;
  return length;
}

// The length of "(…)" at the front of `text`; npos if it does not end.
std::size_t parentheses_length(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

bool is_argument(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || std::string_view("()[]{}=>$\"").find(c) != std::string_view::npos) return false;
  return true;
}

// One variable of a text. The error is what is wrong with it, to follow its text.
class Reader {
 public:
  Reader(std::string_view text, unsigned depth) : text_(text), depth_(depth) {}
  Result<PseudoVariable> read();
  [[nodiscard]] std::string_view rest() const { return text_; }

 private:
  bool refuse(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return false;
  }
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool read_body(bool parenthesised);
  bool read_argument();
  bool read_field(std::string_view argument);
  bool read_keyword(std::string_view argument);
  bool read_index(std::string_view text, VariableIndex& index);
  bool take_index(std::string_view& text, VariableIndex& index);
  bool read_nested(std::string_view text, std::unique_ptr<PseudoVariable>& out);

  std::string_view text_;
  const unsigned depth_;
  PseudoVariable variable_;
  std::string error_;
};

Result<PseudoVariable> Reader::read() {
  if (depth_ > depth_max) {
    refuse("stands in too many others");
  } else if (!take('$')) {
    refuse("is no variable");
  } else if (take('(')) {
    if (read_body(true)) {
      while (take(' ')) {
      }
      if (!take(')')) refuse("is no variable");
    }
  } else {
    read_body(false);
  }
  if (!error_.empty()) return fail(error_);
  return std::move(variable_);
}

bool Reader::read_body(bool parenthesised) {
  const std::string_view name = text_.substr(0, name_length(text_));
  if (name.empty()) return refuse("is no variable");
  variable_.variable_class = find_variable_class(name);
  if (!variable_.variable_class) return refuse("is not known");
  text_.remove_prefix(name.size());
  if (!read_argument()) return false;
  if (!parenthesised) return true;
  if (text_.starts_with('[')) {
    if (!variable_.variable_class->has_index) return refuse("takes no index");
    if (!take_index(text_, variable_.index)) return refuse("has a bad index");
  }
  while (text_.starts_with('{')) {
    auto transformation = take_transformation(text_, depth_);
    if (!transformation) return refuse(transformation.error().message);
    variable_.transformations.push_back(std::move(*transformation));
  }
  return true;
}

bool Reader::read_argument() {
  const auto kind = variable_.variable_class->argument;
  if (!text_.starts_with('(')) return kind == VariableArgument::None || refuse("needs a name in parentheses");
  if (kind == VariableArgument::None) return refuse("takes no name");
  const std::size_t length = parentheses_length(text_);
  if (length == std::string_view::npos) return refuse("is no variable");
  std::string_view argument = text_.substr(1, length - 2);
  text_.remove_prefix(length);
  switch (kind) {
    case VariableArgument::None:
      return false;
    case VariableArgument::Field:
      return read_field(argument);
    case VariableArgument::Keyword:
      return read_keyword(argument);
    case VariableArgument::Variable:
      return read_nested(argument, variable_.argument_variable);
    case VariableArgument::Text:
      variable_.argument = argument;
      return !argument.empty() || refuse("has a bad name");
    case VariableArgument::Template: {
      auto parsed = TextTemplate::parse(argument, depth_ + 1);
      if (!parsed) return refuse("has a bad text: " + parsed.error().message);
      variable_.argument = argument;
      variable_.text_template = std::make_unique<TextTemplate>(std::move(*parsed));
      return !argument.empty() || refuse("has a bad name");
    }
    case VariableArgument::Name:
      break;
  }
  if (argument.starts_with('$')) return read_nested(argument, variable_.argument_variable);
  // $avp(s:name) and $avp(i:5) are old ways to write $avp(name).
  if (variable_.variable_class->name == "avp" && (argument.starts_with("s:") || argument.starts_with("i:"))) argument.remove_prefix(2);
  if (!is_argument(argument)) return refuse("has a bad name");
  variable_.argument = argument;
  return true;
}

// "name", "name=>field", "name[1]=>field[2]".
bool Reader::read_field(std::string_view argument) {
  const std::size_t name_end = argument.find_first_of("[=");
  variable_.argument = argument.substr(0, name_end);
  if (!is_argument(variable_.argument)) return refuse("has a bad name");
  argument.remove_prefix(variable_.argument.size());
  if (argument.starts_with('[') && !take_index(argument, variable_.index)) return refuse("has a bad index");
  if (argument.empty()) return true;
  if (!argument.starts_with("=>")) return refuse("has a bad field");
  argument.remove_prefix(2);
  variable_.field = argument.substr(0, argument.find('['));
  if (!is_argument(variable_.field)) return refuse("has a bad field");
  argument.remove_prefix(variable_.field.size());
  if (argument.starts_with('[') && !take_index(argument, variable_.field_index)) return refuse("has a bad index");
  return argument.empty() || refuse("has a bad field");
}

bool Reader::read_keyword(std::string_view argument) {
  std::string_view rest = variable_.variable_class->keywords;
  for (variable_.keyword = 0; !rest.empty(); ++variable_.keyword) {
    const std::size_t space = rest.find(' ');
    if (rest.substr(0, space) == argument) {
      variable_.argument = argument;
      return true;
    }
    rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
  }
  return refuse("is not known, it takes one of: " + std::string(variable_.variable_class->keywords));
}

// "[…]" off the front.
bool Reader::take_index(std::string_view& text, VariableIndex& index) {
  int depth = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (text[end] == '[') ++depth;
    if (text[end] == ']' && --depth == 0) break;
  }
  if (end == text.size() || index.given) return false;
  const std::string_view inside = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return read_index(inside, index);
}

bool Reader::read_index(std::string_view text, VariableIndex& index) {
  index.given = true;
  if (text == "*") return index.all = true;
  if (text.starts_with('$')) return read_nested(text, index.variable);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index.number);
  return error == std::errc{} && end == text.data() + text.size() && index.number > -100'000 && index.number < 100'000;
}

bool Reader::read_nested(std::string_view text, std::unique_ptr<PseudoVariable>& out) {
  std::string_view rest = text;
  auto nested = PseudoVariable::take(rest, depth_ + 1);
  if (!nested) return refuse("has a bad name: " + nested.error().message);
  if (!rest.empty()) return refuse("has a bad name");
  out = std::make_unique<PseudoVariable>(std::move(*nested));
  return true;
}

// What to quote in an error: the variable as far as one can tell.
std::string_view quoted(std::string_view text) {
  if (!text.starts_with('$')) return text;
  const std::size_t name = 1 + name_length(text.substr(1));
  if (name == text.size() || text[name] != '(') return text.substr(0, name);
  const std::size_t inside = parentheses_length(text.substr(name));
  return inside == std::string_view::npos ? text : text.substr(0, name + inside);
}

}  // namespace

PseudoVariable::PseudoVariable() = default;
PseudoVariable::PseudoVariable(PseudoVariable&&) noexcept = default;
PseudoVariable& PseudoVariable::operator=(PseudoVariable&&) noexcept = default;
PseudoVariable::~PseudoVariable() = default;

Result<PseudoVariable> PseudoVariable::take(std::string_view& text, unsigned depth) {
  Reader reader(text, depth);
  auto variable = reader.read();
  if (!variable) return fail("\"" + std::string(quoted(text)) + "\" " + variable.error().message);
  text = reader.rest();
  return variable;
}

Result<PseudoVariable> PseudoVariable::parse(std::string_view text) {
  Reader reader(text, 0);
  auto variable = reader.read();
  if (!variable) return fail("\"" + std::string(text) + "\" " + variable.error().message);
  if (!reader.rest().empty()) return fail("\"" + std::string(text) + "\" is no variable");
  return variable;
}

const VariableClass* find_variable_class(std::string_view name) {
  for (const auto& table : variable_tables())
    for (const auto& one : table)
      if (one.name == name) return &one;
  return nullptr;
}

std::span<const std::span<const VariableClass>> variable_tables() {
  static const std::span<const VariableClass> tables[] = {uri_variables(),         message_variables(), network_variables(),
                                                          transaction_variables(), stored_variables(),  time_variables(),
                                                          sql_variables(),         service_variables(), shared_variables()};
  return tables;
}

}  // namespace perdure::script

#include "script/pseudo_variable.hpp"

#include <charconv>

namespace perdure::script {
namespace {

bool is_name(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_') return false;
  return true;
}

// Takes "[1]", "[-1]" or "[*]" off the end.
bool take_index(std::string_view& text, PseudoVariable& variable) {
  if (!text.ends_with(']')) return true;
  const std::size_t open = text.rfind('[');
  if (open == std::string_view::npos) return false;
  const std::string_view index = text.substr(open + 1, text.size() - open - 2);
  text = text.substr(0, open);
  variable.has_index = true;
  if (index == "*") {
    variable.all = true;
    return true;
  }
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), variable.index);
  return error == std::errc{} && end == index.data() + index.size();
}

bool is_argument(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || std::string_view("()[]{}=>$\"").find(c) != std::string_view::npos) return false;
  return true;
}

}  // namespace

Result<PseudoVariable> PseudoVariable::parse(std::string_view text) {
  const auto bad = [whole = std::string(text)](std::string_view why) { return fail("\"" + whole + "\" " + std::string(why)); };
  if (!text.starts_with('$') || text.size() < 2) return bad("is no variable");
  if (text.find('{') != std::string_view::npos) return bad("has a transformation; use the functions of Lua");
  text.remove_prefix(1);
  PseudoVariable variable;
  if (text.starts_with('(')) {
    if (!text.ends_with(')')) return bad("is no variable");
    text = text.substr(1, text.size() - 2);
    if (!take_index(text, variable)) return bad("has a bad index");
  }
  const std::size_t open = text.find('(');
  const std::string_view name = text.substr(0, open);
  if (!is_name(name)) return bad("is no variable");
  for (const auto& one : variable_classes())
    if (one.name == name) variable.variable_class = &one;
  if (!variable.variable_class) return bad("is not known");
  if (variable.variable_class->has_argument != (open != std::string_view::npos))
    return bad(variable.variable_class->has_argument ? "needs a name in parentheses" : "takes no name");
  if (open == std::string_view::npos) return variable.has_index ? Result<PseudoVariable>(bad("takes no index")) : variable;

  if (!text.ends_with(')')) return bad("is no variable");
  std::string_view argument = text.substr(open + 1, text.size() - open - 2);
  if (name == "xavp") {
    if (const std::size_t arrow = argument.find("=>"); arrow != std::string_view::npos) {
      variable.field = argument.substr(arrow + 2);
      argument = argument.substr(0, arrow);
      if (!is_argument(variable.field)) return bad("has a bad field");
    }
    if (!take_index(argument, variable)) return bad("has a bad index");
  }
  // $avp(s:name) and $avp(i:5) are old ways to write $avp(name).
  if (name == "avp" && (argument.starts_with("s:") || argument.starts_with("i:"))) argument.remove_prefix(2);
  if (!is_argument(argument)) return bad("has a bad name");
  if (variable.has_index && name != "avp" && name != "xavp" && name != "hdr") return bad("takes no index");
  variable.argument = argument;
  return variable;
}

}  // namespace perdure::script

#include "script/transformation.hpp"

#include <charconv>

#include "base/case.hpp"

namespace perdure::script {
namespace {

constexpr std::string_view whitespace = " \t\n";

void skip_whitespace(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(whitespace), text.size()));
}

std::string_view trim(std::string_view text) {
  skip_whitespace(text);
  return text.substr(0, text.find_last_not_of(whitespace) + 1);
}

const TransformationClass* find_transformation(std::string_view name) {
  for (const auto& table : transformation_tables())
    for (const auto& one : table)
      if (equals_ignore_case(one.name, name)) return &one;
  return nullptr;
}

// Each takes its parameter off the front; false: there is none of that kind.

bool take_variable(std::string_view& text, unsigned depth, TransformationParameter& out) {
  auto variable = PseudoVariable::take(text, depth + 1);
  if (!variable) return false;
  out.variable = std::make_unique<PseudoVariable>(std::move(*variable));
  return true;
}

bool take_number(std::string_view& text, unsigned depth, TransformationParameter& out) {
  skip_whitespace(text);
  if (text.starts_with('$')) return take_variable(text, depth, out);
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  skip_whitespace(text);
  return true;
}

bool take_text(std::string_view& text, unsigned depth, bool may_be_comma, TransformationParameter& out) {
  skip_whitespace(text);
  if (text.starts_with('$')) return take_variable(text, depth, out);
  std::size_t length = text.find_first_of(",}\t\n");
  if (length == std::string_view::npos) return false;
  if (may_be_comma && text[length] == ',') ++length;
  out.text = text.substr(0, length);
  text.remove_prefix(length);
  skip_whitespace(text);
  return true;
}

bool take_character(std::string_view& text, TransformationParameter& out) {
  if (text.empty()) return false;
  char c = text.front();
  text.remove_prefix(1);
  if (c == '\\') {
    constexpr std::string_view escapes = "\\nrts", meanings = "\\\n\r\t\1";
    const std::size_t at = text.empty() ? std::string_view::npos : escapes.find(text.front());
    if (at == std::string_view::npos) return false;
    c = meanings[at];
    text.remove_prefix(1);
  }
  out.text = c;
  skip_whitespace(text);
  return true;
}

// The length of "/expression/replacement/flags"; 0: it does not end.
std::size_t expression_length(std::string_view text) {
  if (text.empty()) return 0;
  int delimiters = 1;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (delimiters == 3 && text[i] == '}') return i;
    if (text[i] == '\\')
      ++i;
    else if (text[i] == text.front())
      ++delimiters;
  }
  return 0;
}

}  // namespace

std::span<const std::span<const TransformationClass>> transformation_tables() {
  static const std::span<const TransformationClass> tables[] = {string_transformations(), encoding_transformations(), sip_transformations(),
                                                                list_transformations(), regex_transformations()};
  return tables;
}

Result<Transformation> take_transformation(std::string_view& text, unsigned depth) {
  const std::size_t name_end = text.find_first_of(",}");
  const std::string name(trim(text.substr(1, name_end == std::string_view::npos ? name_end : name_end - 1)));
  Transformation result;
  result.transformation_class = find_transformation(name);
  if (!result.transformation_class || name_end == std::string_view::npos) return fail("has no known transformation {" + name + "}");
  const auto bad = [&] { return fail("has a bad parameter of {" + name + "}"); };
  std::string_view rest = text.substr(name_end);
  bool optional = false;
  for (const char kind : result.transformation_class->parameters) {
    if (kind == '?') {
      optional = true;
      continue;
    }
    if (!rest.starts_with(',')) {
      if (optional) break;
      return fail("has too few parameters of {" + name + "}");
    }
    rest.remove_prefix(1);
    auto& parameter = result.parameters.emplace_back();
    bool taken = false;
    if (kind == 'n') {
      taken = take_number(rest, depth, parameter);
    } else if (kind == 's' || kind == 'm') {
      taken = take_text(rest, depth, kind == 'm', parameter);
    } else if (kind == 'c') {
      taken = take_character(rest, parameter);
    } else {
      skip_whitespace(rest);
      const std::size_t length = expression_length(rest);
      auto substitution = Substitution::compile(rest.substr(0, length), depth + 1);
      if (!substitution) return fail("has a bad parameter of {" + name + "}: " + substitution.error().message);
      result.compiled = *substitution;
      rest.remove_prefix(length);
      taken = true;
    }
    if (!taken) return bad();
  }
  skip_whitespace(rest);
  if (!rest.starts_with('}')) return bad();
  text = rest.substr(1);
  return result;
}

std::string_view Step::text() {
  if (!input.is_number()) return input.text;
  const auto end = std::to_chars(digits_, digits_ + sizeof digits_, input.number).ptr;
  return {digits_, static_cast<std::size_t>(end - digits_)};
}

void Step::put(std::string_view piece) {
  full_ = full_ || out_.size() + piece.size() > transformed_bytes_max;
  if (!full_) out_ += piece;
}

}  // namespace perdure::script

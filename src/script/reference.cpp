// docs/script.md, the part that is made from the tables.
#include <fmt/format.h>

#include <algorithm>

#include "script/ksr/function.hpp"
#include "script/pseudo_variable.hpp"
#include "script/script_runner.hpp"
#include "script/transformation.hpp"

namespace perdure::script {
namespace {

std::string_view returns_text(Returns returns) {
  switch (returns) {
    case Returns::Nothing:
      return "nothing";
    case Returns::Integer:
      return "number";
    case Returns::Boolean:
      return "boolean";
    case Returns::Value:
      return "value";
  }
  return {};
}

std::string routes_text(Routes routes) {
  if ((routes & routes::any) == routes::any) return routes & routes::load ? "everywhere, also while loading" : "everywhere";
  std::string text;
  if ((routes & routes::with_request) == routes::with_request) {
    text = "where the message is a request";
    routes = static_cast<Routes>(routes & ~routes::with_request);
  }
  const std::pair<Routes, std::string_view> names[] = {{routes::request, "request"},
                                                       {routes::branch, "branch"},
                                                       {routes::failure, "failure"},
                                                       {routes::branch_failure, "branch failure"},
                                                       {routes::local, "local request"},
                                                       {routes::event, "event"},
                                                       {routes::on_reply, "transaction's reply"},
                                                       {routes::reply, "reply"}};
  for (const auto& [bit, name] : names)
    if (routes & bit) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::string argument_text(const VariableClass& one) {
  switch (one.argument) {
    case VariableArgument::None:
      return {};
    case VariableArgument::Name:
    case VariableArgument::Field:
      return "(name)";
    case VariableArgument::Keyword: {
      std::string words(one.keywords);
      std::ranges::replace(words, ' ', '/');
      return "(" + words + ")";
    }
    case VariableArgument::Text:
    case VariableArgument::Template:
      return "(text)";
    case VariableArgument::Variable:
      return "($variable)";
  }
  return {};
}

std::string parameters_text(std::string_view parameters) {
  std::string out;
  bool optional = false;
  for (const char kind : parameters) {
    if (kind == '?') {
      optional = true;
      continue;
    }
    const std::string_view word = kind == 'n'   ? "number"
                                  : kind == 'c' ? "character"
                                  : kind == 'e' ? "/expression/replacement/flags"
                                                : "text";
    out += fmt::format(fmt::runtime(optional ? "[,{}]" : ",{}"), word);
  }
  return out;
}

}  // namespace

std::string script_reference() {
  std::string out;
  for (const Module& module : modules()) {
    out += fmt::format("### {}\n\n| function | returns | where | what it does |\n| --- | --- | --- | --- |\n", module.title);
    for (const Function& function : module.functions()) {
      const auto name = module.name.empty() ? std::string(function.name) : fmt::format("{}.{}", module.name, function.name);
      out += fmt::format("| `{}({})` | {} | {} | {}{}{} |\n", name, function.parameters.text, returns_text(function.returns),
                         routes_text(function.routes), function.text, function.difference.empty() ? "" : " *Unlike Kamailio:* ",
                         function.difference);
    }
    out += '\n';
  }
  out += "### Variables\n\n| variable | can be set | what it is |\n| --- | --- | --- |\n";
  for (const auto& table : variable_tables())
    for (const VariableClass& one : table)
      out += fmt::format("| `${}{}` | {} | {} |\n", one.name, argument_text(one), one.set ? "yes" : "no", one.text);
  out += "\n### Transformations\n\n| transformation | what it gives |\n| --- | --- |\n";
  for (const auto& table : transformation_tables())
    for (const TransformationClass& one : table)
      out += fmt::format("| `{{{}{}}}` | {} |\n", one.name, parameters_text(one.parameters), one.text);
  return out;
}

}  // namespace perdure::script

// docs/script.md, the part that is made from the tables.
#include <fmt/format.h>

#include "script/ksr/function.hpp"
#include "script/pseudo_variable.hpp"
#include "script/script_runner.hpp"

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
  const std::pair<Routes, std::string_view> names[] = {{routes::request, "request"},
                                                       {routes::branch, "branch"},
                                                       {routes::failure, "failure"},
                                                       {routes::on_reply, "transaction's reply"},
                                                       {routes::reply, "reply"}};
  for (const auto& [bit, name] : names)
    if (routes & bit) text.append(text.empty() ? "" : ", ").append(name);
  return text;
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
  for (const VariableClass& one : variable_classes())
    out += fmt::format("| `${}{}` | {} | {} |\n", one.name, one.has_argument ? "(name)" : "", one.set ? "yes" : "no", one.text);
  return out;
}

}  // namespace perdure::script

// KSR.mtree: values by the longest prefix.
#include "prefix/tree.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

// Modules and tables have values of their own with the same fields.
Value as_script_value(const perdure::Value& value) {
  return value.is_number ? Value::of(value.number) : Value::of(std::string_view(value.text));
}

constexpr std::string_view value_avp = "tvalue", values_avp = "tvalues";
constexpr std::int64_t mode_all = 2;

// (tree, text, mode)
int match(Call& call) {
  const auto tree = call.vm.routing().trees->find(call.text(0));
  if (!tree) return -1;
  const auto& prefixes = tree->prefixes();
  const std::uint32_t longest = prefixes.longest(call.text(1));
  if (longest == prefix::Index::none) return -1;
  const bool all = call.number(2) == mode_all;
  const std::string_view avp = all ? values_avp : value_avp;
  auto& variables = call.run.variables();
  variables.remove_avps(avp);
  call.run.changed();
  std::vector<std::uint32_t> found{longest};
  while (all && prefixes.shorter(found.back()) != prefix::Index::none) found.push_back(prefixes.shorter(found.back()));
  // What is added last has the index 0: the longest one.
  for (auto number = found.rbegin(); number != found.rend(); ++number)
    if (!variables.push_avp(avp, as_script_value(tree->value(*number)))) return call.fail("no room for the AVP of the value");
  return 1;
}

const Function table[] = {
    {"mtree", "mt_match", "string tree, string text, int mode", Returns::Integer, routes::any,
     "Looks for the longest prefix of the text in the tree `[mtree.NAME]`: its value is in `$avp(tvalue)`, with mode 2 those of all its "
     "prefixes in `$avp(tvalues)`, the longest with index 0. -1: there is none.",
     "The names of the AVPs are fixed.", match},
};

}  // namespace

std::span<const Function> mtree_functions() {
  return table;
}

}  // namespace perdure::script

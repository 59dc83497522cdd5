// Variables that the script sets: those of the transaction and those of the worker.
#include <cstdlib>

#include "script/text_template.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;

V stored(const Value* value) {
  if (!value) return {};
  return value->is_number ? V::of(value->number) : V::of(std::string_view(value->text));
}

bool refuse(Call& call, std::string why) {
  (void)call.fail(std::move(why));
  return false;
}
bool full(Call& call) {
  return refuse(call, "too many variables: a transaction keeps " + std::to_string(variables_max) + ", " +
                          std::to_string(variables_bytes_max) + " bytes in all");
}

// ---- AVPs ----

V get_avp(Call& call, P variable) {
  const auto& variables = call.run.variables();
  if (!variable.index.all) return stored(variables.avp(variable.argument, variable.index.number));
  std::string& all = call.vm.scratch;
  all.clear();
  int index = 0;
  for (const Value* value = variables.avp(variable.argument, 0); value; value = variables.avp(variable.argument, ++index)) {
    if (index > 0) all += ", ";
    append_value(all, stored(value));
  }
  return index == 0 ? V{} : V::of(all);
}
// $avp(a) = value adds one in front, $(avp(a)[*]) = value replaces all.
bool set_avp(Call& call, P variable, const Value* value) {
  auto& variables = call.run.variables();
  if (variable.index.all)
    variables.remove_avps(variable.argument);
  else if (!value || variable.index.given)
    variables.remove_avp(variable.argument, variable.index.number);
  call.run.changed();
  return !value || variables.push_avp(variable.argument, *value) || full(call);
}

// ---- XAVPs and their kin ----

template <Tree tree>
V get_xavp(Call& call, P variable) {
  const auto* found = call.run.variables().xavp(tree, variable.argument, variable.index.number);
  if (!found) return {};
  if (!variable.field.empty()) return stored(found->field(variable.field, variable.field_index.number));
  return found->value ? stored(&*found->value) : V::of(std::string_view("<<xavp>>"));
}

bool unset_xavp(Variables& variables, Tree tree, P variable) {
  const int index = variable.index.number;
  if (variable.field.empty()) {
    if (variable.index.all)
      variables.remove_xavps(tree, variable.argument);
    else
      variables.remove_xavp(tree, variable.argument, index);
  } else if (variable.field_index.all) {
    variables.remove_fields(tree, variable.argument, index, variable.field);
  } else {
    variables.remove_field(tree, variable.argument, index, variable.field, variable.field_index.number);
  }
  return true;
}

// As in Kamailio: without an index a new one in front; with an index of the root the field gets another value in front; with an index of
// the field, too, that value is replaced; [*] replaces all.
bool set_new_xavp(Call& call, Tree tree, P variable, const Value& value) {
  auto& variables = call.run.variables();
  if (variable.index.all) variables.remove_xavps(tree, variable.argument);
  Xavp one{tree, variable.argument, std::nullopt, {}};
  if (variable.field.empty())
    one.value = value;
  else
    one.fields.emplace_back(variable.field, value);
  return variables.push_xavp(std::move(one)) || full(call);
}

template <Tree tree>
bool set_xavp(Call& call, P variable, const Value* value) {
  auto& variables = call.run.variables();
  call.run.changed();
  if (!value) return unset_xavp(variables, tree, variable);
  if (tree == Tree::Xavu && !variable.field.empty())
    return variables.set_child(tree, variable.argument, variable.field, *value) || full(call);
  if (tree == Tree::Xavu || !variable.index.given || variable.index.all) return set_new_xavp(call, tree, variable, *value);
  const int index = variable.index.number;
  const auto* found = variables.xavp(tree, variable.argument, index);
  if (!found) return refuse(call, "there is no XAVP with that index");
  if (variable.field.empty()) return variables.set_xavp(tree, variable.argument, index, *value) || full(call);
  if (found->value) return refuse(call, "that XAVP is a value and has no fields");
  if (variable.field_index.given && !variable.field_index.all) {
    if (!found->field(variable.field, variable.field_index.number)) return refuse(call, "there is no field with that index");
    return variables.set_field(tree, variable.argument, index, variable.field, variable.field_index.number, *value) || full(call);
  }
  if (variable.field_index.all) variables.remove_fields(tree, variable.argument, index, variable.field);
  return variables.push_field(tree, variable.argument, index, variable.field, *value) || full(call);
}

// ---- the worker's ----

V get_var(Call& call, P variable) {
  const auto found = call.vm.script_variables.find(variable.argument);
  return found == call.vm.script_variables.end() ? V::of(std::int64_t{0}) : stored(&found->second);
}
V get_null_var(Call& call, P variable) {
  const auto found = call.vm.script_variables.find(variable.argument);
  return found == call.vm.script_variables.end() ? V{} : stored(&found->second);
}
bool set_var(Call& call, P variable, const Value* value) {
  auto& all = call.vm.script_variables;
  if (!value) {
    all.erase(variable.argument);
    return true;
  }
  return call.vm.set_script_variable(variable.argument, *value) ||
         refuse(call, "more than " + std::to_string(script_variables_max) + " script variables");
}

// ---- others ----

V count(Call& call, P variable) {
  const auto& counted = *variable.argument_variable;
  const std::string_view name = counted.variable_class->name;
  const auto& variables = call.run.variables();
  if (name == "avp") return V::of(static_cast<std::int64_t>(variables.avp_count(counted.argument)));
  if (name == "xavp") return V::of(static_cast<std::int64_t>(variables.xavp_count(Tree::Xavp, counted.argument)));
  return V::of(std::int64_t{!value_of(call, counted).is_null()});
}

V expand(Call& call, P variable) {
  auto& collected = call.vm.value_buffers.enter().collected;
  collected.clear();
  variable.text_template->append_to(call, collected);
  call.vm.value_buffers.leave();
  return V::of(collected);
}

V environment(Call&, P variable) {
  const char* text = std::getenv(variable.argument.c_str());
  return text ? V::of(std::string_view(text)) : V{};
}

const VariableClass table[] = {
    {"avp", VariableArgument::Name,
     "`$avp(name)`: variable of the transaction, survives restarts; setting adds a value in front of the others; `$(avp(name)[n])`, "
     "`[*]` all",
     get_avp, set_avp, true},
    {"xavp", VariableArgument::Field,
     "`$xavp(name)`, `$xavp(name=>field)`, `$xavp(name[1]=>field[0])`: structured variable of the transaction, survives restarts; setting "
     "without an index adds one in front, `$xavp(name[0]=>field)` adds a field to the first, `[*]` replaces all",
     get_xavp<Tree::Xavp>, set_xavp<Tree::Xavp>},
    {"xavu", VariableArgument::Field, "`$xavu(name)`, `$xavu(name=>field)`: the same with one value of each name and field",
     get_xavp<Tree::Xavu>, set_xavp<Tree::Xavu>},
    {"xavi", VariableArgument::Field, "the same as `$xavp`, but names are the same in upper and lower case", get_xavp<Tree::Xavi>,
     set_xavp<Tree::Xavi>},
    {"var", VariableArgument::Name, "`$var(name)`: variable of this worker, 0 until it is set, kept from message to message until a reload",
     get_var, set_var},
    {"vn", VariableArgument::Name, "the same as `$var`, but null until it is set", get_null_var, set_var},
    {"cnt", VariableArgument::Variable, "`$cnt($avp(name))`: how many values an AVP or XAVP has", count},
    {"_s", VariableArgument::Template, "`$_s(text)`: the text with the variables in it replaced", expand},
    {"env", VariableArgument::Name, "`$env(NAME)`: environment variable of the server", environment},
    {"null", {}, "null", [](Call&, P) { return V{}; }},
};

}  // namespace

std::span<const VariableClass> stored_variables() {
  return table;
}

}  // namespace perdure::script

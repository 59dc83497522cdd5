// KSR.pvx: variables by name, without the detour by a pseudo-variable's text.
#include <algorithm>

#include "script/param_list.hpp"
#include "script/vm.hpp"
#include "transaction/record.hpp"

namespace perdure::script {
namespace {

int truth(bool value) {
  return value ? 1 : -1;
}

bool is_name(Call& call, std::string_view text) {
  if (!text.empty() && text.find_first_of(" \t\r\n()[]{}=>$\"") == std::string_view::npos) return true;
  (void)call.fail("\"" + std::string(text) + "\" is no name of a variable");
  return false;
}

int full(Call& call) {
  return call.fail("too many variables: a transaction keeps " + std::to_string(variables_max) + ", " + std::to_string(variables_bytes_max) +
                   " bytes in all");
}

int give(Call& call, const Value* value) {
  if (!value) return 1;
  return value->is_number ? call.give(value->number) : call.give(std::string_view(value->text));
}
int give_or(Call& call, const Value* value, std::string_view otherwise) {
  return value ? give(call, value) : call.give(otherwise);
}

// The value of a name, null if there is none or if it has fields.
using Find = const Value* (*)(Call& call);
template <Find find>
int get(Call& call) {
  return give(call, find(call));
}
template <Find find>
int get_or_empty(Call& call) {
  return give_or(call, find(call), "");
}
template <Find find>
int get_or_null(Call& call) {
  return give_or(call, find(call), "<null>");
}
template <Find find>
int is_null(Call& call) {
  return truth(!find(call));
}

// ---- AVPs ----

const Value* avp(Call& call) {
  return call.run.variables().avp(call.text(0), 0);
}
int set_avp(Call& call, const Value& value) {
  if (!is_name(call, call.text(0))) return -1;
  call.run.changed();
  return call.run.variables().push_avp(call.text(0), value) ? 1 : full(call);
}
int remove_avp(Call& call) {
  call.run.changed();
  call.run.variables().remove_avp(call.text(0), 0);
  return 1;
}

// ---- XAVPs and their kin ----

template <Tree tree>
const Value* root(Call& call) {
  const auto* found = call.run.variables().xavp(tree, call.text(0), 0);
  return found && found->value ? &*found->value : nullptr;
}
template <Tree tree>
const Value* child(Call& call) {
  const auto* found = call.run.variables().xavp(tree, call.text(0), 0);
  return found ? found->field(call.text(1)) : nullptr;
}
template <Tree tree>
int is_root_null(Call& call) {
  return truth(!call.run.variables().xavp(tree, call.text(0), 0));
}
template <Tree tree>
int set_root(Call& call, const Value& value) {
  if (!is_name(call, call.text(0))) return -1;
  call.run.changed();
  return call.run.variables().push_xavp({tree, std::string(call.text(0)), value, {}}) ? 1 : full(call);
}
template <Tree tree>
int set_child(Call& call, const Value& value) {
  if (!is_name(call, call.text(0)) || !is_name(call, call.text(1))) return -1;
  call.run.changed();
  return call.run.variables().set_child(tree, call.text(0), call.text(1), value) ? 1 : full(call);
}
template <Tree tree>
int remove_root(Call& call) {
  call.run.changed();
  call.run.variables().remove_xavp(tree, call.text(0), 0);
  return 1;
}
template <Tree tree>
int remove_child(Call& call) {
  call.run.changed();
  call.run.variables().remove_field(tree, call.text(0), 0, call.text(1), 0);
  return 1;
}

// "a=1;b=2" as the fields of a new XAVP; -1 for an empty list.
template <Tree tree>
int explode(Call& call) {
  if (!is_name(call, call.text(1))) return -1;
  Xavp made{tree, std::string(call.text(1)), std::nullopt, {}};
  ParamList list(call.text(0));
  while (const auto param = list.next()) made.fields.emplace_back(param->name, Value::of(param->value));
  if (made.fields.empty()) return -1;
  call.run.changed();
  return call.run.variables().push_xavp(std::move(made)) ? 1 : full(call);
}

// The pieces between separators as values of the field "v", the first one first.
int explode_list(Call& call) {
  if (call.text(1).size() != 1) return call.fail("the separator is one character");
  if (!is_name(call, call.text(3))) return -1;
  Xavp made{Tree::Xavp, std::string(call.text(3)), std::nullopt, {}};
  const bool trim = call.text(2).find_first_of("tT") != std::string_view::npos;
  std::string_view rest = call.text(0);
  while (!rest.empty() && made.fields.size() < variables_max) {
    const std::size_t end = rest.find(call.text(1).front());
    std::string_view piece = rest.substr(0, end);
    if (trim) {
      piece.remove_prefix(std::min(piece.find_first_not_of(" \t\r\n"), piece.size()));
      piece = piece.substr(0, piece.find_last_not_of(" \t\r\n") + 1);
    }
    made.fields.emplace(made.fields.begin(), "v", Value::of(piece));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  if (made.fields.empty()) return -1;
  call.run.changed();
  return call.run.variables().push_xavp(std::move(made)) ? 1 : full(call);
}

// Sets the variable that argument `index` names.
int set_named(Call& call, std::size_t index, std::string_view text) {
  std::string error;
  const auto* variable = call.vm.pseudo_variable(call.text(index), error);
  if (!variable) return call.fail(std::move(error));
  const Value value = Value::of(text);
  return set_value(call, *variable, &value) ? 1 : -1;
}

// The fields of an XAVP as "a=1;b=2;" into a variable.
template <Tree tree>
int implode(Call& call) {
  const auto* found = call.run.variables().xavp(tree, call.text(0), 0);
  if (!found || found->fields.empty()) return -1;
  std::string out;
  for (const auto& [name, value] : found->fields) {
    out += name;
    const std::string text = value.is_number ? std::to_string(value.number) : value.text;
    if (!text.empty()) out.append("=").append(text);
    out += ';';
  }
  return set_named(call, 1, out);
}

int copy(Call& call) {
  auto& variables = call.run.variables();
  const auto index = static_cast<int>(std::clamp<std::int64_t>(call.number(1), -100'000, 100'000));
  const auto* source = variables.xavp(Tree::Xavp, call.text(0), index);
  if (!source || !is_name(call, call.text(2))) return -1;
  Xavp made = *source;
  made.name = call.text(2);
  call.run.changed();
  if (!call.has(3)) return variables.push_xavp(std::move(made)) ? 1 : full(call);
  const auto into = static_cast<int>(std::clamp<std::int64_t>(call.number(3), -100'000, 100'000));
  return variables.replace_xavp(Tree::Xavp, call.text(2), into, std::move(made)) ? 1 : -1;
}

// ---- $var ----

const Value* script_variable(Call& call) {
  static const Value zero = Value::of(std::int64_t{0});
  const auto found = call.vm.script_variables.find(call.text(0));
  return found == call.vm.script_variables.end() ? &zero : &found->second;
}
int set_script_variable(Call& call, const Value& value) {
  if (!is_name(call, call.text(0))) return -1;
  return call.vm.set_script_variable(call.text(0), value) ? 1 : call.fail("there is no room for more script variables");
}
int xavp_to_variables(Call& call) {
  const auto* found = call.run.variables().xavp(Tree::Xavp, call.text(0), 0);
  if (!found) return -1;
  for (const auto& [name, value] : found->fields)
    if (!call.vm.set_script_variable(name, value)) return call.fail("there is no room for more script variables");
  return 1;
}
int variables_to_xavp(Call& call) {
  if (!is_name(call, call.text(1))) return -1;
  Xavp made{Tree::Xavp, std::string(call.text(1)), std::nullopt, {}};
  for (const auto& [name, value] : call.vm.script_variables)
    if (call.text(0) == "*" || call.text(0) == name) made.fields.emplace_back(name, value);
  if (made.fields.empty()) return -1;
  call.run.changed();
  return call.run.variables().push_xavp(std::move(made)) ? 1 : full(call);
}

int evaluate(Call& call) {
  std::string error;
  const auto* text = call.vm.text_template(call.text(1), error);
  if (!text) return call.fail(std::move(error));
  std::string out;
  text->append_to(call, out);
  return set_named(call, 0, out);
}

// ---- $sbranch ----

int append_static_branch(Call& call) {
  auto& targets = call.context().more_targets;
  if (call.vm.static_branch.uri.empty() || targets.size() + 1 >= transaction::branches_max) return -1;
  targets.push_back(call.vm.static_branch);
  return 1;
}
int use_static_branch(Call& call) {
  const auto& branch = call.vm.static_branch;
  if (branch.uri.empty()) return -1;
  call.context().target = branch;
  return 1;
}

template <int (*set)(Call&, const Value&)>
int set_text(Call& call) {
  return set(call, Value::of(call.text(call.count() - 1)));
}
template <int (*set)(Call&, const Value&)>
int set_number(Call& call) {
  return set(call, Value::of(call.number(call.count() - 1)));
}

constexpr auto integer = Returns::Integer;
constexpr auto value = Returns::Value;
constexpr Routes any = routes::any;

#define PERDURE_TREE(NAME, WHAT, TREE)                                                                                                      \
  {"pvx",                                                                                                                                   \
   NAME "_sets",                                                                                                                            \
   "string name, string value",                                                                                                             \
   integer,                                                                                                                                 \
   any,                                                                                                                                     \
   "Sets " WHAT " to a text, in front of those of that name.",                                                                              \
   "",                                                                                                                                      \
   set_text<set_root<TREE>>},                                                                                                               \
      {"pvx", NAME "_seti", "string name, int value", integer, any, "The same to a number.", "", set_number<set_root<TREE>>},               \
      {"pvx",                                                                                                                               \
       NAME "_get",                                                                                                                         \
       "string name",                                                                                                                       \
       value,                                                                                                                               \
       any,                                                                                                                                 \
       "The value of the first " WHAT " of that name, nil if there is none.",                                                               \
       "An XAVP with fields gives nil.",                                                                                                    \
       get<root<TREE>>},                                                                                                                    \
      {"pvx", NAME "_gete", "string name", value, any, "The same, but an empty text if there is none.", "", get_or_empty<root<TREE>>},      \
      {"pvx", NAME "_getw", "string name", value, any, "The same, but `<null>` if there is none.", "", get_or_null<root<TREE>>},            \
      {"pvx", NAME "_rm", "string name", integer, any, "Removes the first " WHAT " of that name.", "", remove_root<TREE>},                  \
      {"pvx", NAME "_is_null", "string name", integer, any, "There is no " WHAT " of that name.", "", is_root_null<TREE>},                  \
      {"pvx",                                                                                                                               \
       NAME "_child_sets",                                                                                                                  \
       "string name, string field, string value",                                                                                           \
       integer,                                                                                                                             \
       any,                                                                                                                                 \
       "Sets a field of the first " WHAT " of that name, which is made if there is none.",                                                  \
       "",                                                                                                                                  \
       set_text<set_child<TREE>>},                                                                                                          \
      {"pvx", NAME "_child_seti",         "string name, string field, int value", integer, any, "The same to a number.",                    \
       "",    set_number<set_child<TREE>>},                                                                                                 \
      {"pvx", NAME "_child_get", "string name, string field", value, any, "The value of a field, nil if there is none.",                    \
       "",    get<child<TREE>>},                                                                                                            \
      {"pvx", NAME "_child_gete",       "string name, string field", value, any, "The same, but an empty text if there is none.",           \
       "",    get_or_empty<child<TREE>>},                                                                                                   \
      {"pvx", NAME "_child_getw",      "string name, string field", value, any, "The same, but `<null>` if there is none.",                 \
       "",    get_or_null<child<TREE>>},                                                                                                    \
      {"pvx", NAME "_child_rm", "string name, string field", integer, any, "Removes the newest value of a field.", "", remove_child<TREE>}, \
  {                                                                                                                                         \
    "pvx", NAME "_child_is_null", "string name, string field", integer, any, "There is no such field.", "", is_null<child<TREE>>            \
  }

const Function table[] = {
    {"pvx", "avp_sets", "string name, string value", integer, any, "Adds a text to an AVP, in front of its values.", "", set_text<set_avp>},
    {"pvx", "avp_seti", "string name, int value", integer, any, "The same with a number.", "", set_number<set_avp>},
    {"pvx", "avp_get", "string name", value, any, "The value of an AVP, nil if there is none.", "", get<avp>},
    {"pvx", "avp_gete", "string name", value, any, "The same, but an empty text if there is none.", "", get_or_empty<avp>},
    {"pvx", "avp_getw", "string name", value, any, "The same, but `<null>` if there is none.", "", get_or_null<avp>},
    {"pvx", "avp_rm", "string name", integer, any, "Removes the newest value of an AVP.", "", remove_avp},
    {"pvx", "avp_is_null", "string name", integer, any, "There is no such AVP.", "", is_null<avp>},
    PERDURE_TREE("xavp", "XAVP", Tree::Xavp),
    PERDURE_TREE("xavu", "XAVU", Tree::Xavu),
    PERDURE_TREE("xavi", "XAVI", Tree::Xavi),
    {"pvx", "xavp_params_explode", "string list, string name", integer, any, "Makes an XAVP of `a=1;b=2`.", "", explode<Tree::Xavp>},
    {"pvx", "xavp_params_implode", "string name, string variable", integer, any, "Sets a variable to the fields of an XAVP, `a=1;b=2;`.",
     "The fields stand in the order in which they were set.", implode<Tree::Xavp>},
    {"pvx", "xavu_params_explode", "string list, string name", integer, any, "Makes an XAVU of `a=1;b=2`.", "", explode<Tree::Xavu>},
    {"pvx", "xavu_params_implode", "string name, string variable", integer, any, "Sets a variable to the fields of an XAVU.", "",
     implode<Tree::Xavu>},
    {"pvx", "xavp_slist_explode", "string list, string separator, string mode, string name", integer, any,
     "Makes an XAVP whose field v has the pieces of the list; mode t trims them.", "", explode_list},
    {"pvx", "xavp_copy", "string name, int index, string to", integer, any, "Copies an XAVP to a new one.", "", copy},
    {"pvx", "xavp_copy_dst", "string name, int index, string to, int to_index", integer, any, "Copies an XAVP over another.", "", copy},
    {"pvx", "var_sets", "string name, string value", integer, any, "Sets `$var(name)` to a text.", "", set_text<set_script_variable>},
    {"pvx", "var_seti", "string name, int value", integer, any, "The same to a number.", "", set_number<set_script_variable>},
    {"pvx", "var_get", "string name", value, any, "The value of `$var(name)`, 0 until it is set.", "", get<script_variable>},
    {"pvx", "pv_var_to_xavp", "string name, string to", integer, any, "Makes an XAVP with `$var(name)`, or all with `*`, as fields.", "",
     variables_to_xavp},
    {"pvx", "pv_xavp_to_var", "string name", integer, any, "Sets `$var(field)` for each field of an XAVP.", "", xavp_to_variables},
    {"pvx", "evalx", "string variable, string text", integer, any, "Sets a variable to a text with the variables in it replaced.", "",
     evaluate},
    {"pvx", "sbranch_reset", "", integer, any, "Empties `$sbranch`.", "",
     [](Call& call) {
       call.vm.static_branch = {};
       return 1;
     }},
    {"pvx", "sbranch_append", "", integer, routes::relaying, "Adds the branch `$sbranch` to the target set.", "", append_static_branch},
    {"pvx", "sbranch_set_ruri", "", integer, routes::relaying, "Makes `$sbranch` the Request-URI and destination.", "", use_static_branch},
};

#undef PERDURE_TREE

}  // namespace

std::span<const Function> pvx_functions() {
  return table;
}

}  // namespace perdure::script

// KSR.dialplan: numbers changed by rules.
#include "dialplan/rules.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/uri.hpp"

namespace perdure::script {
namespace {

// Sets the AVP for attributes. False after call.fail().
bool put_attributes(Call& call, const dialplan::Rule& rule) {
  const auto& avp = call.vm.routing().attributes_avp;
  if (avp.empty()) return true;
  auto& variables = call.run.variables();
  variables.remove_avps(avp);
  call.run.changed();
  if (variables.push_avp(avp, Value::of(std::string_view(rule.attributes)))) return true;
  (void)call.fail("no room for the AVP of the attributes");
  return false;
}

// Null: no rule matches.
const dialplan::Rule* find_rule(Call& call, const dialplan::Rules& rules, std::string_view input) {
  const std::int64_t number = call.number(0);
  return number > 0 && number <= UINT32_MAX ? rules.find(static_cast<std::uint32_t>(number), input) : nullptr;
}

// What the dialplan makes of the input; nullopt: no rule matches, or after call.fail().
std::optional<std::string> translate(Call& call, std::string_view input) {
  const auto rules = call.vm.routing().dialplan->rules();
  const auto* rule = find_rule(call, *rules, input);
  auto result = rule ? dialplan::Rules::translate(*rule, input) : std::nullopt;
  if (result && !put_attributes(call, *rule)) return std::nullopt;
  return result;
}

const PseudoVariable* variable(Call& call, std::size_t argument) {
  std::string error;
  const auto* found = call.vm.pseudo_variable(call.text(argument), error);
  if (!found) (void)call.fail(std::move(error));
  return found;
}

int store(Call& call, const std::optional<std::string>& result, std::size_t argument) {
  if (!result) return -1;
  const auto* target = variable(call, argument);
  if (!target) return -1;
  const Value value = Value::of(std::string_view(*result));
  return set_value(call, *target, &value) ? 1 : -1;
}

// -2: there is no such dialplan.
int match(Call& call) {
  const auto rules = call.vm.routing().dialplan->rules();
  const auto* rule = find_rule(call, *rules, call.text(1));
  if (rule) return put_attributes(call, *rule) ? 1 : -1;
  const std::int64_t number = call.number(0);
  return number > 0 && number <= UINT32_MAX && rules->has(static_cast<std::uint32_t>(number)) ? -1 : -2;
}
int replace(Call& call) {
  return store(call, translate(call, call.text(1)), 2);
}

// The user of the Request-URI.
int translate_user(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (!uri || uri->user.empty()) return -1;
  const auto result = translate(call, std::string(uri->user));
  if (!result) return -1;
  return set_request_uri_part(call, UriPart::User, *result) ? 1 : -1;
}

int translate_variables(Call& call) {
  const auto* source = variable(call, 1);
  if (!source) return -1;
  std::string input;
  append_value(input, value_of(call, *source));
  return store(call, translate(call, input), 2);
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view rules_of = "The rules are those of `[dialplan] list`; the attributes go into the AVP of `attributes_avp`.";

const Function table[] = {
    {"dialplan", "dp_match", "int dialplan, string text", integer, routes::any,
     "A rule of the dialplan matches the text; its attributes are put into the AVP for them. -2: there is no such dialplan.", rules_of,
     match},
    {"dialplan", "dp_replace", "int dialplan, string text, string variable", integer, routes::any,
     "The same, and what the rule makes of the text is put into the variable.", rules_of, replace},
    {"dialplan", "dp_translate", "int dialplan", integer, routes::with_request, "The same with the user of the Request-URI, which changes.",
     rules_of, translate_user},
    {"dialplan", "dp_translate_vars", "int dialplan, string from, string to", integer, routes::any,
     "The same from one variable to another.", rules_of, translate_variables},
};

}  // namespace

std::span<const Function> dialplan_functions() {
  return table;
}

}  // namespace perdure::script

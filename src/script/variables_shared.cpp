// Variables of what all workers share: hash tables, shared variables, counters, chance.
#include <algorithm>
#include <charconv>

#include "htable/tables.hpp"
#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "script/pseudo_variable.hpp"
#include "script/text_template.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;
using htable::Change;
using htable::Table;

constexpr std::int64_t lifetime_seconds_max = 10LL * 366 * 86'400;

V give(Call& call, const perdure::Value& value) {
  if (value.is_number) return V::of(value.number);
  call.vm.scratch = value.text;
  return V::of(std::string_view(call.vm.scratch));
}

perdure::Value shared_value(const Value& value) {
  return value.is_number ? perdure::Value::of(value.number) : perdure::Value::of(std::string_view(value.text));
}

// "table=>key"
struct Place {
  Table* table = nullptr;  // null after call.fail()
  std::string key;
};
Place place_of(Call& call, P variable) {
  std::string text;
  variable.text_template->append_to(call, text);
  const std::size_t arrow = text.find("=>");
  if (arrow == std::string::npos) {
    (void)call.fail("a hash table and a key are written table=>key");
    return {};
  }
  const std::string_view name = std::string_view(text).substr(0, arrow);
  Table* const table = call.vm.has_tables() ? call.vm.tables().find(name) : nullptr;
  if (!table) (void)call.fail("there is no hash table " + std::string(name));
  return {table, text.substr(arrow + 2)};
}

V get_entry(Call& call, P variable) {
  const Place place = place_of(call, variable);
  perdure::Value value;
  if (!place.table || (!place.table->get(place.key, call.context().now, value) && !place.table->has_initval())) return {};
  return give(call, value);
}
bool set_entry(Call& call, P variable, const Value* value) {
  const Place place = place_of(call, variable);
  if (!place.table) return false;
  if (!value) {
    (void)place.table->erase(place.key);
    return true;
  }
  if (place.table->set(place.key, shared_value(*value), call.context().now) == Change::Done) return true;
  (void)call.fail("hash table " + place.table->name() + " is full, or the text too long");
  return false;
}

V get_lifetime(Call& call, P variable) {
  const Place place = place_of(call, variable);
  if (!place.table) return {};
  return V::of(std::int64_t{place.table->lifetime(place.key, call.context().now) / std::chrono::seconds(1)});
}
bool set_lifetime(Call& call, P variable, const Value* value) {
  const Place place = place_of(call, variable);
  if (!place.table) return false;
  const std::int64_t seconds = value && value->is_number ? std::clamp<std::int64_t>(value->number, 0, lifetime_seconds_max) : 0;
  (void)place.table->set_lifetime(place.key, std::chrono::seconds(seconds), call.context().now);
  return true;
}

template <std::int64_t amount>
V add(Call& call, P variable) {
  const Place place = place_of(call, variable);
  std::int64_t result = 0;
  if (!place.table || place.table->add(place.key, amount, call.context().now, result) != Change::Done) return {};
  return V::of(result);
}

// "~~regex", "~%end", "==text", "eq5" (a number), "**" (all); without an operator a regular expression.
template <bool of_values>
V count(Call& call, P variable) {
  const Place place = place_of(call, variable);
  if (!place.table) return {};
  const std::string_view whole = place.key, operation = whole.substr(0, 2);
  const bool has_operation = operation == "~~" || operation == "~%" || operation == "==" || operation == "eq" || operation == "**";
  const std::string_view pattern = has_operation ? whole.substr(2) : whole;
  if (pattern.empty() && operation != "**") return V::of(std::int64_t{0});
  std::int64_t number = 0;
  (void)std::from_chars(pattern.data(), pattern.data() + pattern.size(), number);
  const auto matches = [&](const std::string& key, const perdure::Value& value) {
    if (operation == "**") return true;
    if (operation == "eq") return of_values && value.is_number && value.number == number;
    if (of_values && value.is_number) return false;
    const std::string& text = of_values ? value.text : key;
    if (operation == "==") return text == pattern;
    if (operation == "~%") return text.ends_with(pattern);
    return call.vm.regexes().match(pattern, text) == RegexCache::Match::Yes;
  };
  return V::of(static_cast<std::int64_t>(place.table->count_if(matches, call.context().now)));
}

V iterator_key(Call& call, P variable) {
  const auto* found = call.vm.table_iterators.find(variable.argument);
  if (!found || !found->has_entry()) return {};
  call.vm.scratch = found->key();
  return V::of(std::string_view(call.vm.scratch));
}
V iterator_value(Call& call, P variable) {
  const auto* found = call.vm.table_iterators.find(variable.argument);
  return found && found->has_entry() ? give(call, found->value()) : V{};
}

V get_shared(Call& call, P variable) {
  const auto value = call.vm.shared().variable(variable.argument);
  return value ? give(call, *value) : V::of(std::int64_t{0});
}
bool set_shared(Call& call, P variable, const Value* value) {
  if (call.vm.shared().set_variable(variable.argument, value ? shared_value(*value) : perdure::Value::of(""))) return true;
  (void)call.fail("no room for the shared variable");
  return false;
}

V get_counter(Call& call, P variable) {
  const auto value = call.vm.shared().counter(variable.argument);
  return value ? V::of(*value) : V{};
}

constexpr auto Template = VariableArgument::Template;

const VariableClass table[] = {
    {"sht", Template, "`$sht(table=>key)`: entry of a hash table, its initval or null; the key may hold variables; unset removes it",
     get_entry, set_entry},
    {"shtex", Template, "`$shtex(table=>key)`: seconds that an entry still lives, 0 if there is none or it does not expire; can be set",
     get_lifetime, set_lifetime},
    {"shtcn", Template, "`$shtcn(table=>pattern)`: how many keys match a regular expression, or `~~regex`, `~%end`, `==text`, `**` (all)",
     count<false>, nullptr},
    {"shtcv", Template, "`$shtcv(table=>pattern)`: the same for texts of entries, and `eq5` for numbers", count<true>, nullptr},
    {"shtinc", Template, "`$shtinc(table=>key)`: adds 1 to a number of a hash table and is the result", add<1>, nullptr},
    {"shtdec", Template, "`$shtdec(table=>key)`: subtracts 1 from a number of a hash table and is the result", add<-1>, nullptr},
    {"shtitkey", VariableArgument::Name, "`$shtitkey(iterator)`: key where an iterator of a hash table stands", iterator_key, nullptr},
    {"shtitval", VariableArgument::Name, "`$shtitval(iterator)`: value where an iterator of a hash table stands", iterator_value, nullptr},
    {"shv", VariableArgument::Name, "`$shv(name)`: variable of all workers, 0 until it is set; lost with the engine", get_shared,
     set_shared},
    {"stat", VariableArgument::Name, "`$stat(name)`: counter of `KSR.counters` and `KSR.statistics`; null until it is first changed",
     get_counter, nullptr},
    {"drain", VariableArgument::None, "1 while the server drains (`perdure drain`), else 0",
     [](Call& call, P) { return V::of(std::int64_t{call.context().proxy.drain().on}); }, nullptr},
    {"RANDOM", VariableArgument::None, "random number from 0 to 2147483647",
     [](Call& call, P) { return V::of(static_cast<std::int64_t>(call.vm.random().below(1ULL << 31))); }, nullptr},
};

}  // namespace

std::span<const VariableClass> shared_variables() {
  return table;
}

}  // namespace perdure::script

// KSR.counters and KSR.statistics: numbers that all workers count together.
#include <charconv>

#include "base/logging.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

// "group.name" and "name" are different counters.
int add_to(Call& call, std::int64_t amount) {
  if (call.vm.shared().add(call.text(0), amount)) return 1;
  log::error("script: no room for counter {}", call.text(0));
  return -1;
}

// "5", "+5", "-5"; what is no number counts 0, as in Kamailio.
int update(Call& call) {
  std::string_view text = call.text(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t amount = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), amount);
  return add_to(call, amount);
}

int reset(Call& call) {
  call.vm.shared().reset(call.text(0));
  return 1;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view needs_no_definition = "The counter needs no definition, there can be 1024.";

const Function counters_table[] = {
    {"counters", "inc", "string name", integer, routes::any, "Adds 1 to a counter of all workers, `$stat(name)`.", needs_no_definition,
     [](Call& call) { return add_to(call, 1); }},
    {"counters", "add", "string name, int amount", integer, routes::any, "Adds to a counter.", needs_no_definition,
     [](Call& call) { return add_to(call, call.number(1)); }},
    {"counters", "reset", "string name", integer, routes::any, "Sets a counter to 0.", "", reset},
};

const Function statistics_table[] = {
    {"statistics", "update_stat", "string name, string amount", integer, routes::any, "Adds `5` or `+5` to a counter, or subtracts (`-5`).",
     needs_no_definition, update},
    {"statistics", "reset_stat", "string name", integer, routes::any, "Sets a counter to 0.", "", reset},
};

}  // namespace

std::span<const Function> counters_functions() {
  return counters_table;
}
std::span<const Function> statistics_functions() {
  return statistics_table;
}

}  // namespace perdure::script

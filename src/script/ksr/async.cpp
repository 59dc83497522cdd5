// KSR.async: a callback that goes on later.
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int route_after(Call& call, std::int64_t number, std::chrono::milliseconds unit) {
  const Duration longest = call.vm.delay_max();
  if (number < 0 || number > longest / unit)
    return call.fail("a delay is at most " + std::to_string(longest / 1ms) + " ms (async.delay_max)");
  return call.continue_later(number * unit, call.text(0));
}

const Function table[] = {
    {"async", "route", "string function, int seconds", Returns::Integer, routes::answering,
     "Ends the callback; after that time the script's function goes on with the same request, variables and flags. If the server restarts "
     "meanwhile, the callback runs again from its begin. A delay of more than `async.delay_max` is a script error.",
     "The callback ends there without exit(), and it may be a failure callback, too.",
     [](Call& call) { return route_after(call, call.number(1), std::chrono::seconds(1)); }},
    {"async", "ms_route", "string function, int milliseconds", Returns::Integer, routes::answering, "The same with milliseconds.",
     "As async.route.", [](Call& call) { return route_after(call, call.number(1), std::chrono::milliseconds(1)); }},
};

}  // namespace

std::span<const Function> async_functions() {
  return table;
}

}  // namespace perdure::script

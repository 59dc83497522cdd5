// KSR.x: control of the script itself.
#include "script/ksr/log.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

const Function table[] = {
    {"x", "exit", "", Returns::Nothing, routes::any, "Ends the callback; what it has decided stands.",
     "Not in a coroutine that the script made.", [](Call& call) { return call.leave(Leave::Exit); }},
    {"x", "drop", "", Returns::Nothing, routes::any,
     "Ends the callback and drops what it was called for: a provisional reply is not passed on, a branch is not sent.",
     "A final response of a transaction is never dropped, because its transaction must end.",
     [](Call& call) { return call.leave(Leave::Drop); }},
    {"x", "modf", "string function, [any a], [any b], [any c], [any d]", Returns::Integer, routes::any,
     "Calls a KSR function by its name, `tm.t_relay` or `t_relay`.",
     "Functions of Kamailio's native script language that are no KSR functions are not there.",
     [](Call& call) { return call.vm.call_by_name(call); }},
    {"x", "log", "string level, string text", Returns::Nothing, routes::any | routes::load,
     "Logs at a level: dbg, info, notice, warn, err, crit.", "", log_at_level},
};

}  // namespace

std::span<const Function> x_functions() {
  return table;
}

}  // namespace perdure::script

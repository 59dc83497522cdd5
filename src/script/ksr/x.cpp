// KSR.x: control of the script itself.
#include "base/case.hpp"
#include "base/logging.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int write_log(Call& call) {
  constexpr std::pair<std::string_view, log::Level> levels[] = {
      {"dbg", log::Level::Debug},     {"debug", log::Level::Debug},  {"info", log::Level::Info},
      {"notice", log::Level::Notice}, {"warn", log::Level::Warning}, {"warning", log::Level::Warning},
      {"err", log::Level::Error},     {"error", log::Level::Error},  {"crit", log::Level::Critical}};
  std::string_view text = call.text(1);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  for (const auto& [name, level] : levels)
    if (equals_ignore_case(name, call.text(0))) {
      log::write(level, text);
      return 1;
    }
  return call.fail("\"" + std::string(call.text(0)) + "\" is no log level");
}

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
     "Logs at a level: dbg, info, notice, warn, err, crit.", "", write_log},
};

}  // namespace

std::span<const Function> x_functions() {
  return table;
}

}  // namespace perdure::script

// KSR.cfgutils: locks, chance, a hash.
#include "base/logging.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using shared::NamedLocks;

std::string lock_name(const Call& call) {
  return "cfgutils:" + std::string(call.text(0));
}

int lock(Call& call) {
  const auto taken = call.vm.shared().locks.take(lock_name(call), call.run.locks(), true);
  if (taken == NamedLocks::Taken::Busy) log::error("script: lock {} cannot be had", call.text(0));
  if (taken == NamedLocks::Taken::TooMany) log::error("script: a callback holds more than {} locks", NamedLocks::held_max);
  return taken == NamedLocks::Taken::Yes ? 1 : -1;
}

int try_lock(Call& call) {
  return call.vm.shared().locks.take(lock_name(call), call.run.locks(), false) == NamedLocks::Taken::Yes ? 1 : -1;
}

int unlock(Call& call) {
  return call.vm.shared().locks.release(lock_name(call), call.run.locks()) ? 1 : -1;
}

int core_hash(Call& call) {
  const auto given = call.number(2);
  const auto bits = given >= 2 && given <= 30 ? static_cast<unsigned>(given) : 1U;
  return static_cast<int>(shared::core_hash(call.text(0), call.text(1), 1U << bits)) + 1;
}

int set_probability(Call& call) {
  const auto percent = call.number(0);
  return percent >= 0 && percent <= 100 && call.vm.shared().set_probability(static_cast<unsigned>(percent)) ? 1 : -1;
}

int reset_probability(Call& call) {
  return call.vm.shared().set_probability(shared::State::initial_probability) ? 1 : -1;
}

int random_event(Call& call) {
  return call.vm.random().below(100) < call.vm.shared().probability() ? 1 : -1;
}

int sleep_for(Call& call, std::chrono::microseconds unit) {
  const std::int64_t number = call.number(0);
  if (number < 0 || number > call.vm.delay_max() / unit)
    return call.fail("a delay is at most " + std::to_string(call.vm.delay_max() / 1ms) + " ms (async.delay_max)");
  return call.sleep(number * unit);
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"cfgutils", "lock", "string name", integer, routes::any,
     "Takes a lock that scripts of all workers respect who take it, too; one callback can take it several times.",
     "Waits 50 ms at most, then -1, so that two callbacks never wait for each other for ever. It is given back when the callback ends or "
     "waits.",
     lock},
    {"cfgutils", "trylock", "string name", integer, routes::any, "The same without waiting; -1: another callback has it.", "", try_lock},
    {"cfgutils", "unlock", "string name", integer, routes::any, "Gives a lock back.", "-1 if it is not held.", unlock},
    {"cfgutils", "sleep", "int seconds", integer, routes::waiting,
     "The callback waits, the worker goes on with other calls. A delay of more than `async.delay_max` is a script error.",
     "Kamailio's process stands still. Not in reply and branch callbacks. If the server restarts meanwhile, the callback runs again from "
     "its "
     "begin.",
     [](Call& call) { return sleep_for(call, std::chrono::seconds(1)); }},
    {"cfgutils", "usleep", "int microseconds", integer, routes::waiting, "The same with microseconds.", "As sleep.",
     [](Call& call) { return sleep_for(call, std::chrono::microseconds(1)); }},
    {"cfgutils", "check_route_exists", "string function", integer, routes::any, "The script has a function of that name.",
     "Kamailio looks for a route of its own language.", [](Call& call) { return call.vm.has_function(call.text(0)) ? 1 : -1; }},
    {"cfgutils", "core_hash", "string first, string second, int bits", integer, routes::any,
     "Hash of two texts from 1 to 2 to the power of `bits`, the same number as in Kamailio.", "", core_hash},
    {"cfgutils", "rand_set_prob", "int percent", integer, routes::any, "Sets the probability of rand_event, for all workers.",
     "-1 for more than 100.", set_probability},
    {"cfgutils", "rand_reset_prob", "", integer, routes::any, "Sets it to 10 percent again.", "", reset_probability},
    {"cfgutils", "rand_get_prob", "", integer, routes::any, "The probability of rand_event in percent.", "",
     [](Call& call) { return static_cast<int>(call.vm.shared().probability()); }},
    {"cfgutils", "rand_event", "", integer, routes::any, "1 with that probability, else -1.", "", random_event},
};

}  // namespace

std::span<const Function> cfgutils_functions() {
  return table;
}

}  // namespace perdure::script

// Variables of the time and of the process.
#include <unistd.h>

#include <ctime>

#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;

constexpr std::int64_t us_per_second = 1'000'000;

std::tm broken_down(Call& call, bool utc) {
  const auto seconds = static_cast<std::time_t>(call.vm.wall_us() / us_per_second);
  std::tm time{};
  if (utc)
    gmtime_r(&seconds, &time);
  else
    localtime_r(&seconds, &time);
  return time;
}

V format(Call& call, bool utc, const std::string& how) {
  const std::tm time = broken_down(call, utc);
  char buffer[1024];
  call.vm.scratch.assign(buffer, std::strftime(buffer, sizeof buffer, how.c_str(), &time));
  return V::of(call.vm.scratch);
}

V part(Call& call, P variable, bool utc) {
  const std::tm time = broken_down(call, utc);
  const int parts[] = {time.tm_sec,         time.tm_min,      time.tm_hour,     time.tm_mday, time.tm_mon + 1,
                       time.tm_year + 1900, time.tm_wday + 1, time.tm_yday + 1, time.tm_isdst};
  return V::of(std::int64_t{parts[variable.keyword]});
}
constexpr std::string_view parts = "sec min hour mday mon year wday yday isdst";

// $TV(s): as it was when the callback first asked; $TV(sn): as it is.
V precise(Call& call, P variable) {
  if (call.run.first_wall_us == 0) call.run.first_wall_us = call.vm.wall_us();
  const std::int64_t us = variable.keyword >= 2 ? call.vm.wall_us() : call.run.first_wall_us;
  if (variable.keyword == 4) {
    const std::string fraction = std::to_string(us % us_per_second);
    call.vm.scratch = std::to_string(us / us_per_second) + "." + std::string(6 - fraction.size(), '0') + fraction;
    return V::of(call.vm.scratch);
  }
  return V::of(variable.keyword % 2 == 0 ? us / us_per_second : us % us_per_second);
}

const VariableClass table[] = {
    {"TS", {}, "time in seconds since 1970", [](Call& c, P) { return V::of(c.vm.wall_us() / us_per_second); }},
    {"Ts", {}, "the same as `$TS`", [](Call& c, P) { return V::of(c.vm.wall_us() / us_per_second); }},
    {"TV", VariableArgument::Keyword,
     "s seconds and u microseconds of the time that the callback first asked for, sn and un of now, Sn both of now as text", precise,
     nullptr, false, "s u sn un Sn"},
    {"Tf", {}, "time as text, `Mon Nov 23 23:24:11 2026`", [](Call& c, P) { return format(c, false, "%a %b %e %H:%M:%S %Y"); }},
    {"TF", {}, "the same as `$Tf`", [](Call& c, P) { return format(c, false, "%a %b %e %H:%M:%S %Y"); }},
    {"time", VariableArgument::Keyword,
     "a part of the local time: sec, min, hour, mday, mon from 1, year, wday from 1 for Sunday, yday from 1, isdst",
     [](Call& c, P p) { return part(c, p, false); }, nullptr, false, parts},
    {"utime", VariableArgument::Keyword, "the same in UTC", [](Call& c, P p) { return part(c, p, true); }, nullptr, false, parts},
    {"timef", VariableArgument::Text, "`$timef(%Y-%m-%d)`: local time as strftime formats it",
     [](Call& c, P p) { return format(c, false, p.argument); }},
    {"utimef", VariableArgument::Text, "the same in UTC", [](Call& c, P p) { return format(c, true, p.argument); }},
    {"pp", {}, "process id of the engine", [](Call&, P) { return V::of(std::int64_t{getpid()}); }},
};

}  // namespace

std::span<const VariableClass> time_variables() {
  return table;
}

}  // namespace perdure::script

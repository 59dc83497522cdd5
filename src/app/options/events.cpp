#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

constexpr std::size_t timers_max = 64;

// A global function of the script.
template <std::string& (*member)(Config&)>
Result<> set_function(Config& config, std::string_view text) {
  if (!text.empty())
    if (auto checked = check_name(text); !checked) return checked;
  member(config) = text;
  return {};
}

template <std::string Config::EventCallback::*member>
std::string& event_callback(Config& config) {
  return config.event_callback.*member;
}

std::string& timer_route(Config& config) {
  return config.timers.back().route;
}

const Option table[] = {
    {"event_callback", "core", R"("")",
     "Function of the script that is called with \"core:worker-one-init\" when an engine has started, before it takes messages, in worker "
     "0. "
     "In KEMI scripts a function `ksr_core_event` or the like.",
     TextOption{set_function<event_callback<&Config::EventCallback::core>>}},
    {"event_callback", "dispatcher", R"("")",
     "Function of the script that is called with \"dispatcher:dst-up\" or \"dispatcher:dst-down\" when a destination goes up or down, in "
     "worker 0; `$ru` and `$du` are its URI. A change at the moment of an engine's death may go unreported. (Kamailio's event_callback)",
     TextOption{set_function<event_callback<&Config::EventCallback::dispatcher>>}},
    {"event_callback", "htable", R"("")",
     "Function of the script that is called with \"htable:mod-init\" at the start of each engine, before it takes messages, in worker 0. "
     "Tables are loaded; persistent ones have what they had. (Kamailio's event_callback)",
     TextOption{set_function<event_callback<&Config::EventCallback::htable>>}},
    {"event_callback", "tm", R"("")",
     "Function of the script that is called with \"tm:local-request\" for each request of our own, probes included, before it is sent: it "
     "may change headers and Request-URI, and `KSR.drop()` stops the request. It cannot wait. (Kamailio's event_callback)",
     TextOption{set_function<event_callback<&Config::EventCallback::tm>>}},

    {"timer.*", "interval", R"("10s")",
     "A function of the script is called so often, in worker 0, with \"rtimer\". It may wait; turns that come meanwhile are left out. "
     "(Kamailio's rtimer)",
     DurationOption{[](Config& c) -> Duration& { return c.timers.back().interval; }, 100ms, 168h}},
    {"timer.*", "route", "", "That function.", TextOption{set_function<timer_route>}},

    {"async", "delay_max", R"("24h")",
     "Longest delay of `KSR.async.route` and `ms_route`. The transaction is kept for so long, and the caller must still be there.",
     DurationOption{[](Config& c) -> Duration& { return c.async.delay_max; }, 1s, 168h}},
};

}  // namespace

Result<> begin_timer(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.timers.size() >= timers_max) return fail(fmt::format("more than {} timers", timers_max));
  config.timers.emplace_back().name = name;
  return {};
}

std::span<const Option> events_options() {
  return table;
}

}  // namespace perdure::app

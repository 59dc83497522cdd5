#include "app/script_events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/logging.hpp"

namespace perdure::app {

ScriptEvents::ScriptEvents(const Config& config, dispatch::Dispatcher& dispatcher)
    : config_(config), dispatcher_(dispatcher), timers_(config.timers.size()) {
  if (!config.event_callback.dispatcher.empty()) dispatcher_.collect_changes();
}

void ScriptEvents::on_start(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
  const auto& callback = config_.event_callback;
  if (!callback.htable.empty()) (void)proxy.run_event({.route = callback.htable, .name = "htable:mod-init"}, now, outputs);
  if (!callback.core.empty()) (void)proxy.run_event({.route = callback.core, .name = "core:worker-one-init"}, now, outputs);
  for (std::size_t i = 0; i < timers_.size(); ++i) timers_[i].next = now + config_.timers[i].interval;
}

void ScriptEvents::on_tick(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
  if (!config_.event_callback.dispatcher.empty())
    for (const auto& change : dispatcher_.take_changes())
      (void)proxy.run_event(
          {.route = config_.event_callback.dispatcher, .name = change.up ? "dispatcher:dst-up" : "dispatcher:dst-down", .uri = change.uri},
          now, outputs);
  for (std::size_t i = 0; i < timers_.size(); ++i)
    if (timers_[i].next <= now) turn(i, now, proxy, outputs);
}

void ScriptEvents::turn(std::size_t index, Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
  Timer& timer = timers_[index];
  const auto& options = config_.timers[index];
  // Turns that the process has missed, because it stood still, are not made up for.
  timer.next = std::max(timer.next + options.interval, now);
  if (timer.running) {
    ++timer.skipped;
    if (std::has_single_bit(timer.skipped))
      log::warning("timer {}: its last turn still waits, turn {} is left out", options.name, timer.skipped);
    return;
  }
  timer.running = true;
  (void)proxy.run_event({.route = options.route, .name = "rtimer", .on_end = [&timer] { timer.running = false; }}, now, outputs);
}

std::vector<std::pair<std::string, std::string>> configured_callbacks(const Config& config) {
  std::vector<std::pair<std::string, std::string>> callbacks;
  const auto add = [&](std::string key, const std::string& function) {
    if (!function.empty()) callbacks.emplace_back(std::move(key), function);
  };
  add("event_callback.core", config.event_callback.core);
  add("event_callback.dispatcher", config.event_callback.dispatcher);
  add("event_callback.htable", config.event_callback.htable);
  add("event_callback.tm", config.event_callback.tm);
  for (const auto& timer : config.timers) add(fmt::format("timer.{}.route", timer.name), timer.route);
  return callbacks;
}

}  // namespace perdure::app

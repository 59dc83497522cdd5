#pragma once
// When callbacks of the script run that no message leads to: at the start, on a timer, when a destination goes up or down. All in the
// thread of worker 0.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "app/config.hpp"
#include "dispatch/dispatcher.hpp"
#include "proxy/proxy.hpp"

namespace perdure::app {

class ScriptEvents {
 public:
  // Both outlive it.
  ScriptEvents(const Config& config, dispatch::Dispatcher& dispatcher);
  // Waiting callbacks tell this object when they are over.
  ScriptEvents(const ScriptEvents&) = delete;
  ScriptEvents& operator=(const ScriptEvents&) = delete;

  // The engine has attached, no message has been processed yet.
  void on_start(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);
  // About every 50 ms.
  void on_tick(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);

 private:
  struct Timer {
    Time next;
    bool running = false;  // its last turn waits
    std::uint64_t skipped = 0;
  };
  void turn(std::size_t timer, Time now, proxy::Proxy& proxy, proxy::Outputs& outputs);

  const Config& config_;
  dispatch::Dispatcher& dispatcher_;
  std::vector<Timer> timers_;
};

// The functions that the configuration names, each with its key, for ScriptOptions::callbacks.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> configured_callbacks(const Config& config);

}  // namespace perdure::app

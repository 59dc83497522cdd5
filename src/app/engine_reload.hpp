#pragma once
// `perdure reload` in the engine: what files say now, for everything that begins from now on.
#include <string>
#include <string_view>
#include <vector>

#include "app/capabilities.hpp"
#include "app/config.hpp"
#include "base/result.hpp"
#include "dispatch/dispatcher.hpp"
#include "engine/engine.hpp"
#include "script/script_runner.hpp"

namespace perdure::app {

// The payload of Message::Reload, as JSON.
struct ReloadRequest {
  bool script = true, destinations = true;
  bool force = false;  // also if open transactions will call functions that the new script lacks

  [[nodiscard]] std::string text() const;
  [[nodiscard]] static Result<ReloadRequest> parse(std::string_view text);
};

struct ReloadParts {
  engine::Engine& engine;
  std::vector<script::ScriptRunner*>& runners;  // of the workers
  dispatch::Dispatcher& dispatcher;
  Capabilities& capabilities;
  const Config& config;
};

// Everything is read and checked first: an error changes nothing, and names file and line.
[[nodiscard]] Result<> reload(const ReloadParts& parts, const ReloadRequest& request);

}  // namespace perdure::app

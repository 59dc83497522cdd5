#pragma once
// The edge process: `perdure run`.
#include <string>

#include "app/config.hpp"

namespace perdure::app {

// Runs the server until it is stopped. `text` is what `config` was read from; engines get the same. Returns the exit code.
[[nodiscard]] int run_server(const Config& config, const std::string& text);

}  // namespace perdure::app

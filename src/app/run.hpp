#pragma once
// The edge process: `perdure run`.
#include <string>

#include "app/config.hpp"

namespace perdure::app {

// Runs the server until it is stopped. `text` is what `config` was read from; engines get the same. `program`: the path of
// this program, which is what an upgrade takes if it names no other. Returns the exit code.
[[nodiscard]] int run_server(const Config& config, const std::string& text, const std::string& program);

// The same as the successor of an edge, at the other end of `channel`.
[[nodiscard]] int take_over_server(int channel, const std::string& program);

}  // namespace perdure::app

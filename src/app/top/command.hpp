#pragma once
// `perdure top`: a live view in the terminal.
#include "app/commands.hpp"

namespace perdure::app {

// Until `q` is pressed. `interval_s`: between two looks.
[[nodiscard]] int show_top(const ClientOptions& options, double interval_s);

}  // namespace perdure::app

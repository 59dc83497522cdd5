#pragma once
// docs/commands.md, from what the command line itself knows.
#include <string>

namespace CLI {
class App;
}

namespace perdure::app {

// Commands and options without a text are listed with "(no text)", which a test looks for.
[[nodiscard]] std::string commands_reference(const CLI::App& app);

}  // namespace perdure::app

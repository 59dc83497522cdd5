#pragma once
// Log lines of scripts.
#include <optional>
#include <string_view>

#include "base/logging.hpp"
#include "script/ksr/function.hpp"

namespace perdure::script {

// "info", "L_INFO"; nullopt: no level.
[[nodiscard]] std::optional<log::Level> level_from(std::string_view name);
// Without the line end that scripts for Kamailio write.
void write_log(log::Level level, std::string_view text);
// Arguments: level, text.
int log_at_level(Call& call);

}  // namespace perdure::script

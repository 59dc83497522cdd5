#pragma once
// Changes of headers that several modules offer.
#include <optional>
#include <string>
#include <string_view>

#include "script/ksr/function.hpp"

namespace perdure::script {

// Complete header lines; nullopt after call.fail().
[[nodiscard]] std::optional<std::string> header_lines(Call& call, std::string_view text);
int remove_header(Call& call, std::string_view name);
int append_header(Call& call, std::string_view text);
int header_present(const Call& call, std::string_view name);

}  // namespace perdure::script

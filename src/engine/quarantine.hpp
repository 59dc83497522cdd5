#pragma once
// Messages that engines died of, as files for a person to look at.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace perdure::engine {

// Writes FOLDER/message-TIME-SEQUENCE.sip, the bytes as they came, and message-TIME-SEQUENCE.reason.txt; makes the folder if need be. TIME
// is UTC as in 20261123T151940.004711Z. Readable by the owner only. Returns the path of the first. An error names the file and what the
// system said.
[[nodiscard]] Result<std::string> write_poison_message(const std::string& folder, std::string_view bytes, std::string_view reason,
                                                       std::uint64_t sequence, std::int64_t wall_us);

}  // namespace perdure::engine

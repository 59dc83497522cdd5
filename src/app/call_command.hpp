#pragma once
// `perdure call`: one call as its messages tell it.
#include <string>

#include "app/commands.hpp"

namespace perdure::app {

// Prints the ladder, or writes a capture file if `pcap` names one.
[[nodiscard]] int show_call(const ClientOptions& options, const std::string& call_id, const std::string& pcap);

}  // namespace perdure::app

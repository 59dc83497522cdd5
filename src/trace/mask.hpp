#pragma once
// What must not stand in a trace: answers to challenges, tokens, and the keys of media streams.
#include <span>
#include <string_view>

namespace perdure::trace {

// Whether mask_credentials() may change it: a look at the first letters of each line, for the many messages that have nothing to mask.
[[nodiscard]] bool may_hold_credentials(std::string_view message);

// Overwrites them with 'x', in place: the `response` of digest credentials, all of other credentials (RFC 3261 22, RFC 7616, RFC 8898),
// keys of a=crypto (RFC 4568) and k= lines. The message keeps its length.
void mask_credentials(std::span<char> message);

}  // namespace perdure::trace

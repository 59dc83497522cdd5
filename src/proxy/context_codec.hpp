#pragma once
// The part of a RoutingContext that lives with the transaction: armed routes, edits, Record-Route, reply headers, variables. Layout in
// docs/store-format.md.
#include <string>
#include <string_view>

#include "proxy/routing_context.hpp"

namespace perdure::proxy {

// Appends; nothing at all if everything has its default.
void encode_context(const RoutingContext& context, std::string& out);
// False and no change beyond reset parts if the bytes are not such an encoding.
bool decode_context(std::string_view bytes, RoutingContext& context);

// The timers in such an encoding, without the rest: all 0 if it has none.
[[nodiscard]] TimerSettings stored_timers(std::string_view bytes);

// Targets that wait for their turn (serial forking).
void encode_targets(const std::vector<Target>& targets, std::string& out);
bool decode_targets(std::string_view bytes, std::vector<Target>& targets);

}  // namespace perdure::proxy

#pragma once
// What algorithms 1, 2 and 3 hash of a URI.
#include <cstdint>
#include <string_view>

namespace perdure::dispatch {

// A hash over user, host and a port that is not the default one, host without case: as Kamailio without the "user only" flag. `uri` may
// stand in
// <> or be a whole name-addr; what cannot be parsed is hashed as it is.
[[nodiscard]] std::uint64_t hash_of_uri(std::string_view uri);

}  // namespace perdure::dispatch

#pragma once
// Two URIs as one text that makes each of the other: what a Record-Route carries, so that a dialog whose From or To was replaced can be
// translated both ways without a memory of it.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perdure::proxy {

inline constexpr std::size_t masked_bytes_max = 512;

// In characters that can stand in a URI parameter. `seed` 0: whoever knows one URI can read the other; else whoever knows the seed, too.
// This keeps a URI from being read in passing, it is no cipher. nullopt: one of them is too long.
[[nodiscard]] std::optional<std::string> mask_uris(std::string_view one, std::string_view other, std::uint64_t seed);
// The other one. nullopt: the text is no such mask, or not one of this URI.
[[nodiscard]] std::optional<std::string> unmask_uri(std::string_view uri, std::string_view mask, std::uint64_t seed);

}  // namespace perdure::proxy

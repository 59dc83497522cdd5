#pragma once
// What this program says of itself to an edge that may be of another version.
#include "edge/manifest.hpp"

namespace perdure::app {

[[nodiscard]] edge::Manifest engine_manifest();

}  // namespace perdure::app

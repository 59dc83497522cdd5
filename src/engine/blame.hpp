#pragma once
// Who was in work when an engine died, and who has been too often.
#include <cstdint>
#include <vector>

#include "edge/channel.hpp"
#include "edge/ring_region.hpp"
#include "edge/shared_region.hpp"

namespace perdure::engine {

// What has reached edge::blame_max and must not be worked on again.
struct Poison {
  std::vector<edge::SlotId> messages;  // taken slots; the caller finishes them
  std::vector<std::uint32_t> records;  // ids; no suspects any more
};

// Reads the marks of the dead engine's workers, takes them down, and adds what this death weighs (edge::blame_max tells the weights).
// A message keeps its blame until it is finished. A record keeps it while engines go on dying with it in work; every death that does not
// name it takes one away, because ids of records are used again and a series of unrelated deaths must not end in the quarantine of a call.
// Where both were in work, the message goes first: its record follows only if engines die with that one again.
// `rings` may be null; what is poison in them, WorkerRings::poison() tells.
[[nodiscard]] Poison assign_blame(edge::SharedRegion& region, edge::RingRegion* rings, edge::Death death);

}  // namespace perdure::engine

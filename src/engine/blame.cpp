#include "engine/blame.hpp"

#include <algorithm>
#include <utility>

#include "engine/worker_rings.hpp"

namespace perdure::engine {
namespace {

std::uint32_t weight_of(edge::Death death) {
  switch (death) {
    case edge::Death::Crashed:
    case edge::Death::Hung:
      return 2;
    case edge::Death::Killed:
      return 1;
    case edge::Death::None:
    case edge::Death::Planned:
      break;
  }
  return 0;
}

// Returns whether the message is poison now.
bool blame_message(edge::SharedRegion& region, edge::SlotId slot, std::uint32_t weight) {
  if (slot.worker >= region.worker_count() || slot.slot >= edge::slots_per_worker || region.length(slot) == 0) return false;
  std::uint8_t& blame = region.info(slot).blame;
  blame = static_cast<std::uint8_t>(std::min<std::uint32_t>(blame + weight, UINT8_MAX));
  return blame >= edge::blame_max;
}

struct NamedRecord {
  std::uint32_t id;
  bool spared;  // its message is poison and explains this death
};

// The place of a record in the table: its own, else a free one, else that of the least blamed.
edge::Suspect& place_of(edge::SharedRegion& region, std::uint32_t record) {
  edge::Suspect* place = nullptr;
  for (std::uint32_t i = 0; i < edge::suspects_max; ++i) {
    edge::Suspect& suspect = region.suspect(i);
    if (suspect.record == record) return suspect;
    if (!place || suspect.blame < place->blame) place = &suspect;
  }
  *place = {record, 0};
  return *place;
}

void blame_records(edge::SharedRegion& region, const std::vector<NamedRecord>& records, std::uint32_t weight) {
  for (std::uint32_t i = 0; i < edge::suspects_max; ++i) {
    edge::Suspect& suspect = region.suspect(i);
    if (suspect.record == edge::no_record || std::ranges::find(records, suspect.record, &NamedRecord::id) != records.end()) continue;
    if (suspect.blame <= 1)
      suspect = {};
    else
      --suspect.blame;
  }
  for (const auto& record : records) {
    edge::Suspect& suspect = place_of(region, record.id);
    suspect.blame += weight;
    if (record.spared) suspect.blame = std::min<std::uint32_t>(suspect.blame, edge::blame_max - 1);
  }
}

}  // namespace

Poison assign_blame(edge::SharedRegion& region, edge::RingRegion* rings, edge::Death death) {
  const std::uint32_t weight = weight_of(death);
  std::vector<NamedRecord> records;
  for (std::uint32_t i = 0; i < region.worker_count(); ++i) {
    edge::WorkerMark& mark = region.mark(i);
    // Blame first, then take the mark down: if this process is killed in between, the message is blamed twice rather than never.
    const std::uint32_t slot = mark.slot.load();
    bool poison = slot != 0 && weight != 0 && blame_message(region, {mark.slot_worker.load(), slot - 1}, weight);
    mark.slot.store(0);
    if (rings && WorkerRings(*rings, i).blame(static_cast<std::uint8_t>(weight))) poison = true;
    if (const std::uint32_t record = std::exchange(mark.record, edge::no_record); record != edge::no_record)
      records.push_back({record, poison});
  }
  if (weight != 0) blame_records(region, records, weight);

  Poison poison;
  for (const auto slot : region.taken())
    if (region.info(slot).blame >= edge::blame_max) poison.messages.push_back(slot);
  for (std::uint32_t i = 0; i < edge::suspects_max; ++i) {
    edge::Suspect& suspect = region.suspect(i);
    if (suspect.record == edge::no_record || suspect.blame < edge::blame_max) continue;
    poison.records.push_back(suspect.record);
    suspect = {};
  }
  return poison;
}

}  // namespace perdure::engine

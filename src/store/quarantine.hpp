#pragma once
// The folder where records go that cannot stay in the store, for a person to look at. docs/store-format.md describes the files.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/kind_info.hpp"
#include "store/types.hpp"

namespace perdure::store {

// A record that leaves the store, with the blobs of it that can be read.
struct LostRecord {
  RecordId id;
  Kind kind = Kind::None;
  std::uint32_t layout = 0;
  std::string_view header;
  struct Blob {
    BlobRef ref;
    std::string_view bytes;
  };
  std::array<Blob, blobs_per_record_max> blobs;
  std::size_t blob_count = 0;
};

class Quarantine {
 public:
  // Files that one process writes at most: a wholly damaged store must not fill the disk a second time.
  static constexpr std::uint64_t files_max = 100;

  // No folder (empty): nothing is written. It is made when it is needed.
  explicit Quarantine(std::string folder) : folder_(std::move(folder)) {}

  // Writes record-KIND-ID-TIME and record-KIND-ID-TIME.reason.txt, readable by the owner only. Best effort: a full disk must not keep a bad
  // record in the store. Not thread-safe.
  void write(const LostRecord& record, std::string_view why, std::int64_t wall_us);

 private:
  std::string folder_;
  std::uint64_t written_ = 0;
};

}  // namespace perdure::store

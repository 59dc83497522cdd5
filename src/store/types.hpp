#pragma once
// Names of things in the store: blobs by offset, records by slot. Trivially copyable, because records contain them.
#include <cstdint>
#include <functional>

namespace perdure::store {

// Immutable bytes. `unit` is the offset in the file in units of 64 bytes, `size` the number of bytes; {0, 0} is none.
struct BlobRef {
  std::uint32_t unit = 0;
  std::uint32_t size = 0;
  explicit operator bool() const { return unit != 0; }
  friend bool operator==(const BlobRef&, const BlobRef&) = default;
};

// A record's slot in the whole store, the same over restarts.
struct RecordId {
  std::uint32_t value = 0;
  friend auto operator<=>(const RecordId&, const RecordId&) = default;
  static const RecordId none;
};
inline constexpr RecordId RecordId::none{UINT32_MAX};

// Which header type a record has. Numbers are stored.
enum class Kind : std::uint8_t { None = 0, Transaction = 1, Route = 2, Dispatch = 3, Dialog = 4, Binding = 5, Table = 6 };
inline constexpr std::size_t kind_count = 7;

enum class Durability : std::uint8_t { Process, Host };
enum class ClockPolicy : std::uint8_t { Frozen, Elapsed };

}  // namespace perdure::store

template <>
struct std::hash<perdure::store::RecordId> {
  std::size_t operator()(perdure::store::RecordId id) const noexcept { return id.value; }
};

#pragma once
// An entry of a persistent table. docs/store-format.md describes the bytes.
#include <cstdint>
#include <type_traits>

#include "base/time.hpp"
#include "store/kind_info.hpp"
#include "store/types.hpp"

namespace perdure::htable {

struct EntryHeader {
  static constexpr store::Kind kind = store::Kind::Table;
  static constexpr std::uint16_t layout = 1;

  Time expire_at = never;  // of the store's own clock
  std::int64_t number = 0;
  store::BlobRef name;  // table, a zero byte, key
  store::BlobRef text;  // none for a number or an empty text
  std::uint8_t is_number = 0;
  std::uint8_t reserved[7] = {};

  template <class F, class Read>
  void for_each_blob(F&& f, Read&&) const {
    if (name) f(name);
    if (text) f(text);
  }
  template <class Read>
  [[nodiscard]] bool is_sound(Read&& read) const {
    if (is_number > 1 || (is_number == 1 && text) || expire_at.time_since_epoch().count() < 0) return false;
    const auto bytes = read(name);
    return bytes.find('\0') != bytes.npos && (!text || !read(text).empty());
  }
};
static_assert(std::is_trivially_copyable_v<EntryHeader> && sizeof(EntryHeader) == 40);

}  // namespace perdure::htable

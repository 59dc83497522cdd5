#pragma once
// What the store must know of a header type to walk its records without knowing it.
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "store/format.hpp"

namespace perdure::store {

class Partition;

// Bounds the blobs of one record, those of nested ones included.
inline constexpr std::size_t blobs_per_record_max = 64;

struct BlobList {
  std::array<BlobRef, blobs_per_record_max> refs;
  std::size_t count = 0;
  bool overflow = false;
  void add(BlobRef ref) {
    if (count < refs.size())
      refs[count++] = ref;
    else
      overflow = true;
  }
};

// The bytes of a blob, empty if the reference is bad.
using BlobReader = std::string_view (*)(const void* context, BlobRef ref);

// One layout of a header type. The functions get headers that may be damaged: they read within `bytes` and within blobs.
struct LayoutInfo {
  std::uint16_t number = 0;  // 0: there is no such layout
  std::uint32_t bytes = 0;
  void (*list_blobs)(const void* header, BlobList& out, BlobReader reader, const void* reader_context) = nullptr;
  // Whether the fields make sense together; null: anything does.
  bool (*is_sound)(const void* header, BlobReader reader, const void* reader_context) = nullptr;

  [[nodiscard]] std::uint32_t slot_bytes() const { return record_slot_bytes(bytes); }
};

struct KindInfo {
  Kind kind = Kind::None;
  LayoutInfo current, previous;
  // Makes the current header of a sound one of the previous layout; may write blobs. False: it cannot be done, the record is dropped.
  bool (*upgrade)(const void* previous, void* current, Partition& partition) = nullptr;
};

template <class Header>
[[nodiscard]] LayoutInfo layout_info() {
  static_assert(std::is_trivially_copyable_v<Header> && alignof(Header) <= 8);
  static_assert(Header::layout > 0);
  LayoutInfo info;
  info.number = Header::layout;
  info.bytes = sizeof(Header);
  info.list_blobs = [](const void* bytes, BlobList& out, BlobReader reader, const void* context) {
    Header header;
    std::memcpy(&header, bytes, sizeof header);
    const auto add = [&](BlobRef ref) { out.add(ref); };
    const auto read = [&](BlobRef ref) { return reader(context, ref); };
    if constexpr (requires { header.for_each_blob(add, read); })
      header.for_each_blob(add, read);
    else
      header.for_each_blob(add);
  };
  constexpr auto read_any = [](BlobRef) { return std::string_view{}; };
  if constexpr (requires(const Header& header) { header.is_sound(read_any); })
    info.is_sound = [](const void* bytes, BlobReader reader, const void* context) {
      Header header;
      std::memcpy(&header, bytes, sizeof header);
      return header.is_sound([&](BlobRef ref) { return reader(context, ref); });
    };
  return info;
}

// Header: trivially copyable, with static members `kind` and `layout` and for_each_blob(f) or for_each_blob(f, read); with is_sound(read)
// if not every combination of bytes is possible. A type that replaces an earlier layout names it `Previous` and has static bool
// upgrade(const Previous&, Header&, Partition&): docs/store-format.md tells when that is called.
template <class Header>
[[nodiscard]] KindInfo kind_info() {
  KindInfo info;
  info.kind = Header::kind;
  info.current = layout_info<Header>();
  if constexpr (requires { typename Header::Previous; }) {
    using Previous = typename Header::Previous;
    static_assert(Previous::kind == Header::kind && Previous::layout < Header::layout);
    info.previous = layout_info<Previous>();
    info.upgrade = [](const void* from, void* to, Partition& partition) {
      Previous previous;
      std::memcpy(&previous, from, sizeof previous);
      Header header;
      if (!Header::upgrade(previous, header, partition)) return false;
      std::memcpy(to, &header, sizeof header);
      return true;
    };
  }
  return info;
}

}  // namespace perdure::store

#pragma once
// What the store must know of a header type to walk its records without knowing it.
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <type_traits>

#include "store/format.hpp"

namespace perdure::store {

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

struct KindInfo {
  Kind kind = Kind::None;
  std::uint32_t header_bytes = 0;
  std::uint32_t layout = 0;
  void (*list_blobs)(const void* header, BlobList& out, BlobReader reader, const void* reader_context) = nullptr;
};

template <class Header>
void list_blobs_of(const Header& header, BlobList& out, BlobReader reader, const void* context) {
  const auto add = [&](BlobRef ref) { out.add(ref); };
  const auto read = [&](BlobRef ref) { return reader(context, ref); };
  if constexpr (requires { header.for_each_blob(add, read); })
    header.for_each_blob(add, read);
  else
    header.for_each_blob(add);
}

// Header: trivially copyable, with static members `kind` and `layout` and for_each_blob(f) or for_each_blob(f, read).
template <class Header>
[[nodiscard]] KindInfo kind_info() {
  static_assert(std::is_trivially_copyable_v<Header> && alignof(Header) <= 8);
  return {Header::kind, sizeof(Header), Header::layout, [](const void* bytes, BlobList& out, BlobReader reader, const void* context) {
            Header header;
            std::memcpy(&header, bytes, sizeof header);
            list_blobs_of(header, out, reader, context);
          }};
}

}  // namespace perdure::store

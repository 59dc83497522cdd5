#pragma once
// Layout 1 of the records, as far as it must be known to read them: where their blobs are, and which bytes are as they are today.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "store/store.hpp"

namespace perdure::transaction {

struct BranchLayout1 {
  std::array<std::byte, 80> as_today;
  store::BlobRef request, response;

  template <class F>
  void for_each_blob(F&& f) const {
    if (request) f(request);
    if (response) f(response);
  }
};

struct alignas(8) TransactionLayout1 {
  static constexpr store::Kind kind = store::Kind::Transaction;
  static constexpr std::uint16_t layout = 1;

  std::array<std::byte, 116> as_today;
  store::BlobRef request, response, context, cancel_headers, targets, branches;
  std::array<std::byte, 4> too;
  BranchLayout1 branch;

  template <class F, class Read>
  void for_each_blob(F&& f, Read&& read) const {
    for (const auto& blob : {request, response, context, cancel_headers, targets, branches})
      if (blob) f(blob);
    branch.for_each_blob(f);
    if (!branches) return;
    constexpr std::size_t size = sizeof(BranchLayout1), count_max = 16;
    const std::string_view bytes = read(branches);
    for (std::size_t at = 0; at + size <= bytes.size() && at < count_max * size; at += size) {
      BranchLayout1 one;
      std::memcpy(&one, bytes.data() + at, size);
      one.for_each_blob(f);
    }
  }
};

struct alignas(8) RouteLayout1 {
  static constexpr store::Kind kind = store::Kind::Route;
  static constexpr std::uint16_t layout = 1;

  std::array<std::byte, 100> as_today;
  store::BlobRef text;
  std::array<std::byte, 4> too;

  template <class F, class Read>
  void for_each_blob(F&& f, Read&&) const {
    if (text) f(text);
  }
};

static_assert(sizeof(BranchLayout1) == 96 && sizeof(TransactionLayout1) == 264 && sizeof(RouteLayout1) == 112);
static_assert(std::is_trivially_copyable_v<TransactionLayout1> && std::is_trivially_copyable_v<RouteLayout1>);

}  // namespace perdure::transaction

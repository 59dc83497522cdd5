#pragma once
#include "store/store.hpp"

namespace perdure::store {

// A small record with two blobs, as a stand-in for the real ones.
struct TestHeader {
  static constexpr Kind kind = Kind::Transaction;
  static constexpr std::uint16_t layout = 1;
  std::uint64_t number = 0;
  std::uint64_t twice = 0;  // 2 * number: tells a mixture of two states
  BlobRef first, second;
  char filler[64] = {};

  template <class F>
  void for_each_blob(F&& f) const {
    if (first) f(first);
    if (second) f(second);
  }
};

inline Options test_options() {
  Options options;
  options.partitions = 2;
  options.extent_bytes = 4096;
  options.boot_id = 7;
  options.secret = 99;
  options.kinds = {kind_info<TestHeader>()};
  return options;
}

}  // namespace perdure::store

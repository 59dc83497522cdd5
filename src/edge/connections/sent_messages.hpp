#pragma once
// What left lately. An engine that attaches sends again what it cannot know to have left; what did leave is not sent twice.
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace perdure::edge {

class SentMessages {
 public:
  // `key`: of bytes and receiver. The oldest is forgotten.
  void add(std::uint64_t key) {
    std::uint64_t& place = keys_[next_++ % keys_.size()];
    if (const auto old = counts_.find(place); old != counts_.end() && --old->second == 0) counts_.erase(old);
    place = key;
    ++counts_[key];
  }
  // All that are known, the oldest first.
  [[nodiscard]] std::vector<std::uint64_t> keys() const {
    std::vector<std::uint64_t> all;
    for (std::size_t i = next_ < keys_.size() ? 0 : next_ - keys_.size(); i < next_; ++i) all.push_back(keys_[i % keys_.size()]);
    return all;
  }
  [[nodiscard]] bool contains(std::uint64_t key) const { return counts_.contains(key); }

 private:
  std::array<std::uint64_t, 4096> keys_{};
  std::size_t next_ = 0;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> counts_;
};

}  // namespace perdure::edge

#include "prefix/index.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace perdure::prefix {

Index::Index(const std::vector<std::string_view>& sorted) {
  PERDURE_ASSERT(sorted.size() <= prefixes_max);
  std::size_t bytes = 0;
  for (const auto one : sorted) bytes += one.size();
  texts_.reserve(bytes);
  entries_.reserve(sorted.size());
  for (const auto one : sorted) {
    PERDURE_ASSERT(one.size() <= prefix_bytes_max && (entries_.empty() || text(static_cast<std::uint32_t>(entries_.size() - 1)) < one));
    // What is a prefix of this one is one of the last one, too, or the last one itself.
    std::uint32_t parent = entries_.empty() ? none : static_cast<std::uint32_t>(entries_.size() - 1);
    while (parent != none && !one.starts_with(text(parent))) parent = entries_[parent].parent;
    entries_.push_back({static_cast<std::uint32_t>(texts_.size()), parent, static_cast<std::uint8_t>(one.size())});
    texts_ += one;
  }
}

std::uint32_t Index::longest(std::string_view wanted) const {
  const auto behind = std::upper_bound(entries_.begin(), entries_.end(), wanted, [this](std::string_view a, const Entry& entry) {
    return a < std::string_view(texts_).substr(entry.text, entry.length);
  });
  std::uint32_t number = behind == entries_.begin() ? none : static_cast<std::uint32_t>(behind - entries_.begin() - 1);
  while (number != none && !wanted.starts_with(text(number))) number = entries_[number].parent;
  return number;
}

}  // namespace perdure::prefix

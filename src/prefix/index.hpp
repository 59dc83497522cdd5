#pragma once
// Which of many prefixes a number begins with. All texts lie in one string in order; each prefix knows the longest other one that it begins
// with. A number is looked for once by bisection: of the prefixes not greater than it, the last one begins with the one that is wanted.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::prefix {

inline constexpr std::size_t prefixes_max = 16'000'000;
inline constexpr std::size_t prefix_bytes_max = 255;

// Immutable. Numbers of prefixes are their places in the order of their texts, from 0.
class Index {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  Index() = default;
  // In ascending order, each once, at most prefixes_max; none is longer than prefix_bytes_max. The empty one is the prefix of all.
  explicit Index(const std::vector<std::string_view>& sorted);

  // The longest prefix of `text`, none if there is none.
  [[nodiscard]] std::uint32_t longest(std::string_view text) const;
  // The next shorter one.
  [[nodiscard]] std::uint32_t shorter(std::uint32_t number) const { return entries_[number].parent; }
  [[nodiscard]] std::string_view text(std::uint32_t number) const {
    const Entry& entry = entries_[number];
    return std::string_view(texts_).substr(entry.text, entry.length);
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry) + texts_.capacity(); }

 private:
  struct Entry {
    std::uint32_t text = 0, parent = none;
    std::uint8_t length = 0;
  };
  std::vector<Entry> entries_;
  std::string texts_;
};

}  // namespace perdure::prefix

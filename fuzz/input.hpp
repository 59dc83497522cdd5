#pragma once
// The bytes of one fuzz input, taken from the front piece by piece; and how a target says that something is broken.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace perdure::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  // 0 when nothing is left.
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  // Less than `limit`; 0 if limit is 0.
  std::size_t below(std::size_t limit) {
    const std::size_t value = byte() | static_cast<std::size_t>(byte()) << 8;
    return limit ? value % limit : 0;
  }
  std::string_view take(std::size_t size) {
    const std::string_view piece = rest_.substr(0, std::min(size, rest_.size()));
    rest_.remove_prefix(piece.size());
    return piece;
  }
  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view rest_;
};

// `broken`: what is, null: nothing.
inline void expect_sound(const char* broken) {
  if (!broken) return;
  std::fprintf(stderr, "broken: %s\n", broken);
  std::abort();
}
inline void expect(bool holds, const char* what) {
  expect_sound(holds ? nullptr : what);
}

}  // namespace perdure::fuzz

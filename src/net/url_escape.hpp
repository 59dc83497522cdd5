#pragma once
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace perdure::net {

// The bytes that %XX stand for (RFC 3986 2.1); nullopt: a % has no two digits after it.
[[nodiscard]] inline std::optional<std::string> unescape_url(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size() || std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr != text.data() + i + 3)
      return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

}  // namespace perdure::net

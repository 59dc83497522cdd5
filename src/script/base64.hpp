#pragma once
// RFC 4648 4 and 5, character by character into a sink.
#include <algorithm>
#include <cstdint>
#include <string_view>

namespace perdure::script {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr std::string_view base64url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

template <class Put>
void encode_base64(std::string_view text, std::string_view alphabet, bool padded, Put&& put) {
  for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(3, text.size()))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) {
      if (i <= text.size())
        put(alphabet[group >> (18 - 6 * i) & 63]);
      else if (padded)
        put('=');
    }
  }
}

// False: the text is none, whatever has been put till then.
template <class Put>
[[nodiscard]] bool decode_base64(std::string_view text, std::string_view alphabet, bool padding_needed, Put&& put) {
  if (padding_needed && text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return false;
  std::uint32_t bits = 0, count = 0;
  for (const char c : text) {
    const std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    put(static_cast<char>(bits >> count & 0xFF));
  }
  return true;
}

}  // namespace perdure::script

#include "proxy/uri_mask.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/checksum.hpp"
#include "sip/uri.hpp"

namespace perdure::proxy {
namespace {

// As Kamailio writes vsf and vst: base64 with another padding, since = cannot stand in a parameter of a URI.
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char padding = '-';

std::string encode(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += alphabet[bits >> (count - 6) & 63];
  }
  if (count) out += alphabet[bits << (6 - count) & 63];
  while (out.size() % 4) out += padding;
  return out;
}

std::optional<std::string> decode(std::string_view text) {
  while (text.ends_with(padding)) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto at = alphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(at);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 255);
  }
  return out;
}

void apply_seed(std::string& bytes, std::uint64_t seed) {
  if (!seed) return;
  std::uint64_t block = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint64_t number = i / sizeof block;
    if (i % sizeof block == 0) block = checksum(&number, sizeof number, seed);
    bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(block >> 8 * (i % sizeof block)));
  }
}

// The shorter one goes on with zeros.
std::string combined(std::string_view one, std::string_view other) {
  std::string out(std::max(one.size(), other.size()), '\0');
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<char>((i < one.size() ? one[i] : '\0') ^ (i < other.size() ? other[i] : '\0'));
  return out;
}

}  // namespace

std::optional<std::string> mask_uris(std::string_view one, std::string_view other, std::uint64_t seed) {
  if (std::max(one.size(), other.size()) > masked_bytes_max) return std::nullopt;
  std::string bytes = combined(one, other);
  apply_seed(bytes, seed);
  return encode(bytes);
}

std::optional<std::string> unmask_uri(std::string_view uri, std::string_view mask, std::uint64_t seed) {
  auto bytes = decode(mask);
  if (!bytes || bytes->size() > masked_bytes_max || bytes->size() < uri.size()) return std::nullopt;
  apply_seed(*bytes, seed);
  std::string other = combined(uri, *bytes);
  other.erase(std::min(other.find('\0'), other.size()));
  // With another URI than those two something else comes out.
  const auto parsed = sip::Uri::parse(other);
  const bool plain = std::ranges::all_of(other, [](char c) { return c > ' ' && c < 0x7f && c != '<' && c != '>' && c != '"'; });
  if (!parsed || !plain) return std::nullopt;
  return other;
}

}  // namespace perdure::proxy

#pragma once
// Character classes of RFC 3261 25.1 as one table, and the few scans that every parser here needs.
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace perdure::sip::chars {

inline constexpr std::uint16_t token = 1 << 0;
inline constexpr std::uint16_t digit = 1 << 1;
inline constexpr std::uint16_t hex = 1 << 2;
inline constexpr std::uint16_t alpha = 1 << 3;
inline constexpr std::uint16_t lws = 1 << 4;      // with CR and LF, which stand in a header value only where it is folded
inline constexpr std::uint16_t uri = 1 << 5;      // what cannot end or break a URI
inline constexpr std::uint16_t user = 1 << 6;     // userinfo, '#' and a few more included, which senders do not escape
inline constexpr std::uint16_t host = 1 << 7;     // hostname, with the '_' that exists in the wild
inline constexpr std::uint16_t value = 1 << 8;    // gen-value without quotes: token, or host with an IPv6 address, bracketed or not
inline constexpr std::uint16_t param = 1 << 9;    // paramchar of a URI parameter
inline constexpr std::uint16_t header = 1 << 10;  // hname, hvalue, '&', '='
inline constexpr std::uint16_t word = 1 << 11;    // Call-ID
inline constexpr std::uint16_t scheme = 1 << 12;
inline constexpr std::uint16_t ipv6 = 1 << 13;  // inside of the brackets

consteval std::array<std::uint16_t, 256> make_table() {
  std::array<std::uint16_t, 256> table{};
  const auto set = [&table](std::string_view characters, std::uint16_t classes) {
    for (const char c : characters) table[static_cast<unsigned char>(c)] |= classes;
  };
  constexpr std::string_view unreserved_marks = "-_.!~*'()";
  set("0123456789", digit | hex | ipv6);
  set("abcdefABCDEF", hex | ipv6);
  set(":.", ipv6);
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", alpha);
  for (std::size_t c = 0; c < 256; ++c) {
    if (table[c] & (digit | alpha)) table[c] |= token | user | host | value | param | header | word | scheme;
    if (c > 0x20 && c != 0x7F) table[c] |= uri;
  }
  set("-.!%*_+`'~", token | value | word);
  set("[]:", value);
  set(" \t\r\n", lws);
  for (const char c : std::string_view("<>\"")) table[static_cast<unsigned char>(c)] &= static_cast<std::uint16_t>(~uri);
  set(unreserved_marks, user | param | header);
  set("%", user | param | header);
  set("&=+$,;?/", user);
  set("#^`{}|", user);
  set("[]/:&+$", param);
  set("[]/?:+$&=", header);
  set("-._", host);
  set("()<>:\\\"/[]?{}", word);
  set("+-.", scheme);
  return table;
}
inline constexpr std::array<std::uint16_t, 256> table = make_table();

[[nodiscard]] constexpr bool is(char c, std::uint16_t classes) {
  return (table[static_cast<unsigned char>(c)] & classes) != 0;
}

// The number of leading characters of that class.
[[nodiscard]] constexpr std::size_t span(std::string_view text, std::uint16_t classes, std::size_t from = 0) {
  std::size_t i = from;
  while (i < text.size() && is(text[i], classes)) ++i;
  return i - from;
}
[[nodiscard]] constexpr bool all(std::string_view text, std::uint16_t classes) {
  return span(text, classes) == text.size();
}
[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return !text.empty() && all(text, token);
}

[[nodiscard]] constexpr std::string_view trim_left(std::string_view text) {
  text.remove_prefix(span(text, lws));
  return text;
}
[[nodiscard]] constexpr std::string_view trim_right(std::string_view text) {
  while (!text.empty() && is(text.back(), lws)) text.remove_suffix(1);
  return text;
}
[[nodiscard]] constexpr std::string_view trim(std::string_view text) {
  return trim_right(trim_left(text));
}

// The length of the quoted string at the front, quotes included; 0 if it does not end. `text` starts with '"'.
[[nodiscard]] constexpr std::size_t quoted_string(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return 0;
}

// Every '%' is followed by two hexadecimal digits.
[[nodiscard]] constexpr bool escapes_valid(std::string_view text) {
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 3))
    if (i + 2 >= text.size() || !is(text[i + 1], hex) || !is(text[i + 2], hex)) return false;
  return true;
}

// 1*DIGIT that fits into T, leading zeros allowed.
template <class T>
[[nodiscard]] std::optional<T> number(std::string_view text) {
  T result{};
  if (text.empty() || !is(text.front(), digit)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return result;
}

// The end of the host at the front of `text`: an IPv6 reference with its brackets or a hostname; 0: none.
[[nodiscard]] constexpr std::size_t host_length(std::string_view text) {
  if (text.empty() || text.front() != '[') return span(text, host);
  const std::size_t inside = span(text, ipv6, 1);
  // RFC 5118 4.10: the ABNF of RFC 3261 allowed three colons in a row, so whether it is an address is left to whoever resolves it.
  return inside >= 2 && inside + 1 < text.size() && text[inside + 1] == ']' ? inside + 2 : 0;
}

}  // namespace perdure::sip::chars

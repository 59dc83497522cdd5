// {s.…} that digest, encode and escape, and {val.…}.
#include <openssl/evp.h>

#include <array>
#include <vector>

#include "script/base64.hpp"
#include "script/transformation.hpp"
#include "sip/chars.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;

constexpr std::string_view hex_digits = "0123456789abcdef", upper_hex_digits = "0123456789ABCDEF";

void put_hex(Step& step, unsigned char byte, std::string_view digits = hex_digits) {
  step.put(digits[byte >> 4]);
  step.put(digits[byte & 15]);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte of two hexadecimal digits at the front, -1 if there are none.
int hex_byte(std::string_view text) {
  if (text.size() < 2 || hex_value(text[0]) < 0 || hex_value(text[1]) < 0) return -1;
  return hex_value(text[0]) * 16 + hex_value(text[1]);
}

template <const EVP_MD* (*algorithm)()>
V digest(Step& step) {
  const std::string_view value = step.text();
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(value.data(), value.size(), bytes, &size, algorithm(), nullptr) != 1) return {};
  for (unsigned i = 0; i < size; ++i) put_hex(step, bytes[i]);
  return step.built();
}

V encode_hexadecimal(Step& step) {
  for (const char c : step.text()) put_hex(step, static_cast<unsigned char>(c));
  return step.built();
}
V decode_hexadecimal(Step& step) {
  const std::string_view value = step.text();
  for (std::size_t i = 0; i + 1 < value.size(); i += 2) {
    const int byte = hex_byte(value.substr(i));
    if (byte < 0) return {};
    step.put(static_cast<char>(byte));
  }
  return step.built();
}

// Septets of the GSM alphabet packed into octets (3GPP TS 23.038 6.1.2.1), in hexadecimal.
V encode_7bit(Step& step) {
  unsigned bits = 0, count = 0;
  for (const char c : step.text()) {
    bits |= (static_cast<unsigned char>(c) & 0x7FU) << count;
    for (count += 7; count >= 8; count -= 8, bits >>= 8) put_hex(step, static_cast<unsigned char>(bits), upper_hex_digits);
  }
  if (count > 0) put_hex(step, static_cast<unsigned char>(bits), upper_hex_digits);
  return step.built();
}
V decode_7bit(Step& step) {
  const std::string_view value = step.text();
  unsigned bits = 0, count = 0;
  for (std::size_t i = 0; i + 1 < value.size(); i += 2) {
    const int byte = hex_byte(value.substr(i));
    if (byte < 0) return {};
    bits |= static_cast<unsigned>(byte) << count;
    for (count += 8; count >= 7; count -= 7, bits >>= 7) step.put(static_cast<char>(bits & 0x7F));
  }
  return step.built();
}

V to_base64(Step& step, std::string_view alphabet, bool padded) {
  encode_base64(step.text(), alphabet, padded, [&](char c) { step.put(c); });
  return step.built();
}
V from_base64(Step& step, std::string_view alphabet, bool padding_needed) {
  if (!decode_base64(step.text(), alphabet, padding_needed, [&](char c) { step.put(c); })) return {};
  return step.built();
}

constexpr std::string_view base58_alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t base58_bytes_max = 1024;  // the work is the square of it

// From one base to another by long division; leading zero digits stay digits of their own.
bool change_base(Step& step, const std::vector<unsigned>& digits, unsigned from, unsigned to, std::string_view alphabet) {
  std::size_t zeros = 0;
  while (zeros < digits.size() && digits[zeros] == 0) ++zeros;
  std::vector<unsigned> out;  // the lowest first
  for (const unsigned digit : digits) {
    unsigned carry = digit;
    for (unsigned& one : out) {
      carry += one * from;
      one = carry % to;
      carry /= to;
    }
    for (; carry > 0; carry /= to) out.push_back(carry % to);
  }
  const auto put = [&](unsigned digit) { step.put(alphabet.empty() ? static_cast<char>(digit) : alphabet[digit]); };
  for (; zeros > 0; --zeros) put(0);
  for (auto one = out.rbegin(); one != out.rend(); ++one) put(*one);
  return !step.full();
}
V encode_base58(Step& step) {
  const std::string_view value = step.text();
  if (value.size() > base58_bytes_max) return {};
  std::vector<unsigned> digits;
  for (const char c : value) digits.push_back(static_cast<unsigned char>(c));
  return change_base(step, digits, 256, 58, base58_alphabet) ? step.built() : V{};
}
V decode_base58(Step& step) {
  const std::string_view value = step.text();
  if (value.size() > base58_bytes_max) return {};
  std::vector<unsigned> digits;
  for (const char c : value) {
    const std::size_t digit = base58_alphabet.find(c);
    if (digit == std::string_view::npos) return {};
    digits.push_back(static_cast<unsigned>(digit));
  }
  return change_base(step, digits, 58, 256, {}) ? step.built() : V{};
}

V escape_common(Step& step) {
  for (const char c : step.text()) {
    if (c == '\'' || c == '"' || c == '\\' || c == '\0') step.put('\\');
    step.put(c == '\0' ? '0' : c);
  }
  return step.built();
}
V unescape_common(Step& step) {
  const std::string_view value = step.text();
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool escaped =
        value[i] == '\\' && i + 1 < value.size() && std::string_view("'\"\\0").find(value[i + 1]) != std::string_view::npos;
    if (escaped) ++i;
    step.put(escaped && value[i] == '0' ? '\0' : value[i]);
  }
  return step.built();
}

// What stands in a user or parameter of a URI without an escape: RFC 3261 25.1, without what senders always escape.
constexpr std::string_view user_marks = "-_.!~*'()&=+$,;?/", param_marks = "-_.!~*'()[]/:&+$", query_marks = "-_.~";

V escape(Step& step, std::string_view marks) {
  for (const char c : step.text()) {
    if (sip::chars::is(c, sip::chars::alpha | sip::chars::digit) || marks.find(c) != std::string_view::npos) {
      step.put(c);
    } else {
      step.put('%');
      put_hex(step, static_cast<unsigned char>(c));
    }
  }
  return step.built();
}
// Only what can be printed: a %0D%0A must not become a line break in a header.
V unescape_printable(Step& step) {
  const std::string_view value = step.text();
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      step.put(value[i]);
      continue;
    }
    const int byte = hex_byte(value.substr(i + 1));
    if (byte < 0x20 || byte > 0x7E) return {};
    step.put(static_cast<char>(byte));
    i += 2;
  }
  return step.built();
}
V decode_query(Step& step) {
  const std::string_view value = step.text();
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      step.put(value[i] == '+' ? ' ' : value[i]);
    } else if (const int byte = hex_byte(value.substr(i + 1)); byte >= 0) {
      step.put(static_cast<char>(byte));
      i += 2;
    }
  }
  return step.built();
}

V escape_csv(Step& step) {
  step.put('"');
  for (const char c : step.text()) {
    if (c == '"') step.put('"');
    step.put(c);
  }
  step.put('"');
  return step.built();
}

// The hash by which Kamailio's core places calls in its tables.
std::uint32_t core_hash(std::string_view text) {
  std::uint32_t hash = 0;
  while (true) {
    const std::size_t size = std::min<std::size_t>(4, text.size());
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < size; ++i) word = (word << 8) + static_cast<unsigned char>(text[i]);
    hash += word ^ (word >> 3);
    if (size < 4) break;
    text.remove_prefix(4);
  }
  return hash + (hash >> 11) + (hash >> 13) + (hash >> 23);
}
V hash(Step& step) {
  std::uint32_t value = core_hash(step.text());
  if (step.count() > 0 && step.number(0) > 0) value &= static_cast<std::uint32_t>(step.number(0)) - 1;
  step.put(std::to_string(value));
  return step.built();
}

void put_json(Step& step) {
  for (const char c : step.text()) {
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    if (const std::size_t at = special.find(c); at != std::string_view::npos) {
      step.put('\\');
      step.put(letters[at]);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      step.put("\\u00");
      put_hex(step, static_cast<unsigned char>(c));
    } else {
      step.put(c);
    }
  }
}
V to_json(Step& step) {
  if (step.input.is_number()) return step.input;
  put_json(step);
  return step.built();
}
V to_quoted_json(Step& step) {
  if (step.input.is_number()) return step.input;
  step.put('"');
  put_json(step);
  step.put('"');
  return step.built();
}

const TransformationClass table[] = {
    {"s.md5", "", "MD5 digest in hexadecimal", digest<EVP_md5>},
    {"s.sha1", "", "SHA-1 digest in hexadecimal", digest<EVP_sha1>},
    {"s.sha256", "", "SHA-256 digest in hexadecimal", digest<EVP_sha256>},
    {"s.sha384", "", "SHA-384 digest in hexadecimal", digest<EVP_sha384>},
    {"s.sha512", "", "SHA-512 digest in hexadecimal", digest<EVP_sha512>},
    {"s.encode.hexa", "", "in hexadecimal", encode_hexadecimal},
    {"s.decode.hexa", "", "from hexadecimal, null if it is none", decode_hexadecimal},
    {"s.encode.7bit", "", "packed septets of SMS in hexadecimal", encode_7bit},
    {"s.decode.7bit", "", "from packed septets in hexadecimal", decode_7bit},
    {"s.encode.base58", "", "in base58, of up to 1024 bytes", encode_base58},
    {"s.decode.base58", "", "from base58, null if it is none", decode_base58},
    {"s.encode.base64", "", "in base64", [](Step& s) { return to_base64(s, base64_alphabet, true); }},
    {"s.decode.base64", "", "from base64, null if it is none", [](Step& s) { return from_base64(s, base64_alphabet, true); }},
    {"s.encode.base64t", "", "in base64 without padding", [](Step& s) { return to_base64(s, base64_alphabet, false); }},
    {"s.decode.base64t", "", "from base64 with or without padding", [](Step& s) { return from_base64(s, base64_alphabet, false); }},
    {"s.encode.base64url", "", "in base64url", [](Step& s) { return to_base64(s, base64url_alphabet, true); }},
    {"s.decode.base64url", "", "from base64url", [](Step& s) { return from_base64(s, base64url_alphabet, false); }},
    {"s.encode.base64urlt", "", "in base64url without padding", [](Step& s) { return to_base64(s, base64url_alphabet, false); }},
    {"s.decode.base64urlt", "", "from base64url with or without padding",
     [](Step& s) { return from_base64(s, base64url_alphabet, false); }},
    {"s.escape.common", "", "a backslash before quotes, backslashes and NUL", escape_common},
    {"s.unescape.common", "", "without these backslashes", unescape_common},
    {"s.escape.user", "", "as the user of a URI, the rest as %hh", [](Step& s) { return escape(s, user_marks); }},
    {"s.unescape.user", "", "without %hh, null if one is malformed or stands for what cannot be printed", unescape_printable},
    {"s.escape.param", "", "as the value of a URI parameter, the rest as %hh", [](Step& s) { return escape(s, param_marks); }},
    {"s.unescape.param", "", "the same as `s.unescape.user`", unescape_printable},
    {"s.urlencode.param", "", "as the value in a query of HTTP", [](Step& s) { return escape(s, query_marks); }},
    {"s.urldecode.param", "", "without %hh and with spaces for +", decode_query},
    {"s.escape.csv", "", "in double quotes, with those in it doubled", escape_csv},
    {"s.corehash", "?n", "Kamailio's hash of the text, in a table of that many slots", hash},
    {"val.n0", "", "0 for null", [](Step& s) { return s.input.is_null() ? V::of(std::int64_t{0}) : s.input; }, true},
    {"val.ne", "", "an empty text for null", [](Step& s) { return s.input.is_null() ? V::of(std::string_view{}) : s.input; }, true},
    {"val.json", "", "escaped for a JSON string, empty for null", to_json, true},
    {"val.jsonqe", "", "a JSON string with its quotes, a number as it is, `\"\"` for null", to_quoted_json, true},
};

}  // namespace

std::span<const TransformationClass> encoding_transformations() {
  return table;
}

}  // namespace perdure::script

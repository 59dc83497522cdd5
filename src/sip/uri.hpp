#pragma once
// SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966); any other scheme is recognised and kept as it is.
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace perdure::sip {

enum class Scheme : std::uint8_t { Sip, Sips, Tel, Other };

// Views into the text that was parsed, which must outlive it.
struct Uri {
  Scheme scheme = Scheme::Other;
  std::string_view scheme_name;
  std::string_view user;      // as written, with escapes; the number of a tel URI
  std::string_view password;  // as written
  std::string_view host;      // an IPv6 reference keeps its brackets
  std::string_view params;    // ";transport=tcp;lr" or empty
  std::string_view headers;   // "subject=x&priority=y" or empty
  std::string_view opaque;    // all after "scheme:" of an unknown scheme
  std::uint16_t port = 0;     // 0: not given
  bool has_user = false;      // "sip:@host" is malformed, so this is !user.empty() except for tel
  bool has_headers = false;

  // nullopt: malformed. An unknown scheme is well-formed if nothing in it could break a header apart.
  [[nodiscard]] static std::optional<Uri> parse(std::string_view text);

  // Case-insensitive, escapes in the name resolved.
  [[nodiscard]] std::optional<std::string_view> param(std::string_view name) const;
  [[nodiscard]] bool has_param(std::string_view name) const { return param(name).has_value(); }
  // "2001:db8::1" for "[2001:db8::1]".
  [[nodiscard]] std::string_view host_without_brackets() const;
};

// RFC 3261 19.1.4 and RFC 5954 4.2 for sip and sips, RFC 3966 4 for tel (visual separators ignored), bytes for the rest.
[[nodiscard]] bool equivalent(const Uri& a, const Uri& b);

// Resolves %HH into `out`; what was written, or nullopt if `out` is too small or an escape is malformed.
[[nodiscard]] std::optional<std::string_view> unescape(std::string_view text, std::span<char> out);

}  // namespace perdure::sip

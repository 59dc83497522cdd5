#pragma once
// name-addr and addr-spec with their header parameters: From, To, Contact, Route, Record-Route (RFC 3261 20.10, 25.1).
#include <optional>
#include <string_view>

namespace perdure::sip {

// Views into the text that was parsed, which must outlive it.
struct NameAddr {
  std::string_view display;  // as written, with quotes and escapes; empty if none
  std::string_view uri;      // without angle brackets; its scheme and characters are checked, its parts are not (Uri::parse)
  std::string_view params;   // of the header: ";tag=x" or empty
  std::string_view tag;      // empty if none
  bool bracketed = false;

  // nullopt: malformed. An unquoted display name may hold other than token characters, since many senders do that, but no comma
  // (RFC 4475 3.1.2.15).
  // Without brackets all parameters belong to the header, and ',' or '?' in the URI is malformed.
  [[nodiscard]] static std::optional<NameAddr> parse(std::string_view text);
  [[nodiscard]] std::optional<std::string_view> param(std::string_view name) const;
};

}  // namespace perdure::sip

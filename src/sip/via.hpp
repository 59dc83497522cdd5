#pragma once
// One Via value: RFC 3261 20.42, RFC 3581 (rport).
#include <cstdint>
#include <optional>
#include <string_view>

namespace perdure::sip {

// Views into the text that was parsed, which must outlive it.
struct Via {
  std::string_view text;       // the whole value
  std::string_view protocol;   // "SIP/2.0", as written
  std::string_view transport;  // "UDP", as written
  std::string_view host;       // an IPv6 reference keeps its brackets
  std::string_view params;     // ";branch=x" or empty
  std::string_view branch;
  std::string_view received;  // as written: RFC 5118 4.5 allows brackets or none
  std::string_view rport;     // digits, empty if absent or without value
  std::string_view maddr;
  std::uint16_t port = 0;  // 0: not given
  bool has_rport = false;
  std::optional<std::uint8_t> ttl;

  [[nodiscard]] static std::optional<Via> parse(std::string_view text);
};

}  // namespace perdure::sip

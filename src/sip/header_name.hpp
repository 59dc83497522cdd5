#pragma once
// Header field names known by number, so that a lookup is an index. RFC 3261 7.3.1: case-insensitive, with compact forms (7.3.3).
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perdure::sip {

enum class HeaderName : std::uint8_t {
  Other,
  Via,
  From,
  To,
  CallId,
  CSeq,
  Contact,
  MaxForwards,
  Route,
  RecordRoute,
  ContentLength,
  ContentType,
  Require,
  ProxyRequire,
  Supported,
  Unsupported,
  Expires,
  Reason,
  RetryAfter,
  WwwAuthenticate,
  ProxyAuthenticate,
  Authorization,
  ProxyAuthorization,
  UserAgent,
  Server,
  Path,
  PAssertedIdentity,
  PPreferredIdentity,
  Privacy,
  Allow,
  Accept,
  Event,
  SubscriptionState,
  ReferTo,
  ReferredBy,
  Replaces,
  SessionExpires,
  MinSe,
  MinExpires,
  Timestamp,
  Date,
  Subject,
  Warning,
  RSeq,
  RAck,
  ContentEncoding,
  ContentDisposition,
  MimeVersion,
  MaxBreadth,
  Identity,
  Diversion,
  HistoryInfo,
  ServiceRoute,
  AlertInfo,
  CallInfo,
  Organization,
  Priority,
  AllowEvents,
};
inline constexpr std::size_t header_names = static_cast<std::size_t>(HeaderName::AllowEvents) + 1;

// The long form, "Call-ID"; empty for Other.
[[nodiscard]] std::string_view name(HeaderName header);
[[nodiscard]] HeaderName header_name_from(std::string_view name);

}  // namespace perdure::sip

#include "sip/header_name.hpp"

#include <array>

#include "base/case.hpp"

namespace perdure::sip {
namespace {

// In the order of HeaderName.
constexpr std::array<std::string_view, header_names> names = {"",
                                                              "Via",
                                                              "From",
                                                              "To",
                                                              "Call-ID",
                                                              "CSeq",
                                                              "Contact",
                                                              "Max-Forwards",
                                                              "Route",
                                                              "Record-Route",
                                                              "Content-Length",
                                                              "Content-Type",
                                                              "Require",
                                                              "Proxy-Require",
                                                              "Supported",
                                                              "Unsupported",
                                                              "Expires",
                                                              "Reason",
                                                              "Retry-After",
                                                              "WWW-Authenticate",
                                                              "Proxy-Authenticate",
                                                              "Authorization",
                                                              "Proxy-Authorization",
                                                              "User-Agent",
                                                              "Server",
                                                              "Path",
                                                              "P-Asserted-Identity",
                                                              "P-Preferred-Identity",
                                                              "Privacy",
                                                              "Allow",
                                                              "Accept",
                                                              "Event",
                                                              "Subscription-State",
                                                              "Refer-To",
                                                              "Referred-By",
                                                              "Replaces",
                                                              "Session-Expires",
                                                              "Min-SE",
                                                              "Min-Expires",
                                                              "Timestamp",
                                                              "Date",
                                                              "Subject",
                                                              "Warning",
                                                              "RSeq",
                                                              "RAck",
                                                              "Content-Encoding",
                                                              "Content-Disposition",
                                                              "MIME-Version",
                                                              "Max-Breadth",
                                                              "Identity",
                                                              "Diversion",
                                                              "History-Info",
                                                              "Service-Route",
                                                              "Alert-Info",
                                                              "Call-Info",
                                                              "Organization",
                                                              "Priority",
                                                              "Allow-Events"};

// The IANA registry of SIP compact forms, as far as the long form is known here.
constexpr HeaderName compact(char c) {
  switch (to_lower(c)) {
    case 'b':
      return HeaderName::ReferredBy;
    case 'c':
      return HeaderName::ContentType;
    case 'e':
      return HeaderName::ContentEncoding;
    case 'f':
      return HeaderName::From;
    case 'i':
      return HeaderName::CallId;
    case 'k':
      return HeaderName::Supported;
    case 'l':
      return HeaderName::ContentLength;
    case 'm':
      return HeaderName::Contact;
    case 'o':
      return HeaderName::Event;
    case 'r':
      return HeaderName::ReferTo;
    case 's':
      return HeaderName::Subject;
    case 't':
      return HeaderName::To;
    case 'u':
      return HeaderName::AllowEvents;
    case 'v':
      return HeaderName::Via;
    case 'x':
      return HeaderName::SessionExpires;
    case 'y':
      return HeaderName::Identity;
    default:
      return HeaderName::Other;
  }
}

constexpr std::size_t slots = 256;

constexpr std::size_t slot(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(to_lower(text[i]))); };
  return (text.size() * 53 + at(0) * 7 + at(text.size() - 1) * 31 + at(text.size() / 2) * 3) % slots;
}

// Open addressing; slot 0 of a name that is not there ends the search.
consteval std::array<std::uint8_t, slots> make_index() {
  std::array<std::uint8_t, slots> index{};
  for (std::size_t i = 1; i < names.size(); ++i) {
    std::size_t position = slot(names[i]);
    while (index[position]) position = (position + 1) % slots;
    index[position] = static_cast<std::uint8_t>(i);
  }
  return index;
}
constexpr auto index_table = make_index();

}  // namespace

std::string_view name(HeaderName header) {
  return names[static_cast<std::size_t>(header)];
}

HeaderName header_name_from(std::string_view name) {
  if (name.empty()) return HeaderName::Other;
  if (name.size() == 1) return compact(name.front());
  for (std::size_t position = slot(name); index_table[position]; position = (position + 1) % slots) {
    const std::string_view known = names[index_table[position]];
    if (known == name || equals_ignore_case(known, name)) return static_cast<HeaderName>(index_table[position]);
  }
  return HeaderName::Other;
}

}  // namespace perdure::sip

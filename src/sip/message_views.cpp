// What is in the lines of a message, parsed when asked for; and what a proxy demands of it (RFC 3261 16.3).
#include "base/case.hpp"
#include "sip/chars.hpp"
#include "sip/message.hpp"

namespace perdure::sip {
namespace {

constexpr std::uint32_t cseq_limit = std::uint32_t{1} << 31;  // RFC 3261 8.1.1.5

}  // namespace

const HeaderField* Message::find(HeaderName header) const {
  const std::uint8_t first = first_[static_cast<std::size_t>(header)];
  return first ? &fields_[first - 1] : nullptr;
}

const HeaderField* Message::find(std::string_view header) const {
  const HeaderName known = header_name_from(header);
  if (known != HeaderName::Other) return find(known);
  for (const HeaderField& field : headers())
    if (field.name == HeaderName::Other && equals_ignore_case(name(field), header)) return &field;
  return nullptr;
}

const Via* Message::top_via() const {
  return via_.get([this]() -> std::optional<Via> {
    for (const Value& value : values(HeaderName::Via)) return Via::parse(value.text);
    return std::nullopt;
  });
}

std::optional<CSeq> Message::parse_cseq() const {
  const HeaderField* field = find(HeaderName::CSeq);
  if (!field) return std::nullopt;
  const std::string_view text = value(*field);
  const std::size_t digits = chars::span(text, chars::digit);
  const auto number = chars::number<std::uint32_t>(text.substr(0, digits));
  const std::string_view method_name = chars::trim_left(text.substr(digits));
  if (!number || *number >= cseq_limit || !chars::is_token(method_name) || method_name.size() + digits == text.size()) return std::nullopt;
  return CSeq{*number, method_name, method_from(method_name)};
}

const CSeq* Message::cseq() const {
  return cseq_.get([this] { return parse_cseq(); });
}

const NameAddr* Message::address(HeaderName header, Lazy<NameAddr>& cache) const {
  return cache.get([this, header]() -> std::optional<NameAddr> {
    const HeaderField* field = find(header);
    return field ? NameAddr::parse(value(*field)) : std::nullopt;
  });
}

const NameAddr* Message::from() const {
  return address(HeaderName::From, from_);
}
const NameAddr* Message::to() const {
  return address(HeaderName::To, to_);
}

const Uri* Message::uri() const {
  return uri_.get([this] { return Uri::parse(request_uri_); });
}

const Uri* Message::from_uri() const {
  return from_uri_.get([this] { return from() ? Uri::parse(from()->uri) : std::nullopt; });
}
const Uri* Message::to_uri() const {
  return to_uri_.get([this] { return to() ? Uri::parse(to()->uri) : std::nullopt; });
}

std::string_view Message::call_id() const {
  const HeaderField* field = find(HeaderName::CallId);
  if (!field) return {};
  const std::string_view text = value(*field);
  for (const char c : text)
    if (c != '@' && !chars::is(c, chars::word)) return {};
  return text;
}

std::optional<std::uint32_t> Message::max_forwards() const {
  const HeaderField* field = find(HeaderName::MaxForwards);
  if (!field) return std::nullopt;
  const auto number = chars::number<std::uint32_t>(value(*field));
  return number && *number <= 255 ? number : std::nullopt;
}

std::optional<ParseError> Message::check_single_values() const {
  struct Rule {
    HeaderName header;
    std::string_view missing;  // empty: it may be
    std::string_view repeated;
  };
  static constexpr Rule rules[] = {{HeaderName::Via, "Missing Via header", {}},
                                   {HeaderName::From, "Missing From header", "Multiple From headers"},
                                   {HeaderName::To, "Missing To header", "Multiple To headers"},
                                   {HeaderName::CallId, "Missing Call-ID header", "Multiple Call-ID headers"},
                                   {HeaderName::CSeq, "Missing CSeq header", "Multiple CSeq headers"},
                                   {HeaderName::MaxForwards, {}, "Multiple Max-Forwards headers"}};
  for (const Rule& rule : rules) {
    const std::size_t found = count(rule.header);
    if (found == 0 && !rule.missing.empty()) return ParseError{400, rule.missing};
    if (found > 1 && !rule.repeated.empty()) return ParseError{400, rule.repeated};
  }
  return std::nullopt;
}

std::optional<ParseError> Message::check_request() const {
  // RFC 3261 19.1.1 (table 1): headers are not allowed in a Request-URI.
  if (!uri() || uri()->has_headers) return ParseError{400, "Bad Request-URI"};
  if (find(HeaderName::MaxForwards) && !max_forwards()) return ParseError{400, "Bad Max-Forwards header"};
  if (cseq()->method_name != method_name_) return ParseError{400, "CSeq method does not match"};
  return std::nullopt;
}

std::expected<void, ParseError> Message::check() const {
  if (error_.status) return std::unexpected(error_);
  if (version_ != "SIP/2.0" && !equals_ignore_case(version_, "SIP/2.0")) return std::unexpected(ParseError{505, "Version Not Supported"});
  if (const auto error = check_single_values()) return std::unexpected(*error);
  if (!top_via()) return std::unexpected(ParseError{400, "Bad Via header"});
  if (!from_uri()) return std::unexpected(ParseError{400, "Bad From header"});
  if (!to_uri()) return std::unexpected(ParseError{400, "Bad To header"});
  if (call_id().empty()) return std::unexpected(ParseError{400, "Bad Call-ID header"});
  if (!cseq()) return std::unexpected(ParseError{400, "Bad CSeq header"});
  if (is_request())
    if (const auto error = check_request()) return std::unexpected(*error);
  return {};
}

}  // namespace perdure::sip

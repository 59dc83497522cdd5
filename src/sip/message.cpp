// The one pass over a message: start line, header lines, body. What is in the lines is in message_views.cpp.
#include "sip/message.hpp"

#include "base/case.hpp"
#include "sip/chars.hpp"

namespace perdure::sip {
namespace {

// SIP-Version of any number: 505 is for check() to say.
bool is_version(std::string_view text) {
  if (text.size() < 7 || !equals_ignore_case(text.substr(0, 4), "SIP/")) return false;
  const std::size_t major = chars::span(text, chars::digit, 4);
  if (major == 0 || 4 + major >= text.size() || text[4 + major] != '.') return false;
  const std::size_t minor = chars::span(text, chars::digit, 5 + major);
  return minor > 0 && 5 + major + minor == text.size();
}

}  // namespace

void Message::reset(std::string_view bytes) {
  bytes_ = bytes;
  method_name_ = request_uri_ = reason_ = version_ = {};
  headers_begin_ = headers_end_ = body_begin_ = static_cast<std::uint32_t>(bytes.size());
  kind_ = Kind::None;
  method_ = Method::Other;
  status_ = field_count_ = 0;
  error_ = {0, {}};
  first_.fill(0);
  counts_.fill(0);
  via_.seen = Seen::Unknown;
  cseq_.seen = Seen::Unknown;
  from_.seen = to_.seen = Seen::Unknown;
  uri_.seen = from_uri_.seen = to_uri_.seen = Seen::Unknown;
}

void Message::refuse(std::uint16_t status, std::string_view reason) {
  if (!error_.status) error_ = {status, reason};
}

std::expected<void, ParseError> Message::parse(std::string_view datagram) {
  while (!datagram.empty() && (datagram.front() == '\r' || datagram.front() == '\n')) datagram.remove_prefix(1);
  if (datagram.size() > message_size_bytes_max) {
    datagram = datagram.substr(0, message_size_bytes_max);
    reset(datagram);
    refuse(513, "Message Too Large");
  } else {
    reset(datagram);
  }
  const Line start = next_line(bytes_, 0);
  parse_start_line(start.end ? bytes_.substr(0, start.content_end) : chars::trim_right(bytes_));
  if (start.lone_cr) refuse(400, "Bad start line");
  if (start.end) {
    headers_begin_ = static_cast<std::uint32_t>(start.end);
    const std::size_t body_begin = parse_headers(start.end);
    parse_content_length(body_begin);
  } else {
    refuse(400, "Headers do not end with an empty line");
  }
  if (error_.status) return std::unexpected(error_);
  return {};
}

void Message::parse_start_line(std::string_view line) {
  if (line.size() >= 4 && equals_ignore_case(line.substr(0, 4), "SIP/"))
    parse_status_line(line);
  else
    parse_request_line(line);
}

void Message::parse_request_line(std::string_view line) {
  const std::string_view trimmed = chars::trim(line);
  const std::size_t method_length = chars::span(trimmed, chars::token);
  const std::size_t last_space = trimmed.rfind(' ');
  if (method_length == 0 || last_space == std::string_view::npos || last_space < method_length ||
      !is_version(trimmed.substr(last_space + 1)))
    return refuse(400, "Bad start line");
  kind_ = Kind::Request;
  method_name_ = trimmed.substr(0, method_length);
  method_ = method_from(method_name_);
  version_ = trimmed.substr(last_space + 1);
  request_uri_ = chars::trim(trimmed.substr(method_length, last_space - method_length));
  // Exactly one space at each place (RFC 3261 7.1, RFC 4475 3.1.2.8 to 3.1.2.10). A space in the middle fails as a URI.
  if (trimmed.size() != line.size() || trimmed[method_length] != ' ' || method_length + 1 + request_uri_.size() != last_space ||
      request_uri_.data() != trimmed.data() + method_length + 1)
    refuse(400, "Bad Request-Line");
}

void Message::parse_status_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  version_ = line.substr(0, space);
  if (space == std::string_view::npos || !is_version(version_)) return refuse(400, "Bad start line");
  const std::string_view rest = line.substr(space + 1);
  const std::size_t digits = chars::span(rest, chars::digit);
  const auto code = chars::number<std::uint16_t>(rest.substr(0, digits));
  if (digits != 3 || !code || *code < 100 || *code > 699 || (rest.size() > 3 && rest[3] != ' ')) return refuse(400, "Bad Status-Line");
  kind_ = Kind::Response;
  status_ = *code;
  reason_ = rest.size() > 4 ? rest.substr(4) : std::string_view{};
}

std::size_t Message::parse_headers(std::size_t position) {
  while (true) {
    const Line line = next_field(bytes_, position);
    if (line.end == 0) {
      refuse(400, "Headers do not end with an empty line");
      headers_end_ = static_cast<std::uint32_t>(position);
      return bytes_.size();
    }
    if (line.empty()) {
      headers_end_ = static_cast<std::uint32_t>(position);
      return line.end;
    }
    parse_header_line(line);
    position = line.end;
  }
}

void Message::parse_header_line(const Line& line) {
  const std::size_t begin = line.begin, content_end = line.content_end;
  const std::string_view content = bytes_.substr(0, content_end);
  const std::size_t name_length = chars::span(content, chars::token, begin);
  std::size_t position = begin + name_length;
  while (position < content_end && (content[position] == ' ' || content[position] == '\t')) ++position;
  if (name_length == 0 || position == content_end || content[position] != ':') return refuse(400, "Bad header line");
  if (line.lone_cr) return refuse(400, "Bad header line");
  if (field_count_ == headers_max) return refuse(513, "Too many header fields");
  ++position;
  position += chars::span(content, chars::lws, position);
  std::size_t value_end = content_end;
  while (value_end > position && chars::is(content[value_end - 1], chars::lws)) --value_end;

  HeaderField& field = fields_[field_count_++];
  field.name = header_name_from(content.substr(begin, name_length));
  field.begin = static_cast<std::uint32_t>(begin);
  field.end = static_cast<std::uint32_t>(line.end);
  field.name_length = static_cast<std::uint32_t>(name_length);
  field.value_begin = static_cast<std::uint32_t>(position);
  field.value_end = static_cast<std::uint32_t>(value_end);
  const auto index = static_cast<std::size_t>(field.name);
  if (counts_[index]++ == 0) first_[index] = static_cast<std::uint8_t>(field_count_);
}

// RFC 3261 18.3: a datagram that is longer than its Content-Length says is cut, one that is shorter is refused.
void Message::parse_content_length(std::size_t body_begin) {
  body_begin_ = static_cast<std::uint32_t>(body_begin);
  const HeaderField* field = find(HeaderName::ContentLength);
  if (!field) return;
  if (count(HeaderName::ContentLength) > 1) return refuse(400, "Multiple Content-Length headers");
  const auto length = chars::number<std::uint32_t>(value(*field));
  if (!length) return refuse(400, "Bad Content-Length header");
  if (*length > bytes_.size() - body_begin) return refuse(400, "Content-Length larger than datagram");
  bytes_ = bytes_.substr(0, body_begin + *length);
}

}  // namespace perdure::sip

#include "sip/framer.hpp"

#include "sip/chars.hpp"
#include "sip/lines.hpp"

namespace perdure::sip {
namespace {

struct Length {
  bool valid = true;
  std::optional<std::size_t> bytes;
};

// Content-Length in the header lines of `headers`, start line included.
Length content_length(std::string_view headers) {
  Length length;
  for (Line line = next_line(headers, 0); line.end && line.end < headers.size();) {
    line = next_field(headers, line.end);
    if (line.end == 0 || line.empty()) break;
    const std::string_view content = headers.substr(line.begin, line.content_end - line.begin);
    const std::size_t name = chars::span(content, chars::token);
    if (header_name_from(content.substr(0, name)) != HeaderName::ContentLength) continue;
    const std::string_view rest = chars::trim_left(content.substr(name));
    const auto bytes = rest.starts_with(':') ? chars::number<std::uint32_t>(chars::trim(rest.substr(1))) : std::nullopt;
    if (!bytes || length.bytes) return {false, std::nullopt};
    length.bytes = *bytes;
  }
  return length;
}

}  // namespace

Frame StreamFramer::fail(std::string_view buffer, std::uint16_t status, std::string_view reason) {
  Frame frame;
  frame.kind = Frame::Kind::Error;
  frame.consumed = buffer.size();
  frame.message = buffer;
  frame.error = {status, reason};
  scanned_ = frame_bytes_ = 0;
  return frame;
}

Frame StreamFramer::next(std::string_view buffer) {
  Frame frame;
  if (scanned_ == 0 && !buffer.empty() && (buffer.front() == '\r' || buffer.front() == '\n')) {
    if (buffer.front() == '\r' && buffer.size() == 1) return frame;
    if (buffer.front() == '\n' || buffer[1] == '\n') {
      frame.consumed = buffer.front() == '\n' ? 1 : 2;
      frame.kind = after_crlf_ ? Frame::Kind::Ping : Frame::Kind::Pong;
      after_crlf_ = !after_crlf_;
      return frame;
    }
  }
  while (frame_bytes_ == 0) {
    const Line line = next_line(buffer, scanned_);
    if (line.end == 0) {
      if (buffer.size() > message_size_max_) return fail(buffer, 513, "Message Too Large");
      return frame;
    }
    scanned_ = line.end;
    if (scanned_ > message_size_max_) return fail(buffer, 513, "Message Too Large");
    if (!line.empty()) continue;
    const std::string_view headers = buffer.substr(0, line.end);
    const Length length = content_length(headers);
    if (!length.valid) return fail(headers, 400, "Bad Content-Length header");
    // RFC 3261 18.3: without it the end of the message is not known, and nothing after it can be believed.
    if (!length.bytes) return fail(headers, 400, "Missing Content-Length header");
    if (*length.bytes > message_size_max_ - headers.size()) return fail(headers, 513, "Message Too Large");
    frame_bytes_ = headers.size() + *length.bytes;
  }
  if (buffer.size() < frame_bytes_) return frame;
  frame.kind = Frame::Kind::Message;
  frame.consumed = frame_bytes_;
  frame.message = buffer.substr(0, frame_bytes_);
  scanned_ = frame_bytes_ = 0;
  after_crlf_ = false;
  return frame;
}

}  // namespace perdure::sip

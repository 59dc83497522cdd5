#include "edge/connections/websocket.hpp"

#include <algorithm>

namespace perdure::edge {
namespace {

using Kind = WebFrame::Kind;

enum Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, closing = 8, ping = 9, pong = 10 };

// RFC 6455 5.2, without a mask: a server's.
std::string frame_header(std::uint8_t opcode, std::size_t length) {
  std::string header(1, static_cast<char>(0x80 | opcode));
  if (length < 126) {
    header += static_cast<char>(length);
    return header;
  }
  const int bytes = length <= 0xFFFF ? 2 : 8;
  header += static_cast<char>(bytes == 2 ? 126 : 127);
  for (int i = bytes - 1; i >= 0; --i) header += static_cast<char>(length >> (8 * i) & 0xFF);
  return header;
}

std::string frame(std::uint8_t opcode, std::string_view payload) {
  return frame_header(opcode, payload.size()).append(payload);
}

// Browsers end a connection by which a text comes that is not UTF-8 (RFC 3629: no surrogates, nothing longer than need be).
bool is_utf8(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  for (std::size_t i = 0; i < bytes.size();) {
    const unsigned char first = at(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xF0 && first < 0xF5 ? 3 : 0;
    if (more == 0 || bytes.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((at(i + k) & 0xC0) != 0x80) return false;
    const unsigned char second = at(i + 1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second >= 0x90))
      return false;
    i += more + 1;
  }
  return true;
}

void unmask(std::span<char> payload, std::span<const char> mask) {
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
}

}  // namespace

std::string WebSocket::ping_frame() {
  return frame(ping, {});
}

std::string WebSocket::header_of(std::string_view message) {
  return frame_header(is_utf8(message) ? text : binary, message.size());
}

WebFrame WebSocket::fail(std::uint16_t code) {
  WebFrame result;
  result.kind = Kind::Close;
  result.failed = true;
  const char payload[2] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  result.answer = frame(closing, {payload, 2});
  return result;
}

WebFrame WebSocket::on_control(std::uint8_t opcode, std::string_view payload) {
  WebFrame result;
  switch (opcode) {
    case ping:
      result.kind = Kind::Answer;
      result.answer = frame(pong, payload);
      return result;
    case pong:
      result.kind = Kind::Ignored;
      return result;
    default:
      // The peer's reason comes back (5.5.1).
      result.kind = Kind::Close;
      result.answer = frame(closing, payload.substr(0, 2));
      return result;
  }
}

WebFrame WebSocket::next(std::span<char> buffer) {
  constexpr std::uint16_t protocol_error = 1002, too_big = 1009;
  if (!assembling_) kept_.clear();
  if (buffer.size() < 2) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(buffer[i]); };
  const bool last = (byte(0) & 0x80) != 0;
  const std::uint8_t opcode = byte(0) & 15;
  const bool control = opcode >= closing;
  // No extension is agreed on, a client masks (5.1), and a control frame is short and whole (5.5).
  if ((byte(0) & 0x70) != 0 || (byte(1) & 0x80) == 0 || (opcode > binary && !control) || opcode > pong) return fail(protocol_error);
  if (control && (!last || (byte(1) & 0x7F) > 125)) return fail(protocol_error);
  if (!control && (opcode == continuation) != assembling_) return fail(protocol_error);
  std::uint64_t length = byte(1) & 0x7F;
  std::size_t at = 2;
  if (length >= 126) {
    const std::size_t bytes = length == 126 ? 2 : 8;
    if (buffer.size() < 2 + bytes) return {};
    length = 0;
    for (std::size_t i = 0; i < bytes; ++i) length = length << 8 | byte(2 + i);
    at += bytes;
  }
  if (length > message_bytes_max_ - kept_.size()) return fail(too_big);
  if (buffer.size() - at < 4 + length) return {};
  const auto payload = buffer.subspan(at + 4, static_cast<std::size_t>(length));
  unmask(payload, buffer.subspan(at, 4));
  const std::string_view bytes(payload.data(), payload.size());
  WebFrame result;
  if (control) {
    result = on_control(opcode, bytes);
  } else if (last && !assembling_) {
    result.kind = Kind::Message;
    result.message = bytes;
  } else {
    kept_.append(bytes);
    assembling_ = !last;
    result.kind = last ? Kind::Message : Kind::Fragment;
    if (last) result.message = kept_;
  }
  result.consumed = at + 4 + static_cast<std::size_t>(length);
  return result;
}

}  // namespace perdure::edge

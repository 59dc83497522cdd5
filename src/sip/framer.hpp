#pragma once
// Messages in a byte stream (RFC 3261 18.3), with the keep-alives of RFC 5626 3.5.1 between them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sip/message.hpp"

namespace perdure::sip {

struct Frame {
  enum class Kind : std::uint8_t {
    NeedMore,  // nothing complete yet
    Message,   // `message` is one message, headers and body
    Pong,      // one CRLF: an answer to our ping, or the first half of the peer's
    Ping,      // the second of two CRLFs in a row: a server answers with one CRLF
    Error      // the stream is lost: answer `error` to `message`, which has the headers if any were found, and close
  };
  Kind kind = Kind::NeedMore;
  std::size_t consumed = 0;  // bytes to take from the front of the buffer before the next call
  std::string_view message;  // into the buffer
  ParseError error;
};

// One per connection. It remembers how far it has looked, so that a message that trickles in is scanned once.
class StreamFramer {
 public:
  explicit StreamFramer(std::size_t message_size_max) : message_size_max_(message_size_max) {}
  // `buffer`: all bytes received and not consumed yet; what an earlier call saw has not changed.
  [[nodiscard]] Frame next(std::string_view buffer);
  // The last frame was one CRLF: another one makes a ping of them. A framer that goes on elsewhere is given that CRLF first.
  [[nodiscard]] bool is_after_crlf() const { return after_crlf_; }

 private:
  [[nodiscard]] Frame fail(std::string_view buffer, std::uint16_t status, std::string_view reason);

  std::size_t message_size_max_;
  std::size_t scanned_ = 0;      // the start of the first line that was not complete
  std::size_t frame_bytes_ = 0;  // size of the whole message, 0: headers not complete yet
  bool after_crlf_ = false;
};

}  // namespace perdure::sip

#pragma once
// The server's side of a WebSocket connection (RFC 6455) that carries SIP (RFC 7118), sans I/O. Clients of proxies are always on the other
// side: nobody can connect to a browser.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::edge {

struct UpgradeResult {
  enum class Kind : std::uint8_t { NeedMore, Accepted, Refused };
  Kind kind = Kind::NeedMore;
  std::size_t consumed = 0;
  std::string reply;  // the HTTP response
};

inline constexpr std::size_t upgrade_bytes_max = 8192;

// The request that opens the connection; `bytes`: all that has been received. It must offer the subprotocol `sip` and, unless `origins` is
// empty, come from a page of one of them ("https://phone.example.org").
[[nodiscard]] UpgradeResult read_upgrade(std::string_view bytes, const std::vector<std::string>& origins);

struct WebFrame {
  enum class Kind : std::uint8_t {
    NeedMore,
    Message,   // `message`: a whole one
    Fragment,  // a part of one, kept
    Answer,    // `answer` is to be sent
    Ignored,   // a pong
    Close      // `answer` is to be sent, then the connection ends
  };
  Kind kind = Kind::NeedMore;
  std::size_t consumed = 0;
  std::string_view message;  // into the buffer, or into this object, until the next call
  std::string answer;
  bool failed = false;  // Close: the peer has not kept to the protocol
};

class WebSocket {
 public:
  explicit WebSocket(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}
  // `buffer`: all bytes received and not consumed; they are unmasked in place.
  [[nodiscard]] WebFrame next(std::span<char> buffer);
  // A message has begun, and its last fragment has not come.
  [[nodiscard]] bool is_assembling() const { return assembling_; }
  [[nodiscard]] std::size_t kept_bytes() const { return kept_.size(); }
  // What has come of a message in fragments; another object goes on with it.
  [[nodiscard]] std::string_view kept() const { return kept_; }
  void go_on(std::string kept) {
    kept_ = std::move(kept);
    assembling_ = true;
  }

  // Asks for a sign of life.
  [[nodiscard]] static std::string ping_frame();
  // What stands before a message that is sent: text where it is UTF-8, else binary.
  [[nodiscard]] static std::string header_of(std::string_view message);

 private:
  [[nodiscard]] WebFrame on_control(std::uint8_t opcode, std::string_view payload);
  [[nodiscard]] static WebFrame fail(std::uint16_t code);

  std::size_t message_bytes_max_;
  std::string kept_;
  bool assembling_ = false;
};

}  // namespace perdure::edge

// The messages of the generator: texts made once, in which the number of the call is patched at known places.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::bench {

enum class Transport : std::uint8_t { Udp, Tcp, Tls };

// What the topmost Via of a response, which is the caller's own, tells about it.
struct ResponseKey {
  std::uint32_t call = 0;
  char method = 0;  // 'i' INVITE and CANCEL, which share a branch, 'b' BYE
  int status = 0;
};
// nullopt: not ours. `run` is the mark of this run: servers remember calls of an earlier one, which must not be taken for ours, nor ours
// for theirs.
[[nodiscard]] std::optional<ResponseKey> response_key(std::string_view text, std::string_view run);

// The Request-URI of every request names the call.
struct RequestKey {
  std::uint32_t call = 0;
  char method = 0;  // first letter: I, A, B, C
};
[[nodiscard]] std::optional<RequestKey> request_key(std::string_view text, std::string_view run);

// Is this a response to CANCEL, by its CSeq?
[[nodiscard]] bool answers_cancel(std::string_view text);

// Copies to `out` what a response repeats of its request (RFC 3261 8.2.6.2), with a To tag if there is none: at most `size` bytes, 0 if
// they do not fit.
[[nodiscard]] std::size_t copy_headers(std::string_view request, std::uint32_t call, char* out, std::size_t size);

// Copies the route set out of a 2xx as Route lines: Record-Route in reverse order (RFC 3261 12.1.2). 0 if they do not fit.
[[nodiscard]] std::size_t copy_route(std::string_view response, char* out, std::size_t size);

// A text with the number of the call, eight hexadecimal digits, in some places.
class Pattern {
 public:
  Pattern() = default;
  // "########" stands where the number goes.
  explicit Pattern(std::string text);
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  // Returns the end of what was written.
  char* write(char* out, std::uint32_t call) const;

 private:
  std::string text_;
  std::vector<std::size_t> places_;
};

// The messages between one port of callers and one of callees, or two connections by their local ports.
struct Messages {
  // `run`: eight characters of a token.
  Messages(Transport transport, std::uint16_t caller_port, std::uint16_t callee_port, std::string_view run);

  Pattern invite, cancel, reject_ack;
  // ACK to a 2xx and BYE: the Route lines go between head and tail.
  Pattern ack_head, ack_tail, bye_head, bye_tail;
  // Responses to INVITE: what follows the copied headers.
  Pattern ringing_tail, ok_tail;
};

char* append(char* out, std::string_view text);

}  // namespace perdure::bench

#pragma once
// Session descriptions (RFC 8866) as a proxy looks at them: which media, codecs and directions an offer or answer has. Views over bytes
// that the caller owns; nothing is copied.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace perdure::sip {

// One line, "a=rtpmap:8 PCMA/8000".
struct SdpLine {
  char type = 0;           // before the '='
  std::string_view value;  // behind it, without the line end
  std::string_view text;   // the whole line with its line end
};

// Walks the lines in order; a line without '=' at its second place is passed over.
class SdpLines {
 public:
  explicit SdpLines(std::string_view text) : rest_(text) {}
  [[nodiscard]] std::optional<SdpLine> next();

 private:
  std::string_view rest_;
};

enum class MediaDirection : std::uint8_t { SendReceive, SendOnly, ReceiveOnly, Inactive };

struct SdpMedia {
  std::string_view text;       // from its m= line to the next one or the end
  std::string_view m_line;     // whole, with its line end
  std::string_view type;       // "audio"
  std::string_view port;       // "4000" or "4000/2"
  std::string_view transport;  // "RTP/AVP"
  std::string_view formats;    // "0 8 101"
  std::string_view address;    // of its c= line or that of the session; empty if there is none
  MediaDirection direction = MediaDirection::SendReceive;
};

// The next of a list with single separators: "0 8 101", "PCMU,PCMA"; empty ones are passed over.
[[nodiscard]] std::optional<std::string_view> next_in_list(std::string_view& rest, char separator);

struct SessionDescription {
  static constexpr std::size_t media_max = 32;  // more are no session description

  std::string_view text, session;  // all of it; what stands before the first m= line
  std::vector<SdpMedia> media;

  // nullopt: it does not begin with v=, an m= line lacks a part, or there are too many.
  [[nodiscard]] static std::optional<SessionDescription> parse(std::string_view text);
};

// "PCMA", of that format in this medium: what its rtpmap says, or RFC 3551 6; empty if it has no name.
[[nodiscard]] std::string_view codec_name(const SdpMedia& media, std::string_view format);
// The format that a line is about: a=rtpmap, a=fmtp and a=rtcp-fb; empty if it is about none.
[[nodiscard]] std::string_view format_of(const SdpLine& line);

}  // namespace perdure::sip

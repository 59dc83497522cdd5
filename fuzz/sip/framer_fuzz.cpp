// A byte stream, in one piece and in many: the frames are the same, and parser and framer agree where a message ends.
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "sip/framer.hpp"

namespace {

using namespace perdure;
using fuzz::expect;
using sip::Frame;

constexpr std::size_t size_max = 2048;

struct Seen {
  Frame::Kind kind;
  std::uint16_t status;
  std::string text;
  bool operator==(const Seen&) const = default;
};

// Frames as a connection takes them, up to the first error. `pieces` gives the sizes of what arrives, repeated; empty: all at once.
std::vector<Seen> frames(std::string_view stream, std::string_view pieces) {
  sip::StreamFramer framer(size_max);
  std::vector<Seen> seen;
  std::string buffer;
  std::size_t received = 0;
  for (std::size_t i = 0; received < stream.size(); ++i) {
    const std::size_t size = pieces.empty() ? stream.size() : 1 + static_cast<std::uint8_t>(pieces[i % pieces.size()]) % 64;
    const std::string_view piece = stream.substr(received, size);
    buffer += piece;
    received += piece.size();
    while (true) {
      const Frame frame = framer.next(buffer);
      if (frame.kind == Frame::Kind::NeedMore) {
        expect(frame.consumed == 0, "bytes taken without a frame");
        break;
      }
      expect(frame.consumed > 0 && frame.consumed <= buffer.size(), "a frame of no bytes, or of more than there are");
      const bool lost = frame.kind == Frame::Kind::Error;
      expect(!lost || (frame.error.status >= 400 && !frame.error.reason.empty()), "an error without a reason");
      // What an error keeps depends on how much had come.
      seen.push_back({frame.kind, lost ? frame.error.status : std::uint16_t{0}, std::string(lost ? std::string_view{} : frame.message)});
      if (lost) return seen;
      buffer.erase(0, frame.consumed);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view pieces = input.take(1 + input.byte() % 4);
  const std::string_view stream = input.rest();
  const auto whole = frames(stream, {});
  if (!pieces.empty()) expect(frames(stream, pieces) == whole, "pieces are framed otherwise than the whole");
  sip::Message message;
  for (const Seen& frame : whole) {
    if (frame.kind != Frame::Kind::Message || !message.parse(frame.text)) continue;
    const std::size_t start = frame.text.find_first_not_of("\r\n");
    expect(message.bytes() == std::string_view(frame.text).substr(start), "framer and parser see another end of the message");
  }
  return 0;
}

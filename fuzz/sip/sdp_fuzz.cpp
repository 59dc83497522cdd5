// A session description and a body of several parts: what the readers find lies in the text, in order and without a gap.
#include <string>

#include "fuzz/input.hpp"
#include "fuzz/sip/message_checks.hpp"
#include "sip/multipart.hpp"
#include "sip/sdp.hpp"

namespace {

using namespace perdure;
using namespace perdure::sip;
using fuzz::expect;

void try_description(std::string_view text) {
  std::size_t at = 0;
  SdpLines lines(text);
  while (const auto line = lines.next()) {
    expect(checks::inside(line->text, text) && checks::inside(line->value, line->text), "a line outside of the text");
    const auto begin = static_cast<std::size_t>(line->text.data() - text.data());
    expect(begin >= at && !line->text.empty(), "lines out of order");
    at = begin + line->text.size();
  }
  const auto sdp = SessionDescription::parse(text);
  if (!sdp) return;
  std::string whole(sdp->session);
  expect(sdp->media.size() <= SessionDescription::media_max, "more media than there may be");
  for (const auto& media : sdp->media) {
    whole += media.text;
    expect(media.text.starts_with(media.m_line) && media.m_line.starts_with("m="), "a medium without its line");
    expect(!media.type.empty() && !media.port.empty() && !media.transport.empty(), "a medium that lacks a part");
    for (const auto part : {media.type, media.port, media.transport, media.formats})
      expect(checks::inside(part, media.m_line), "a part outside of its line");
    std::string_view rest = media.formats;
    while (const auto format = next_in_list(rest, ' ')) {
      expect(!format->empty(), "an empty format");
      const auto name = codec_name(media, *format);
      expect(name.find_first_of("\r\n/") == std::string_view::npos, "a codec's name that is none");
    }
  }
  expect(whole == text, "session and media are not the text");
}

void try_parts(std::string_view text) {
  const std::size_t end = text.find('\n');
  const auto boundary = multipart_boundary(text.substr(0, end));
  if (!boundary || end == std::string_view::npos) return;
  const std::string_view body = text.substr(end + 1);
  std::size_t at = 0, count = 0;
  PartReader reader(body, *boundary);
  while (const auto part = reader.next()) {
    expect(++count <= body.size(), "more parts than bytes");
    if (part->content.empty()) continue;
    expect(checks::inside(part->content, body), "a part outside of the body");
    const auto begin = static_cast<std::size_t>(part->content.data() - body.data());
    expect(begin >= at, "parts out of order");
    at = begin + part->content.size();
    (void)part->header("Content-Type");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (input.byte() % 2 == 0)
    try_description(input.rest());
  else
    try_parts(input.rest());
  return 0;
}

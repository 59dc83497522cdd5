// What comes before and around messages on a connection: the header of the PROXY protocol, the upgrade to WebSocket, its frames. In any
// pieces the outcome is that of the whole, and nothing is read beyond what has come.
#include <string>
#include <vector>

#include "edge/connections/proxy_protocol.hpp"
#include "edge/connections/websocket.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure::edge;
using perdure::fuzz::expect;

constexpr std::size_t message_bytes_max = 1000;

void proxy_header(std::string_view bytes) {
  const auto whole = read_proxy_header(bytes);
  expect(whole.kind != ProxyHeader::Kind::Done || (whole.consumed > 0 && whole.consumed <= bytes.size()), "more than there is");
  for (std::size_t size = 0; size < bytes.size() && size < 300; ++size) {
    const auto part = read_proxy_header(bytes.substr(0, size));
    if (part.kind == ProxyHeader::Kind::NeedMore) continue;
    expect(part.kind == whole.kind && part.consumed == whole.consumed && part.source == whole.source, "a part means something else");
    break;
  }
}

void upgrade(std::string_view bytes) {
  const auto result = read_upgrade(bytes, {});
  expect(result.kind == UpgradeResult::Kind::NeedMore || result.reply.ends_with("\r\n\r\n"), "half an answer");
  expect(result.consumed <= bytes.size(), "more than there is");
  const auto strict = read_upgrade(bytes, {"https://phone.example.org"});
  expect(strict.kind != UpgradeResult::Kind::Accepted || result.kind == UpgradeResult::Kind::Accepted, "an origin opens a closed door");
}

// Kinds, messages and answers of a stream that comes in pieces of that size.
std::string frames(std::string_view bytes, std::size_t piece) {
  WebSocket web(message_bytes_max);
  std::string buffer, log;
  while (!bytes.empty()) {
    buffer.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (true) {
      const WebFrame frame = web.next(buffer);
      if (frame.kind == WebFrame::Kind::NeedMore) break;
      expect(frame.message.size() <= message_bytes_max && web.kept_bytes() <= message_bytes_max, "too long a message");
      log.append(1, static_cast<char>('0' + static_cast<int>(frame.kind))).append(frame.message).append(frame.answer).append("|");
      if (frame.kind == WebFrame::Kind::Close) return log;
      expect(frame.consumed > 0 && frame.consumed <= buffer.size(), "a frame of no or too many bytes");
      buffer.erase(0, frame.consumed);
    }
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  perdure::fuzz::Input input(data, size);
  const std::uint8_t mode = input.byte();
  const std::string_view bytes = input.rest();
  switch (mode % 3) {
    case 0:
      proxy_header(bytes);
      break;
    case 1:
      upgrade(bytes);
      break;
    default:
      expect(frames(bytes, 1 + mode / 3) == frames(bytes, 1 << 20), "in pieces it is something else");
  }
  return 0;
}

// The channel between edge and engine: bytes in any pieces are the same messages as in one, and a reader never waits for the impossible.
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "edge/channel.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure;
using edge::Channel;
using fuzz::expect;

struct Ends {
  int raw = -1, reader = -1;
  Ends() {
    int both[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0, "no socket pair");
    raw = both[0];
    reader = both[1];
  }
};

using Messages = std::vector<std::pair<std::uint8_t, std::string>>;

// What the format says of the bytes, up to the first impossible length.
Messages read_whole(std::string_view bytes, bool& broken) {
  Messages messages;
  std::uint32_t size = 0;
  while (bytes.size() >= sizeof size) {
    std::memcpy(&size, bytes.data(), sizeof size);
    broken = size == 0 || size > edge::channel_message_bytes_max;
    if (broken || bytes.size() - sizeof size < size) break;
    messages.emplace_back(static_cast<std::uint8_t>(bytes[4]), bytes.substr(5, size - 1));
    bytes.remove_prefix(sizeof size + size);
  }
  return messages;
}

void take_all(Channel& channel, Messages& messages) {
  while (auto received = channel.take()) messages.emplace_back(static_cast<std::uint8_t>(received->type), std::move(received->payload));
}

// Bytes that nobody vouches for, in pieces.
void read_pieces(fuzz::Input& input) {
  const std::string_view pieces = input.take(1 + input.byte() % 4);
  const std::string_view stream = input.rest();
  const Ends ends;
  Channel writer(ends.raw), channel(ends.reader);
  Messages messages;
  bool open = true;
  for (std::size_t i = 0, sent = 0; open && sent < stream.size(); ++i) {
    const std::string_view piece = stream.substr(sent, 1 + static_cast<std::uint8_t>(pieces[i % pieces.size()]));
    expect(send(ends.raw, piece.data(), piece.size(), 0) == static_cast<ssize_t>(piece.size()), "cannot send");
    sent += piece.size();
    open = channel.fill();
    take_all(channel, messages);
  }
  bool broken = false;
  const auto expected = read_whole(stream, broken);
  expect(messages == expected, "other messages than were sent");
  expect(channel.is_broken() == broken && open == !broken, "an impossible length is not told, or a possible one is");
  for (const auto& [type, payload] : messages)
    if (const auto split = Channel::split_id(payload)) expect(Channel::with_id(split->first, split->second) == payload, "ids are lost");
}

// What one end sends comes out at the other.
void round_trip(fuzz::Input& input) {
  const Ends ends;
  Channel writer(ends.raw), channel(ends.reader);
  Messages sent, messages;
  while (!input.empty()) {
    const auto type = static_cast<edge::Message>(1 + input.byte() % 35);
    std::string payload(input.take(input.byte()));
    // Beyond what a socket holds, so that flush() has work.
    if (type == edge::Message::RpcResponse && !payload.empty()) payload.append(input.below(1U << 16) * 4, payload.front());
    expect(writer.send(type, payload), "cannot send");
    sent.emplace_back(static_cast<std::uint8_t>(type), std::move(payload));
  }
  while (messages.size() < sent.size()) {
    const std::size_t before = messages.size();
    const bool more = writer.wants_write();
    expect(writer.flush() && channel.fill(), "the other end is gone");
    take_all(channel, messages);
    expect(more || writer.wants_write() || messages.size() > before, "messages are lost");
  }
  expect(messages == sent, "other messages than were sent");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (input.byte() & 1)
    round_trip(input);
  else
    read_pieces(input);
  return 0;
}

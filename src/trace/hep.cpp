#include "trace/hep.hpp"

#include <cstring>
#include <string_view>

#include "trace/call.hpp"

namespace perdure::trace {
namespace {

// The generic chunks (vendor 0) that are used here.
enum class Chunk : std::uint16_t {
  Family = 1,
  Protocol = 2,
  IPv4Source = 3,
  IPv4Destination = 4,
  IPv6Source = 5,
  IPv6Destination = 6,
  SourcePort = 7,
  DestinationPort = 8,
  Seconds = 9,
  Microseconds = 10,
  Type = 11,
  CaptureId = 12,
  Password = 14,
  Payload = 15,
  CorrelationId = 17,
  NodeName = 19,
};

constexpr std::size_t chunk_header = 6, packet_bytes_max = 65'000;
constexpr std::uint8_t ipv4 = 2, ipv6 = 10, tcp = 6, udp = 17, sip = 1;

// The last `bytes` bytes of the number, as they go over the network. Returns where they end.
char* put(char* at, std::uint64_t number, std::size_t bytes) {
  while (bytes-- > 0) *at++ = static_cast<char>(number >> 8 * bytes);
  return at;
}
char* put_chunk_header(char* at, Chunk type, std::size_t length) {
  return put(put(put(at, 0 /* the vendor */, 2), static_cast<std::uint64_t>(type), 2), chunk_header + length, 2);
}

// The chunks of few bytes, put together here and appended as one: byte by byte they would cost more than the message.
class SmallChunks {
 public:
  void number(Chunk type, std::uint64_t value, std::size_t bytes) { end_ = put(put_chunk_header(end_, type, bytes), value, bytes); }
  void address(Chunk of_ipv4, Chunk of_ipv6, const SocketAddress& address) {
    const bool short_one = address.family == Family::IPv4;
    const std::size_t bytes = short_one ? 4 : 16;
    end_ = put_chunk_header(end_, short_one ? of_ipv4 : of_ipv6, bytes);
    std::memcpy(end_, address.ip.data(), bytes);
    end_ += bytes;
  }
  [[nodiscard]] std::string_view bytes() const { return {bytes_, static_cast<std::size_t>(end_ - bytes_)}; }

 private:
  char bytes_[10 * chunk_header + 2 * 16 + 2 * 2 + 3 * 4 + 3];  // of all that append_hep() puts in
  char* end_ = bytes_;
};

void text_chunk(std::string& out, Chunk type, std::string_view text) {
  if (text.empty()) return;
  char header[chunk_header];
  (void)put_chunk_header(header, type, text.size());
  out.append(header, sizeof header).append(text);
}

}  // namespace

void append_hep(const Entry& entry, const HepOptions& options, std::string& out) {
  if (entry.kind != EntryKind::Received && entry.kind != EntryKind::Sent) return;
  const bool in = entry.kind == EntryKind::Received;
  const SocketAddress &from = in ? entry.remote : entry.local, &to = in ? entry.local : entry.remote;
  const std::size_t begin = out.size();
  SmallChunks small;
  small.number(Chunk::Family, from.family == Family::IPv4 ? ipv4 : ipv6, 1);
  small.number(Chunk::Protocol, is_reliable(entry.transport) ? tcp : udp, 1);
  small.address(Chunk::IPv4Source, Chunk::IPv6Source, from);
  small.address(Chunk::IPv4Destination, Chunk::IPv6Destination, to);
  small.number(Chunk::SourcePort, from.port, 2);
  small.number(Chunk::DestinationPort, to.port, 2);
  small.number(Chunk::Seconds, static_cast<std::uint64_t>(entry.wall_us / 1'000'000), 4);
  small.number(Chunk::Microseconds, static_cast<std::uint64_t>(entry.wall_us % 1'000'000), 4);
  small.number(Chunk::Type, sip, 1);
  small.number(Chunk::CaptureId, options.capture_id, 4);
  out.append("HEP3\0\0", 6).append(small.bytes());  // the two zeros: the length, below
  text_chunk(out, Chunk::Password, options.password);
  text_chunk(out, Chunk::NodeName, options.node_name);
  text_chunk(out, Chunk::CorrelationId, call_id_of(entry.bytes).substr(0, 255));
  const std::size_t room = packet_bytes_max - (out.size() - begin) - chunk_header;
  text_chunk(out, Chunk::Payload, entry.bytes.substr(0, room));
  const std::size_t length = out.size() - begin;
  (void)put(out.data() + begin + 4, length, 2);
}

}  // namespace perdure::trace

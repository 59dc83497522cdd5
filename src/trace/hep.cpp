#include "trace/hep.hpp"

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

void put8(std::string& out, std::uint8_t number) {
  out += static_cast<char>(number);
}
void put16(std::string& out, std::uint64_t number) {
  put8(out, static_cast<std::uint8_t>(number >> 8));
  put8(out, static_cast<std::uint8_t>(number));
}
void put32(std::string& out, std::uint64_t number) {
  put16(out, number >> 16);
  put16(out, number);
}

void begin_chunk(std::string& out, Chunk type, std::size_t length) {
  put16(out, 0);  // vendor
  put16(out, static_cast<std::uint64_t>(type));
  put16(out, chunk_header + length);
}
void text_chunk(std::string& out, Chunk type, std::string_view text) {
  if (text.empty()) return;
  begin_chunk(out, type, text.size());
  out += text;
}
void number8(std::string& out, Chunk type, std::uint8_t number) {
  begin_chunk(out, type, 1);
  put8(out, number);
}
void number16(std::string& out, Chunk type, std::uint16_t number) {
  begin_chunk(out, type, 2);
  put16(out, number);
}
void number32(std::string& out, Chunk type, std::uint64_t number) {
  begin_chunk(out, type, 4);
  put32(out, number);
}

void address_chunk(std::string& out, Chunk of_ipv4, Chunk of_ipv6, const SocketAddress& address) {
  const bool short_one = address.family == Family::IPv4;
  text_chunk(out, short_one ? of_ipv4 : of_ipv6,
             {reinterpret_cast<const char*>(address.ip.data()), short_one ? std::size_t{4} : std::size_t{16}});
}

}  // namespace

void append_hep(const Entry& entry, const HepOptions& options, std::string& out) {
  if (entry.kind != EntryKind::Received && entry.kind != EntryKind::Sent) return;
  const bool in = entry.kind == EntryKind::Received;
  const SocketAddress &from = in ? entry.remote : entry.local, &to = in ? entry.local : entry.remote;
  const std::size_t begin = out.size();
  out += "HEP3";
  put16(out, 0);  // the length, below
  number8(out, Chunk::Family, from.family == Family::IPv4 ? ipv4 : ipv6);
  number8(out, Chunk::Protocol, is_reliable(entry.transport) ? tcp : udp);
  address_chunk(out, Chunk::IPv4Source, Chunk::IPv6Source, from);
  address_chunk(out, Chunk::IPv4Destination, Chunk::IPv6Destination, to);
  number16(out, Chunk::SourcePort, from.port);
  number16(out, Chunk::DestinationPort, to.port);
  number32(out, Chunk::Seconds, static_cast<std::uint64_t>(entry.wall_us / 1'000'000));
  number32(out, Chunk::Microseconds, static_cast<std::uint64_t>(entry.wall_us % 1'000'000));
  number8(out, Chunk::Type, sip);
  number32(out, Chunk::CaptureId, options.capture_id);
  text_chunk(out, Chunk::Password, options.password);
  text_chunk(out, Chunk::NodeName, options.node_name);
  text_chunk(out, Chunk::CorrelationId, call_id_of(entry.bytes).substr(0, 255));
  const std::size_t room = packet_bytes_max - (out.size() - begin) - chunk_header;
  text_chunk(out, Chunk::Payload, entry.bytes.substr(0, room));
  const std::size_t length = out.size() - begin;
  out[begin + 4] = static_cast<char>(length >> 8);
  out[begin + 5] = static_cast<char>(length);
}

}  // namespace perdure::trace

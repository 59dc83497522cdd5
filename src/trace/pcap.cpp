#include <algorithm>
#include <cstring>

#include "trace/call.hpp"

namespace perdure::trace {
namespace {

template <class Number>
void put(std::string& out, Number number) {  // as this machine has it: the magic number of the file says which order that is
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void put16(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8);
  out += static_cast<char>(number);
}
void put_ip(std::string& out, const SocketAddress& address) {
  out.append(reinterpret_cast<const char*>(address.ip.data()), address.family == Family::IPv4 ? 4 : 16);
}

// The one's complement sum of RFC 1071 over an even number of bytes.
std::uint16_t internet_checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]) << 8 | static_cast<unsigned char>(bytes[i + 1]));
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

constexpr std::size_t udp_header = 8, ipv4_header = 20, packet_bytes_max = 65'535;
constexpr char udp = 17;

std::string packet(const Entry& entry, std::string_view payload) {
  const bool in = entry.kind == EntryKind::Received;
  const SocketAddress &from = in ? entry.remote : entry.local, &to = in ? entry.local : entry.remote;
  payload = payload.substr(0, packet_bytes_max - ipv4_header - udp_header);
  std::string out;
  if (from.family == Family::IPv4) {
    out.append("\x45\0", 2);
    put16(out, ipv4_header + udp_header + payload.size());
    out.append("\0\0\0\0\x40", 5);
    out += udp;
    put16(out, 0);
    put_ip(out, from);
    put_ip(out, to);
    const std::uint16_t sum = internet_checksum(out);
    out[10] = static_cast<char>(sum >> 8);
    out[11] = static_cast<char>(sum);
  } else {
    out.append("\x60\0\0\0", 4);
    put16(out, udp_header + payload.size());
    out += udp;
    out += '\x40';
    put_ip(out, from);
    put_ip(out, to);
  }
  put16(out, from.port);
  put16(out, to.port);
  put16(out, udp_header + payload.size());
  put16(out, 0);  // no checksum
  return out.append(payload);
}

}  // namespace

std::string pcap(const std::vector<StoredEntry>& entries) {
  constexpr std::uint32_t magic = 0xa1b2c3d4, link_type_raw = 101;
  std::string out;
  put(out, magic);
  put(out, std::uint16_t{2});
  put(out, std::uint16_t{4});
  put(out, std::uint64_t{0});
  put(out, std::uint32_t{packet_bytes_max});
  put(out, link_type_raw);
  for (const auto& one : entries) {
    if (one.entry.kind == EntryKind::Start) continue;
    const std::string bytes = packet(one.entry, one.bytes);
    put(out, static_cast<std::uint32_t>(one.entry.wall_us / 1'000'000));
    put(out, static_cast<std::uint32_t>(one.entry.wall_us % 1'000'000));
    put(out, static_cast<std::uint32_t>(bytes.size()));
    put(out, static_cast<std::uint32_t>(bytes.size()));
    out += bytes;
  }
  return out;
}

}  // namespace perdure::trace

#include "proxy/server_list.hpp"

#include <cstdint>
#include <cstring>

#include "base/socket_address.hpp"
#include "locate/records.hpp"

namespace perdure::proxy {
namespace {

struct Head {
  std::uint8_t version = 1;
  std::uint8_t flags = 0;  // 1: sips, 2: the transport is given
  Transport transport = Transport::Udp;
  std::uint8_t name_size = 0;
  std::uint16_t port = 0;
  std::uint16_t reserved = 0;
};
struct Entry {
  SocketAddress address;
  Transport transport = Transport::Udp;
  std::uint8_t reserved[3] = {};
};
static_assert(sizeof(Head) == 8 && sizeof(Entry) == 24);
static_assert(locate::name_bytes_max <= UINT8_MAX);

}  // namespace

void encode_servers(const locate::Destination& destination, const std::vector<locate::Server>& left, std::string& out) {
  Head head;
  head.flags = static_cast<std::uint8_t>((destination.secure ? 1 : 0) | (destination.transport ? 2 : 0));
  head.transport = destination.transport.value_or(Transport::Udp);
  const auto name = std::string_view(destination.host).substr(0, locate::name_bytes_max);
  head.name_size = static_cast<std::uint8_t>(name.size());
  head.port = destination.port;
  out.append(reinterpret_cast<const char*>(&head), sizeof head).append(name);
  for (const auto& server : left) {
    Entry entry;
    entry.address = server.address;
    entry.transport = server.transport;
    out.append(reinterpret_cast<const char*>(&entry), sizeof entry);
  }
}

std::string_view name_of_servers(std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof head) return {};
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head);
  return head.version == 1 && head.name_size <= bytes.size() ? bytes.substr(0, head.name_size) : std::string_view{};
}

bool decode_servers(std::string_view bytes, ServerList& list) {
  const auto name = name_of_servers(bytes);
  if (name.empty()) return false;
  Head head;
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head + name.size());
  if (head.transport > Transport::Wss || bytes.size() % sizeof(Entry) != 0) return false;
  list.destination = {.host = std::string(name), .port = head.port, .transport = {}, .secure = (head.flags & 1) != 0};
  if (head.flags & 2) list.destination.transport = head.transport;
  list.left.clear();
  for (; !bytes.empty(); bytes.remove_prefix(sizeof(Entry))) {
    Entry entry;
    std::memcpy(&entry, bytes.data(), sizeof entry);
    if (entry.transport > Transport::Wss) return false;
    list.left.push_back({entry.transport, entry.address});
  }
  return true;
}

}  // namespace perdure::proxy
